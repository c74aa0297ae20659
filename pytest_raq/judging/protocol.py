"""What a judge is asked and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_raq.records import JudgeExchange, JudgeIdentity, OrderReading, Question


@dataclass(frozen=True, slots=True)
class Case:
    """A question with at least two distinct texts to be ranked.

    The texts are stripped and sorted: their order says nothing about who wrote
    them. A text may be empty. ``authors`` holds for each text the model
    families of the contestants that gave it, one entry per contestant, empty
    if a family is not known. A judge does not see them; a panel uses them to
    hide texts from judges of the same family.
    """

    question: Question
    texts: tuple[str, ...]
    authors: tuple[tuple[str, ...], ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Order:
    """A weak order: tiers of indices into the texts of a case, best first.

    Each index is in exactly one tier; texts of one tier are tied.
    ``exchanges`` are the prompts and replies of an LLM judge, and
    ``readings`` the orders that it gave each time it was asked, from which its
    quality is measured; both are kept with the verdict and are not part of it.
    ``agreed`` says whether a judge that read the texts in an order and in its
    reverse gave the same order both times; None if it read them once. ``reasons``
    say of each text why it is where it is, if the judge knows.
    """

    tiers: tuple[tuple[int, ...], ...]
    exchanges: tuple[JudgeExchange, ...] = field(default=(), compare=False)
    agreed: bool | None = field(default=None, compare=False)
    readings: tuple[OrderReading, ...] = field(default=(), compare=False)
    reasons: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class NoOrder:
    """Why the judge gave no order for one case, and the exchanges with it."""

    reason: str
    exchanges: tuple[JudgeExchange, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Spending:
    """The requests to a judge in this run and their cost; verdicts from the store are free.

    ``prompt_tokens`` and ``completion_tokens`` are as the server counts them,
    ``cost`` is in ``currency``, which is empty if no prices are known.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    currency: str = ""

    def __add__(self, other: Spending) -> Spending:
        """Return the sum, e.g. for the judges of a panel; all must use one currency."""
        return Spending(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
            self.currency or other.currency,
        )

    def __str__(self) -> str:
        """Return e.g. ``63 calls, 45,210 tokens, 0.0123 USD``; empty when nothing was asked."""
        if not self.calls:
            return ""
        tokens = self.prompt_tokens + self.completion_tokens
        parts = [f"{self.calls:,} call{'s' * (self.calls != 1)}"]
        parts += [f"{tokens:,} tokens"] if tokens else []
        parts += [f"{self.cost:.4f} {self.currency}"] if self.currency else []
        return ", ".join(parts)


class Judge(Protocol):
    """Orders texts by closeness to the references of a question."""

    @property
    def identity(self) -> JudgeIdentity:
        """What must be equal for two rankings to be compared."""

    @property
    def is_free(self) -> bool:
        """Whether asking again costs less than looking up the stored verdict."""

    @property
    def spending(self) -> Spending:
        """What was spent so far in this run."""

    @property
    def note(self) -> str:
        """What a reader should know about what runs the judge; empty if there is nothing."""

    def prepare(self) -> None:
        """Find out whether the judge can be asked: its key, its server, its model, its file.

        Called before the first answer of a run is generated, and not called if none
        is. Raises JudgeError, on one line, when it cannot; the same each time.
        """

    def close(self) -> None:
        """Free connections and a loaded model. May be called twice; requests may follow."""

    def order(self, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
        """Yield one verdict per case, in the order of the cases.

        A judge may read ahead, to work on several cases at once, but reads the
        cases on the thread that asks for the verdicts. It yields `NoOrder` for
        a case that it cannot decide and raises JudgeError when it cannot decide
        any further case.
        """
