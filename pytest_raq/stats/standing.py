"""Which pairs of models stand otherwise to each other than when they were accepted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from pytest_raq.records import StandingChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.records import PairwiseP, RankTests

Pair = tuple[str, str]


def standing_changes(now: RankTests, before: RankTests, alpha: float) -> tuple[StandingChange, ...]:
    """Return each pair whose standing moved, once for each test that saw it.

    A pair stands apart where p ≤ ``alpha``, the one of the lower mean rank
    being better, and is not separable else (``better_…`` is empty), also
    where p is NaN. Pairs that one of the runs does not know are left out.
    """
    models = [model for model in now.models if model in before.models]
    views = list(zip(_views(now, alpha), _views(before, alpha), strict=True))
    return tuple(
        _change(today, then, pair)
        for pair in combinations(models, 2)
        for today, then in views
        if today.better(pair) != then.better(pair)
    )


@dataclass(frozen=True, slots=True)
class _View:
    """A run as one test sees it."""

    test: str
    p_values: PairwiseP
    mean_ranks: Mapping[str, float]
    alpha: float

    def p_value(self, pair: Pair) -> float:
        return self.p_values[pair[0]][pair[1]]

    def better(self, pair: Pair) -> str:
        if not self.p_value(pair) <= self.alpha:
            return ""
        return min(pair, key=lambda model: self.mean_ranks[model])


def _views(tests: RankTests, alpha: float) -> Iterator[_View]:
    for name, p_values in (
        ("Dunn–Holm", tests.dunn_holm),
        ("Conover–Holm", tests.conover_holm),
        ("permutation–Holm", tests.permutation_holm),
    ):
        yield _View(name, p_values, tests.mean_ranks, alpha)


def _change(now: _View, before: _View, pair: Pair) -> StandingChange:
    first, second = pair
    return StandingChange(
        better_before=before.better(pair),
        first=first,
        second=second,
        better_now=now.better(pair),
        test=now.test,
        p_before=before.p_value(pair),
        p_now=now.p_value(pair),
    )
