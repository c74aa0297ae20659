"""What a judge is asked and what it says."""

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
    families of the contestants that gave it, one entry a contestant, empty
    where a family is not known. A judge is not told them; a panel keeps them
    from judges of the same family.
    """

    question: Question
    texts: tuple[str, ...]
    authors: tuple[tuple[str, ...], ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Order:
    """A weak order: tiers of indices into the texts of a case, best first.

    Each index stands in exactly one tier; texts of one tier are level.
    ``exchanges`` are what was said to a judge that is asked in words, and
    ``readings`` the orders that it gave each time it was asked, by which it is
    itself judged; both are kept with the verdict and are no part of it.
    ``agreed`` tells whether a judge that read the texts in an order and in its
    reverse said the same both times; None where it read them once.
    """

    tiers: tuple[tuple[int, ...], ...]
    exchanges: tuple[JudgeExchange, ...] = field(default=(), compare=False)
    agreed: bool | None = field(default=None, compare=False)
    readings: tuple[OrderReading, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class NoOrder:
    """Why the judge gave no order for one case, and what was said to it."""

    reason: str
    exchanges: tuple[JudgeExchange, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Spending:
    """What a judge was asked in this run and what that cost; verdicts from the store are free.

    ``prompt_tokens`` and ``completion_tokens`` are as the server counts them,
    ``cost`` is in ``currency``, which is empty where no prices are known.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    currency: str = ""

    def __add__(self, other: Spending) -> Spending:
        """Return the sum, e.g. of the judges of a panel; one currency is assumed."""
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
        """Whether asking again costs less than looking up what was said before."""

    @property
    def spending(self) -> Spending:
        """What was spent so far in this run."""

    @property
    def note(self) -> str:
        """What a reader should know of what runs the judge; empty where there is nothing."""

    def prepare(self) -> None:
        """Find out whether the judge can be asked: its key, its server, its model, its file.

        Called before the first answer of a run is generated, and not where
        nothing is. JudgeError, on one line, when it cannot; the same each time.
        """

    def close(self) -> None:
        """Free what it holds: connections, a loaded model. Safe to call twice, or to ask on."""

    def order(self, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
        """Yield one verdict a case, in the order of the cases.

        A judge may read ahead, to work on several cases at once, but reads the
        cases on the thread that asks for the verdicts. It yields `NoOrder` for
        a case that it cannot decide and raises JudgeError when it can decide
        no further one.
        """
