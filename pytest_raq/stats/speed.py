"""Statistics of speed: ratios of files timed in turns, their intervals and tests.

Two files are timed in alternating rounds of several fresh processes, on the same questions.
The unit is the *process*: memory layout and placement on cores differ between processes and
stay the same within one, so rounds of one process are no independent measurements (Kalibera
and Jones 2013, "Rigorous benchmarking in reasonable time"). The ratio of a process is the
median over its paired rounds; the interval is that of Student's t over the logarithms of the
ratios.
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.records import Interval, SpeedEvidence, SpeedReference
from pytest_raq.stats.resampling import UNDEFINED, holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.records import SpeedRatios, SpeedSamples

LEVEL = 0.95

LOOKS = (5, 10, 20)
"""Pairs of processes after which a measurement may end; a later look only if it is undecided.

Every look is made at a third of the error (Bonferroni), so intervals and p-values keep their
level whichever look was the last."""

FEWEST_PROCESSES = 3
"""Minimum number of ratios on each side for an interval."""

DRIFT = {SpeedReference.YARDSTICK: 0.04, SpeedReference.STORED: 0.13}
"""Standard deviation of the logarithm of a figure between runs, beside that between processes.

Files timed in turns have none: they share the run. Medians of separate runs vary by 9 to 13 %.
That of the yardstick is an assumption: ``calibrate_speed.py --yardstick N`` measures it.
"""

MEASURES = {
    "decode_tokens_per_second": True,
    "prefill_tokens_per_second": True,
    "time_to_first_token": False,
    "words_per_second": True,
    "instructions_per_token": False,
}
"""Each measure, and whether a higher value is better."""

GATED = ("decode_tokens_per_second", "prefill_tokens_per_second")
"""The measures that decide, the primary one first. The time to first token is that of the
prefill; words per second depend on what the model says."""


def ratio_of_pairs(measure: str, pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return the median ratio of paired rounds (now, other), below 1 if now is slower.

    Pairs with a value that was not measured (0, NaN) are left out; None if none is left.
    """
    logs = [
        math.log(now / other)
        for now, other in pairs
        if math.isfinite(now) and math.isfinite(other) and now > 0 and other > 0
    ]
    if not logs:
        return None
    middle = median(logs)
    return math.exp(middle if MEASURES[measure] else -middle)


def turns_evidence(
    measure: str,
    ratios: Sequence[float],
    *,
    limit: float,
    now: Sequence[float] = (),
    before: Sequence[float] = (),
) -> SpeedEvidence:
    """Return the evidence of two files timed in turns: one ratio per pair of processes.

    ``limit`` is the ratio that is tested (1 − the tolerated loss); ``now`` and ``before``
    are all rounds of both, for their medians. Undefined with fewer than three processes.
    """
    logs = _logs(ratios)
    mean, error, freedom = _mean(logs), _standard_error(logs), logs.size - 1
    defined = logs.size >= FEWEST_PROCESSES
    return SpeedEvidence(
        measure=measure,
        now=_median(now),
        before=_median(before),
        ratio=math.exp(mean),
        interval=_interval(mean, error, freedom) if defined else UNDEFINED,
        against=SpeedReference.ACCEPTED,
        processes=logs.size,
        p_value=_p_value(mean, error, freedom, limit) if defined else math.nan,
    )


def runs_evidence(
    measure: str,
    now: Sequence[float],
    before: Sequence[float],
    *,
    against: SpeedReference,
    limit: float,
) -> SpeedEvidence:
    """Return the evidence of figures of two runs, today's and that of the baseline.

    The figures of each run are independent; between runs there is `DRIFT` beside the error of
    both means (Welch's t with the degrees of freedom of Satterthwaite, where the variance
    of the drift is known). Undefined with fewer than three figures on a side.
    """
    today, then = _logs(now), _logs(before)
    mean = _mean(today) - _mean(then)
    if against is SpeedReference.STORED and not MEASURES[measure]:
        mean = -mean
    defined = min(today.size, then.size) >= FEWEST_PROCESSES
    error, freedom = _welch(today, then, DRIFT[against]) if defined else (math.nan, 1.0)
    return SpeedEvidence(
        measure=measure,
        now=_median(now),
        before=_median(before),
        ratio=math.exp(mean),
        interval=_interval(mean, error, freedom) if defined else UNDEFINED,
        against=against,
        processes=today.size if against is SpeedReference.YARDSTICK else 0,
        p_value=_p_value(mean, error, freedom, limit) if defined else math.nan,
    )


def adjust_speeds(
    evidence: Mapping[str, tuple[SpeedEvidence, ...]],
) -> dict[str, tuple[SpeedEvidence, ...]]:
    """Return the evidence of all models with Holm's p-values over models and gated measures."""
    gated = {
        (model, item.measure): item.p_value
        for model, items in evidence.items()
        for item in items
        if item.measure in GATED and not math.isnan(item.p_value)
    }
    adjusted = dict(zip(gated, holm(list(gated.values())), strict=True))
    return {
        model: tuple(
            replace(item, adjusted_p=adjusted.get((model, item.measure), math.nan))
            for item in items
        )
        for model, items in evidence.items()
    }


def is_clear(evidence: Sequence[SpeedEvidence], limit: float, *, tests: int = 1) -> bool:
    """Whether further processes are not needed: something is slower, or nothing can be.

    ``tests`` is the number of gated figures of the run, so that a loss that is clear here is
    also clear after Holm.
    """
    gated = [item for item in evidence if item.measure in GATED]
    level = (1 - LEVEL) / 2
    if any(item.p_value * tests <= level for item in gated):
        return True
    return all(item.interval.low >= limit for item in gated)


def medians(samples: SpeedSamples) -> dict[str, float]:
    """Return the median of each measure of a model."""
    return {measure: median(values) for measure, values in samples.items() if measure in MEASURES}


def compare_turns(
    ratios: SpeedRatios, now: SpeedSamples, before: SpeedSamples, *, limit: float
) -> tuple[SpeedEvidence, ...]:
    """Return the evidence of each measure that was timed in turns."""
    return tuple(
        turns_evidence(
            measure,
            ratios[measure],
            limit=limit,
            now=now.get(measure, ()),
            before=before.get(measure, ()),
        )
        for measure in MEASURES
        if ratios.get(measure)
    )


def compare_runs(
    now: Mapping[str, Sequence[float]],
    before: Mapping[str, Sequence[float]],
    *,
    against: SpeedReference,
    limit: float,
) -> tuple[SpeedEvidence, ...]:
    """Return the evidence of each measure that both runs have."""
    return tuple(
        runs_evidence(measure, now[measure], before[measure], against=against, limit=limit)
        for measure in MEASURES
        if now.get(measure) and before.get(measure)
    )


def _logs(values: Sequence[float]) -> np.ndarray:
    array = np.array(values, dtype=np.float64)
    return np.log(array[np.isfinite(array) & (array > 0)])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else math.nan


def _median(values: Sequence[float]) -> float:
    return median(values) if values else math.nan


def _standard_error(logs: np.ndarray) -> float:
    return float(logs.std(ddof=1)) / math.sqrt(logs.size) if logs.size > 1 else math.nan


def _welch(today: np.ndarray, then: np.ndarray, drift: float) -> tuple[float, float]:
    """Return the standard error of a difference of means, and its degrees of freedom."""
    first, second = _standard_error(today) ** 2, _standard_error(then) ** 2
    variance = first + second + 2 * drift**2
    spread = first**2 / (today.size - 1) + second**2 / (then.size - 1)
    freedom = variance**2 / spread if spread else math.inf
    return math.sqrt(variance), freedom


def _interval(mean: float, error: float, freedom: float) -> Interval:
    from scipy.special import stdtrit

    quantile = float(stdtrit(min(freedom, 1e9), 1 - (1 - LEVEL) / 2 / len(LOOKS)))
    return Interval(math.exp(mean - quantile * error), math.exp(mean + quantile * error))


def _p_value(mean: float, error: float, freedom: float, limit: float) -> float:
    """Return the one-sided p of a ratio of at least ``limit``, for each look of `LOOKS`."""
    from scipy.special import stdtr

    if limit <= 0:  # nothing is slower than standing still
        return 1.0
    distance = mean - math.log(limit)
    if error == 0:
        return 0.0 if distance < 0 else 1.0
    return min(1.0, float(stdtr(min(freedom, 1e9), distance / error)) * len(LOOKS))
