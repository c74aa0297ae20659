"""What a judge is asked and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_raq.records import Exchange, JudgeIdentity, Question, Reading


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
    """

    tiers: tuple[tuple[int, ...], ...]
    exchanges: tuple[Exchange, ...] = field(default=(), compare=False)
    readings: tuple[Reading, ...] = field(default=(), compare=False)

    @property
    def agreed(self) -> bool | None:
        """Whether all readings gave one order; None where fewer than two were made."""
        orders = {tuple(frozenset(tier) for tier in item.tiers if tier) for item in self.readings}
        return len(orders) == 1 if len(self.readings) > 1 else None


@dataclass(frozen=True, slots=True)
class NoOrder:
    """Why the judge gave no order for one case, and what was said to it."""

    reason: str
    exchanges: tuple[Exchange, ...] = field(default=(), compare=False)


class Judge(Protocol):
    """Orders texts by closeness to the references of a question."""

    @property
    def identity(self) -> JudgeIdentity:
        """What must be equal for two rankings to be compared."""

    @property
    def is_free(self) -> bool:
        """Whether asking again costs less than looking up what was said before."""

    def order(self, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
        """Yield one verdict a case, in the order of the cases.

        A judge may read ahead, to work on several cases at once, but reads the
        cases on the thread that asks for the verdicts. It yields `NoOrder` for
        a case that it cannot decide and raises JudgeError when it can decide
        no further one.
        """
