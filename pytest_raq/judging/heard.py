"""What a judge said of a case, in the order of the cases, and what it makes of their texts."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import tee
from typing import TYPE_CHECKING

from pytest_raq.errors import JudgeError
from pytest_raq.judging.protocol import NoOrder, Order
from pytest_raq.judging.ranking import find_fault, mid_ranks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from pytest_raq.judging.protocol import Case, Judge
    from pytest_raq.records import Reading


@dataclass(frozen=True, slots=True)
class Heard:
    """A case with the order that a judge gave it."""

    case: Case
    order: Order

    @property
    def ranks(self) -> list[float]:
        """Mid-ranks of the texts."""
        return tier_ranks(self.order.tiers, len(self.case.texts))

    @property
    def readings(self) -> list[Reading]:
        """What the order was made of, as far as it is complete."""
        texts = list(range(len(self.case.texts)))
        return [
            reading
            for reading in self.order.readings
            if sorted(reading.shown) == texts and not find_fault(self.case, Order(reading.tiers))
        ]


def tier_ranks(tiers: Sequence[Sequence[int]], size: int) -> list[float]:
    """Return the mid-ranks of a case's texts from its tiers."""
    tier_of = {str(index): tier for tier, indices in enumerate(tiers) for index in indices}
    ranks = mid_ranks(tier_of)
    return [ranks[str(index)] for index in range(size)]


def verdicts(judge: Judge, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
    """Yield one verdict a case, whatever the judge does: its error is why there are no more.

    An order that is not complete is none.
    """
    mine, theirs = tee(cases)
    with closing(_said(judge, theirs)) as said:
        for case in mine:
            verdict = next(said)
            fault = find_fault(case, verdict) if isinstance(verdict, Order) else ""
            yield NoOrder(fault, verdict.exchanges) if fault else verdict


def _said(judge: Judge, cases: Iterable[Case]) -> Generator[Order | NoOrder]:
    reason = f"judge {judge.identity.name!r} gave no verdict"
    try:
        yield from judge.order(cases)
    except JudgeError as exc:
        reason = str(exc) or reason
    while True:
        yield NoOrder(reason)
