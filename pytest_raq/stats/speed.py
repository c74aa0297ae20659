"""Statistics of speed samples: medians, ratios, and their intervals."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.records import Interval, SpeedEvidence
from pytest_raq.stats.resampling import UNDEFINED, generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_raq.records import SpeedSamples


LEVEL = 0.95

FEWEST_ROUNDS = 3
"""Minimum number of rounds on each side for a useful interval of a median."""

MACHINE = "machine_per_second"
"""The name of the measure of the machine itself: how often per second its work is done."""

MEASURES = {
    "decode_tokens_per_second": True,
    "prefill_tokens_per_second": True,
    "time_to_first_token": False,
    "words_per_second": True,
}
"""Each measure, and whether a higher value is better."""

if TYPE_CHECKING:
    Floats = NDArray[np.float64]


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

    ``now`` and ``before`` have one positive value per round, in the unit of
    ``measure``; other values (0, NaN) were not measured and are left out. The ratio
    is below 1 if the new run is slower: now ÷ before for rates, before ÷ now for
    times. Rounds of two runs have no common order, so both sides are resampled
    independently (percentile bootstrap). NaN without a value; an undefined
    interval with fewer than three values on a side.
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


def medians(samples: SpeedSamples) -> dict[str, float]:
    """Return the median of each measure of a model."""
    return {measure: median(values) for measure, values in samples.items() if measure in MEASURES}


def compare_speed(
    now: SpeedSamples, before: SpeedSamples, *, seed: int = 0
) -> tuple[SpeedEvidence, ...]:
    """Return each measure that both sides have, as a ratio with an interval."""
    return tuple(
        speed_evidence(
            measure,
            now[measure],
            before[measure],
            higher_is_better=higher_is_better,
            seed=seed,
        )
        for measure, higher_is_better in MEASURES.items()
        if now.get(measure) and before.get(measure)
    )


def compare_machine(now: SpeedSamples, before: SpeedSamples, *, seed: int) -> SpeedEvidence | None:
    """Return the speed of the machine itself, now compared with before; None if unknown."""
    if not (now.get(MACHINE) and before.get(MACHINE)):
        return None
    return speed_evidence(MACHINE, now[MACHINE], before[MACHINE], higher_is_better=True, seed=seed)
