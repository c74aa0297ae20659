"""Speed of today against the accepted one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.records import Interval, SpeedEvidence
from pytest_raq.stats.resampling import UNDEFINED, generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEVEL = 0.95

FEWEST_ROUNDS = 3
"""Rounds a side below which a median has no interval worth the name."""


def speed_evidence(
    measure: str,
    now: Sequence[float],
    before: Sequence[float],
    *,
    higher_is_better: bool,
    seed: int = 0,
    resamples: int = 10_000,
) -> SpeedEvidence:
    """Return the ratio of medians of two sets of rounds, with a 95 % interval.

    ``now`` and ``before`` hold one positive value a round, in the unit of
    ``measure``; others (0, NaN) were not measured and are left out. The ratio
    is below 1 where today is slower: now ÷ before for rates, before ÷ now for
    times. Rounds of two runs have no common order, so both sides are resampled
    on their own (percentile bootstrap). NaN without a value; an undefined
    interval with fewer than three a side.
    """
    today, then = _measured(now), _measured(before)
    middle, accepted = _median(today), _median(then)
    above, below = (today, then) if higher_is_better else (then, today)
    return SpeedEvidence(
        measure=measure,
        now=middle,
        before=accepted,
        ratio=_median(above) / _median(below),
        interval=_interval(above, below, seed, resamples),
    )


def _measured(values: Sequence[float]) -> Floats:
    # Sorted, so that the interval does not depend on the order of rounds.
    array = np.sort(np.array(values, dtype=np.float64))
    return array[np.isfinite(array) & (array > 0)]


def _median(values: Floats) -> float:
    return float(np.median(values)) if values.size else math.nan


def _interval(above: Floats, below: Floats, seed: int, resamples: int) -> Interval:
    if min(above.size, below.size) < FEWEST_ROUNDS:
        return UNDEFINED
    rng = generator(seed)
    ratios = _medians(above, rng, resamples) / _medians(below, rng, resamples)
    low, high = np.quantile(ratios, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(float(low), float(high))


def _medians(values: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    drawn = rng.integers(0, values.size, size=(resamples, values.size))
    return np.median(values[drawn], axis=1)
