"""The quality test: new answers of a model against its own accepted ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.records import Interval, QualityEvidence
from pytest_raq.stats.power import detectable_effect, spread
from pytest_raq.stats.resampling import (
    UNDEFINED,
    PassageSums,
    holm,
    passage_intervals,
    sign_flip,
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
class _Plan:
    """What is the same for all models of one test."""

    clusters: Mapping[str, str]
    alpha: float
    min_effect: float
    power: float | None
    models: int
    seed: int
    resamples: int


def quality_evidence(
    preferences: Mapping[str, Mapping[str, int]],
    clusters: Mapping[str, str],
    *,
    alpha: float = 0.05,
    min_effect: float = 0.0,
    power: float | None = 0.8,
    seed: int = 0,
    resamples: int = 10_000,
) -> dict[str, QualityEvidence]:
    """Test for each model whether its answers are worse than its accepted ones.

    ``preferences`` is model → question id → s_i ∈ {−1, 0, +1}, ``clusters``
    question id → passage. p is one-sided, by flipping the signs of the sums
    per passage, Holm-adjusted over the models; the interval covers the net
    preference at 1 − ``alpha``, two-sided, by resampling passages;
    ``detectable`` is the loss that is found with ``power`` and is beyond
    ``min_effect`` (NaN if ``power`` is None). Without any question all
    figures are NaN. The order of models and questions does not matter.
    """
    plan = _Plan(clusters, alpha, min_effect, power, len(preferences), seed, resamples)
    tables = {
        model: sum_by_passage(list(signs), _column(signs), clusters)
        for model, signs in preferences.items()
    }
    intervals = _intervals(tables, plan)
    evidence = {
        model: _evidence(signs, tables[model], intervals[model], plan)
        for model, signs in preferences.items()
    }
    adjusted = holm([item.p_value for item in evidence.values()])
    return {
        model: replace(item, adjusted_p=p)
        for (model, item), p in zip(evidence.items(), adjusted, strict=True)
    }


def _column(signs: Mapping[str, int]) -> Floats:
    return np.array(list(signs.values()), dtype=np.float64).reshape(-1, 1)


def _intervals(tables: Mapping[str, PassageSums], plan: _Plan) -> dict[str, Interval]:
    """Return the interval of each model; models asked about the same passages share resamples."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for model, table in tables.items():
        groups.setdefault(table.passages, []).append(model)
    intervals: dict[str, Interval] = {}
    for models in groups.values():
        found = passage_intervals(
            np.hstack([tables[model].sums for model in models]),
            np.stack([tables[model].sizes for model in models], axis=1),
            level=1 - plan.alpha,
            seed=plan.seed,
            resamples=plan.resamples,
        )
        intervals.update(zip(models, found, strict=True))
    return intervals


def _evidence(
    signs: Mapping[str, int], table: PassageSums, interval: Interval, plan: _Plan
) -> QualityEvidence:
    if not signs:
        return QualityEvidence(0, 0, 0, 0, 0, NAN, UNDEFINED, NAN, NAN, exact=True)
    values = list(signs.values())
    sums = table.sums[:, 0].astype(np.int64)
    test = sign_flip(sums, seed=plan.seed, resamples=plan.resamples)
    return QualityEvidence(
        questions=len(values),
        passages=len(table.passages),
        worse=values.count(-1),
        better=values.count(1),
        tied=values.count(0),
        net_preference=sum(values) / len(values),
        # If nothing changed there is no spread to estimate, even in one passage.
        interval=interval if any(values) else Interval(0.0, 0.0),
        p_value=test.lower,
        adjusted_p=NAN,
        exact=test.exact,
        detectable=_detectable(signs, len(table.passages), plan),
    )


def _detectable(signs: Mapping[str, int], passages: int, plan: _Plan) -> float:
    if plan.power is None:
        return NAN
    return detectable_effect(
        len(signs),
        passages,
        spread(signs, plan.clusters),
        alpha=plan.alpha,
        power=plan.power,
        models=plan.models,
        min_effect=plan.min_effect,
    )
