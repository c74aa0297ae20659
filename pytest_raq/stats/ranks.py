"""Tests over the ranks of models, and pairs of models whose order changed."""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.records import Interval, OmnibusTest, PairwiseP, RankTests, StandingChange
from pytest_raq.stats.resampling import (
    PassageSums,
    holm,
    passage_intervals,
    sign_flip,
    sum_by_passage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_raq.records import Ranking


LEVEL = 0.95
"""Confidence level of the intervals of mean ranks."""

NAN = math.nan

Pair = tuple[str, str]

if TYPE_CHECKING:
    Floats = NDArray[np.float64]


def rank_tests(
    rankings: Iterable[Ranking],
    clusters: Mapping[str, str],
    models: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = 10_000,
) -> RankTests:
    """Return mean ranks with intervals and all tests between ``models``.

    Each question that ranks all models counts, with the mid-ranks of these
    models among themselves; ``clusters`` is question id → passage. A model
    that is in no ranking is left out and has NaN everywhere. The notes report
    what is left out and what is undefined. The order of models and
    questions does not matter.
    """
    given = list(rankings)
    usable = [ranking for ranking in given if not ranking.missing]
    known = {name for ranking in usable for name in ranking.ranks}
    present = tuple(model for model in dict.fromkeys(models) if model in known)
    complete = [item for item in usable if present and item.ranks.keys() >= set(present)]
    ranks = _mid_ranks(complete, present)
    sums = sum_by_passage([item.question_id for item in complete], ranks, clusters)
    notes = [
        *_absent_notes(models, present),
        *_incomplete_notes(len(given) - len(usable), usable, complete, present),
        *_size_notes(present, sums),
    ]
    return _Tests(present, ranks, sums, seed, resamples).run(tuple(dict.fromkeys(models)), notes)


def _mid_ranks(rankings: Sequence[Ranking], models: Sequence[str]) -> Floats:
    """Return mid-ranks among the models, questions × models."""
    from scipy import stats

    if not rankings:
        return np.empty((0, len(models)))
    given = np.array([[item.ranks[model] for model in models] for item in rankings])
    return np.asarray(stats.rankdata(given, axis=1), dtype=np.float64)


def _absent_notes(models: Sequence[str], present: Sequence[str]) -> Iterator[str]:
    for model in dict.fromkeys(models):
        if model not in present:
            yield f"{model} has no ranks and is left out of the tests"


def _incomplete_notes(
    missing: int, usable: Sequence[Ranking], complete: Sequence[Ranking], present: Sequence[str]
) -> Iterator[str]:
    if missing and usable:
        yield _left_out(missing, "without a ranking ")
    left_out = len(usable) - len(complete)
    if left_out and present:
        lacking = [m for m in present if any(m not in ranking.ranks for ranking in usable)]
        yield f"{_left_out(left_out)} of the tests: no rank for {', '.join(lacking)}"


def _left_out(number: int, which: str = "") -> str:
    return f"{_count(number, 'question')} {which}{'is' if number == 1 else 'are'} left out"


def _size_notes(present: Sequence[str], sums: PassageSums) -> Iterator[str]:
    questions, passages = int(sums.sizes.sum()), len(sums.passages)
    if not questions:
        yield "no question ranks the models: nothing to test"
    elif len(present) == 1:
        yield "one model only: there is nothing to compare its ranks with"
    elif questions == 1:
        yield "one question only: no test can separate the models"
    elif passages == 1:
        yield "one passage only: no interval, and the permutation test cannot separate the models"
    elif len(present) == 2:
        yield "two models: Friedman's statistic has one degree of freedom"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


@contextmanager
def _undefined_is_nan() -> Iterator[None]:
    """Let 0/0 be NaN without a warning: here it is an expected result, and is reported."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@dataclass(frozen=True, slots=True)
class _Tests:
    """The tests on mid-ranks, questions × models."""

    models: tuple[str, ...]
    ranks: Floats
    sums: PassageSums
    seed: int
    resamples: int

    def run(self, asked: tuple[str, ...], notes: list[str]) -> RankTests:
        if self._comparable and self._tied:
            notes.append("every question ranks all models as tied: no test is defined")
        return RankTests(
            models=asked,
            questions=len(self.ranks),
            passages=len(self.sums.passages),
            mean_ranks=dict.fromkeys(asked, NAN) | self._mean_ranks(),
            intervals={model: Interval(NAN, NAN) for model in asked} | self._intervals(),
            friedman=self._friedman(),
            kruskal=self._kruskal(),
            dunn_holm=self._matrix(asked, self._dunn()),
            conover_holm=self._matrix(asked, self._conover(notes)),
            permutation_holm=self._matrix(asked, self._permutation()),
            notes=tuple(notes),
        )

    @property
    def _comparable(self) -> bool:
        return len(self.models) > 1 and len(self.ranks) > 0

    @property
    def _tied(self) -> bool:
        return bool((self.ranks == self.ranks[:1, :1]).all())

    @property
    def _testable(self) -> bool:
        return self._comparable and not self._tied

    @property
    def _why_not(self) -> str:
        return "all ranks are tied" if self._comparable else "fewer than two models to compare"

    def _mean_ranks(self) -> dict[str, float]:
        if not len(self.ranks):
            return {}
        means = self.ranks.mean(axis=0)
        return {model: float(mean) for model, mean in zip(self.models, means, strict=True)}

    def _intervals(self) -> dict[str, Interval]:
        intervals = passage_intervals(
            self.sums.sums,
            self.sums.sizes[:, None],
            level=LEVEL,
            seed=self.seed,
            resamples=self.resamples,
        )
        return dict(zip(self.models, intervals, strict=True))

    def _friedman(self) -> OmnibusTest:
        """Return Friedman's test with the correction for ties.

        Conover, "Practical Nonparametric Statistics" (1999), 5.8: unlike
        `scipy.stats.friedmanchisquare` it is defined for two models too.
        """
        if not self._testable:
            return OmnibusTest(NAN, NAN, self._why_not)
        questions, models = self.ranks.shape
        centre = (models + 1) / 2
        between = float(((self.ranks.sum(axis=0) - questions * centre) ** 2).sum())
        within = float(((self.ranks - centre) ** 2).sum())
        return _chi_square((models - 1) * between / within, models - 1)

    def _kruskal(self) -> OmnibusTest:
        from scipy import stats

        if not self._testable:
            return OmnibusTest(NAN, NAN, self._why_not)
        statistic, p_value = stats.kruskal(*self.ranks.T)
        return OmnibusTest(float(statistic), float(p_value))

    def _dunn(self) -> Floats | None:
        """Return Dunn's test as in RAQ: it treats the ranks of a question as independent."""
        import scikit_posthocs

        if not self._testable:
            return None
        with _undefined_is_nan():
            table = scikit_posthocs.posthoc_dunn(self.ranks.T.tolist())
        return _holm_matrix(np.asarray(table.to_numpy(), dtype=np.float64))

    def _conover(self, notes: list[str]) -> Floats | None:
        import scikit_posthocs

        if not self._testable or len(self.ranks) == 1:
            return None
        if (self.ranks == self.ranks[0]).all():
            notes.append(
                "every question has the same ranks: Conover–Friedman has no variance,"
                " its p is 0 between different ranks and 1 between equal ones"
            )
            return np.asarray(np.equal.outer(self.ranks[0], self.ranks[0]), dtype=np.float64)
        with _undefined_is_nan():
            table = scikit_posthocs.posthoc_conover_friedman(self.ranks)
        return _holm_matrix(np.asarray(table.to_numpy(), dtype=np.float64))

    def _permutation(self) -> Floats | None:
        """Return p of flipping, per passage, the difference of rank sums; Holm over pairs."""
        if not self._testable:
            return None
        pairs = list(combinations(range(len(self.models)), 2))
        # Mid-ranks are multiples of one half: doubled, they are integers.
        doubled = np.rint(2 * self.sums.sums).astype(np.int64)
        matrix = np.eye(len(self.models))
        for a, b in pairs:
            test = sign_flip(
                doubled[:, a] - doubled[:, b], seed=self.seed, resamples=self.resamples
            )
            matrix[a, b] = test.two_sided
        return _holm_matrix(matrix)

    def _matrix(self, asked: tuple[str, ...], values: Floats | None) -> PairwiseP:
        """Return p by name; NaN outside the diagonal if there is none."""
        index = {model: i for i, model in enumerate(self.models)}
        return {
            first: {
                second: 1.0
                if first == second
                else NAN
                if values is None or first not in index or second not in index
                else float(values[index[first], index[second]])
                for second in asked
            }
            for first in asked
        }


def _holm_matrix(raw: Floats) -> Floats:
    """Return a symmetric matrix of p adjusted over the pairs above the diagonal.

    The posthoc tests would adjust themselves to the same figures, at the cost
    of a full garbage collection each.
    """
    adjusted = np.eye(len(raw))
    above = np.triu_indices(len(raw), 1)
    adjusted[above] = holm(raw[above].tolist())
    adjusted.T[above] = adjusted[above]
    return adjusted


def _chi_square(statistic: float, degrees: int) -> OmnibusTest:
    from scipy import stats

    return OmnibusTest(statistic, float(stats.chi2.sf(statistic, degrees)))


def standing_changes(now: RankTests, before: RankTests, alpha: float) -> tuple[StandingChange, ...]:
    """Return each pair whose order changed, once for each test that found it.

    A pair differs significantly if p ≤ ``alpha``, and the one with the lower mean
    rank is better; else it is not separable (``better_…`` is empty), also
    if p is NaN. Pairs that are not in both runs are left out.
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
    """A run with the figures of one test."""

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
