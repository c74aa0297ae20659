"""The reference judge: offline, deterministic, by SQuAD exact match and F1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.judging.protocol import Case, Order, Spending
from pytest_raq.records import JudgeIdentity
from pytest_raq.stats.squad import score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_raq.records import Question

NAME = "reference"


class ReferenceJudge:
    """Ranks exact matches first, then by F1 against the best reference; equal figures tie.

    A stand-in for a judge that understands: it knows words, not meaning.
    """

    is_free = True

    @property
    def identity(self) -> JudgeIdentity:
        """The name and the rule."""
        return JudgeIdentity(name=NAME, options={"rule": "exact_match, f1"})

    @property
    def spending(self) -> Spending:
        """Nothing."""
        return Spending()

    def prepare(self) -> None:
        """Be ready."""

    def close(self) -> None:
        """Hold nothing."""

    def order(self, cases: Iterable[Case]) -> Iterator[Order]:
        """Yield the order of each case."""
        for case in cases:
            yield _order(case)


def _order(case: Case) -> Order:
    tiers: dict[tuple[float, float], list[int]] = {}
    for index, text in enumerate(case.texts):
        tiers.setdefault(_closeness(text, case.question), []).append(index)
    return Order(tuple(tuple(tiers[figures]) for figures in sorted(tiers, reverse=True)))


def _closeness(text: str, question: Question) -> tuple[float, float]:
    figures = score(text, question.references)
    # An exact match is as close as can be, even "the" to "the", whose official F1 is 0.
    best = max(figures.f1, figures.exact_match)
    # 2/5 and 4/10 are equal, also where their floating-point numbers are not.
    return figures.exact_match, round(best, 9)
