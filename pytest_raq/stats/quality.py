"""The quality test: new answers of a model against its own accepted ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.records import Interval, QualityEvidence
from pytest_raq.stats.exact import exact_bounds, sparse_p
from pytest_raq.stats.pass_chance import pass_chance
from pytest_raq.stats.power import detectable_effect, spread
from pytest_raq.stats.resampling import (
    UNDEFINED,
    PassageSums,
    SignFlip,
    holm,
    passage_bounds,
    sign_flip,
    subset_bound,
    sum_by_passage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from pytest_raq.records import Ranking

    Floats = NDArray[np.float64]

NAN = math.nan


def preferences(
    rankings: Iterable[Ranking], now: Mapping[str, str], before: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """Return s_i by model and question id from joint rankings.

    ``now`` and ``before`` name the contestants of a model's new answer and
    of its accepted one. s_i is −1 if the new answer is ranked below the
    accepted one, 0 if they are tied, +1 if above; if a ranking is missing or
    does not have one of the two, there is no s_i.
    """
    found: dict[str, dict[str, int]] = {model: {} for model in now if model in before}
    for ranking in rankings:
        if ranking.missing:
            continue
        for model, signs in found.items():
            today, then = ranking.ranks.get(now[model]), ranking.ranks.get(before[model])
            if today is not None and then is not None:
                signs[ranking.question_id] = (today < then) - (today > then)
    return found


@dataclass(frozen=True, slots=True)
class QualityPlan:
    """What all tests of one run have in common.

    ``alpha`` is the level of alarms, over all tests; ``pass_level`` the
    one-sided level of a pass; ``margin`` and ``min_effect`` are net preferences (0 to 1).
    ``accuracy`` (above 0.5) is that of the judge. ``power`` is what ``detectable`` means (0 to 1),
    None leaves planning out, which takes longest.
    """

    alpha: float = 0.05
    pass_level: float = 0.025
    min_effect: float = 0.0
    margin: float = 0.1
    accuracy: float = 1.0
    power: float | None = 0.8
    seed: int = 0
    resamples: int = 10_000

    @property
    def scale(self) -> float:
        """By how much errors of the judge shrink a net preference: 2a − 1, 0 to 1.

        A judge that may be no better than chance says nothing: not 0, so that the
        interval becomes −1 to 1 and no division fails.
        """
        return max(2 * self.accuracy - 1, 1e-6)


@dataclass(frozen=True, slots=True)
class _Test:
    """One test before its evidence is written: sums, p-values and the resampled interval."""

    table: PassageSums
    flip: SignFlip
    adjusted_p: float
    resampled: Interval
    tests: int
    unknown: int


_DEFAULT = QualityPlan()


def quality_evidence(
    preferences: Mapping[str, Mapping[str, int]],
    clusters: Mapping[str, str],
    plan: QualityPlan = _DEFAULT,
    *,
    unknown: Mapping[str, int] | None = None,
) -> dict[str, QualityEvidence]:
    """Test for each model whether its answers are worse than its accepted ones.

    ``preferences`` is test → question id → s_i ∈ {−1, 0, +1}, a test being a model, or a
    model and one of its accepted states; ``clusters``
    question id → passage. p is one-sided, by flipping the signs of the sums
    per passage, Holm-adjusted over the tests. The interval resamples passages; its ends are
    at least as far as the exact bounds of `pytest_raq.stats.exact`. The lower
    end has level 1 − ``pass_level``, one-sided, and takes ``unknown`` questions (by test) as
    worse; the upper end has 1 − ``alpha`` / 2 / tests, and is below 0 wherever the adjusted p is
    at most ``alpha``. Net preference and interval are divided by 2 · ``accuracy`` − 1,
    since a judge that errs on pairs at random shrinks every difference by that factor.
    ``detectable`` is the loss that is found with ``power`` and is beyond
    ``min_effect``, ``pass_chance`` the chance of an unchanged model to have the interval above
    −``margin``. Without any question all
    figures are NaN. The order of tests and questions does not matter.
    """
    tables = {
        name: sum_by_passage(list(signs), _column(signs), clusters)
        for name, signs in preferences.items()
    }
    flips = {
        name: sign_flip(table.sums[:, 0].astype(np.int64), seed=plan.seed, resamples=plan.resamples)
        for name, table in tables.items()
    }
    adjusted = holm([flip.lower if preferences[name] else NAN for name, flip in flips.items()])
    resampled = _resampled(tables, plan)
    return {
        name: _evidence(
            preferences[name],
            clusters,
            _Test(
                tables[name],
                flips[name],
                p,
                resampled[name],
                len(preferences),
                (unknown or {}).get(name, 0),
            ),
            plan,
        )
        for name, p in zip(preferences, adjusted, strict=True)
    }


def _column(signs: Mapping[str, int]) -> Floats:
    return np.array(list(signs.values()), dtype=np.float64).reshape(-1, 1)


def _resampled(tables: Mapping[str, PassageSums], plan: QualityPlan) -> dict[str, Interval]:
    """Return the interval of each test; tests about the same passages share resamples."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, table in tables.items():
        groups.setdefault(table.passages, []).append(name)
    intervals: dict[str, Interval] = {}
    for names in groups.values():
        found = passage_bounds(
            np.hstack([tables[name].sums for name in names]),
            np.stack([tables[name].sizes for name in names], axis=1),
            tails=_tails(plan, len(tables)),
            seed=plan.seed,
            resamples=plan.resamples,
        )
        intervals.update(zip(names, found, strict=True))
    return intervals


def _tails(plan: QualityPlan, tests: int) -> tuple[float, float]:
    """Return the tails of the interval: of a pass, and half that of an alarm, as in two sides.

    An upper end of the same one-sided level as the test would be a second test, by another
    method: together they would be wrong more often than ``alpha``.
    """
    return plan.pass_level, plan.alpha / 2 / max(1, tests)


def _evidence(
    signs: Mapping[str, int], clusters: Mapping[str, str], test: _Test, plan: QualityPlan
) -> QualityEvidence:
    if not signs:
        return QualityEvidence(0, 0, 0, 0, 0, NAN, UNDEFINED, NAN, NAN, exact=True)
    values = list(signs.values())
    worse, better = values.count(-1), values.count(1)
    raw = sum(values) / len(values)
    interval = _interval(test, signs, clusters, plan)
    detectable, chance = _prospects(signs, clusters, test.tests, plan)
    changed = {clusters.get(name, name) for name, sign in signs.items() if sign}
    return QualityEvidence(
        questions=len(values),
        passages=len(test.table.passages),
        worse=worse,
        better=better,
        tied=values.count(0),
        net_preference=_scaled(raw, plan),
        interval=Interval(_scaled(interval.low, plan), _scaled(interval.high, plan)),
        p_value=test.flip.lower,
        adjusted_p=test.adjusted_p,
        exact=test.flip.exact,
        detectable=detectable,
        raw_net_preference=raw,
        judge_accuracy=plan.accuracy,
        moved_passages=int(np.count_nonzero(test.table.sums[:, 0])),
        sparse_p=sparse_p(worse, better, len(changed)),
        tests=test.tests,
        unknown=test.unknown,
        pass_chance=chance,
    )


def _interval(
    test: _Test, signs: Mapping[str, int], clusters: Mapping[str, str], plan: QualityPlan
) -> Interval:
    """Return the interval of the mean of s_i, not corrected for the judge."""
    table = test.table
    questions, passages = len(signs), len(table.passages)
    if passages < 2 and any(signs.values()):
        return UNDEFINED  # changes in one passage may all have one cause: no spread is known
    place = {name: index for index, name in enumerate(table.passages)}
    rows = np.array([place[clusters.get(name, name)] for name in signs])
    tails = _tails(plan, test.tests)
    low, high = exact_bounds(_column(signs)[:, 0], rows, tails=tails)
    if passages > 1:
        low, high = min(low, test.resampled.low), max(high, test.resampled.high)
    if test.adjusted_p <= plan.alpha:
        tail = plan.alpha * test.flip.lower / test.adjusted_p
        sums, sizes = table.sums[:, 0], table.sizes
        inverted = subset_bound(sums, sizes, tail, seed=plan.seed, resamples=plan.resamples)
        high = min(high, max(inverted, float(sums.sum() / sizes.sum())))
    everything = questions + test.unknown
    return Interval(max(-1.0, (low * questions - test.unknown) / everything), min(1.0, high))


def _scaled(value: float, plan: QualityPlan) -> float:
    """Return a net preference without the judge's errors; it cannot be beyond −1 or 1."""
    return value if math.isnan(value) else min(1.0, max(-1.0, value / plan.scale))


def _prospects(
    signs: Mapping[str, int], clusters: Mapping[str, str], tests: int, plan: QualityPlan
) -> tuple[float, float]:
    """Return the loss that such runs find, and the chance of an unchanged model to pass."""
    if plan.power is None:
        return NAN, NAN
    given, passages = spread(signs, clusters), len({clusters.get(name, name) for name in signs})
    found = detectable_effect(
        len(signs),
        passages,
        given,
        alpha=plan.alpha,
        power=plan.power,
        models=tests,
        min_effect=plan.min_effect * plan.scale,
    )
    chance = pass_chance(
        len(signs), passages, given, margin=plan.margin * plan.scale, pass_level=plan.pass_level
    )
    return (found / plan.scale if found <= plan.scale else NAN), chance
