"""The test of F1: a model's new answers against its accepted ones, paired by question."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.records import F1Evidence
from pytest_raq.stats.resampling import (
    holm,
    passage_bounds,
    real_sign_flip,
    subset_bound,
    sum_by_passage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.records import Interval
    from pytest_raq.stats.quality import QualityPlan
    from pytest_raq.stats.resampling import PassageSums


def f1_evidence(
    pairs: Mapping[str, Mapping[str, tuple[float, float]]],
    clusters: Mapping[str, str],
    plan: QualityPlan,
) -> dict[str, F1Evidence]:
    """Test for each model whether the F1 of its answers is lower than that of its accepted ones.

    ``pairs`` is test → question id → F1 of the new and of the accepted answer;
    tests without a pair are left out. The difference of F1 is tested as the net preference is:
    one-sided sign flips of the sums per passage, Holm over the tests, an interval over
    passages whose lower end has the level of a pass and whose upper end that of an alarm.
    With one passage the interval is undefined.
    """
    compared = {name: items for name, items in pairs.items() if items}
    found = {name: _one(items, clusters, plan, len(compared)) for name, items in compared.items()}
    adjusted = holm([item.p_value for item, _ in found.values()])
    return {
        name: _agree(replace(item, adjusted_p=p), table, plan)
        for (name, (item, table)), p in zip(found.items(), adjusted, strict=True)
    }


def _one(
    items: Mapping[str, tuple[float, float]],
    clusters: Mapping[str, str],
    plan: QualityPlan,
    tests: int,
) -> tuple[F1Evidence, PassageSums]:
    differences = np.array([now - before for now, before in items.values()])[:, None]
    table = sum_by_passage(list(items), differences, clusters)
    (interval,) = passage_bounds(
        table.sums,
        table.sizes[:, None],
        tails=(plan.pass_level, plan.alpha / 2 / tests),
        seed=plan.seed,
        resamples=plan.resamples,
    )
    now, before = (fmean(pair[side] for pair in items.values()) for side in (0, 1))
    p = real_sign_flip(table.sums[:, 0], seed=plan.seed, resamples=plan.resamples)
    return F1Evidence(len(items), now, before, now - before, interval, p, p), table


def _agree(evidence: F1Evidence, table: PassageSums, plan: QualityPlan) -> F1Evidence:
    """Return the evidence with the interval below 0 if the loss is significant."""
    if not evidence.adjusted_p <= plan.alpha:
        return evidence
    tail = plan.alpha * evidence.p_value / evidence.adjusted_p
    sums = table.sums[:, 0]
    bound = subset_bound(sums, table.sizes, tail, seed=plan.seed, resamples=plan.resamples)
    high = min(evidence.interval.high, max(bound, evidence.difference))
    interval: Interval = replace(evidence.interval, high=high)
    return replace(evidence, interval=interval)
