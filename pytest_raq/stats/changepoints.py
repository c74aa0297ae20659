"""Finds changes of level in a series of runs: binary segmentation with a permutation test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.stats.resampling import generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_SEGMENT = 3
"""Minimum number of runs on each side of a change: one unusual run is not a change."""

ALPHA = 0.05
"""Maximum share of unchanged histories in which any change may be reported."""

_FEWEST, _MOST = 999, 9_999
"""Minimum and maximum number of permutations of one test."""
_CHUNK = 128
_SLACK = 1e-9
"""Maximum difference of two equal statistics after rounding."""


@dataclass(frozen=True, slots=True)
class LevelChange:
    """A change of level: ``index`` is the first value after it.

    ``before`` and ``after`` are the medians of the two adjacent segments,
    ``p_value`` is from the test that found it, not corrected for other series.
    """

    index: int
    before: float
    after: float
    p_value: float


def find_level_changes(
    values: Sequence[float],
    *,
    smallest: float,
    relative: bool = False,
    alpha: float = ALPHA,
    seed: int = 0,
) -> list[LevelChange]:
    """Return the changes of level in a series, in its order.

    ``values`` are finite, one per run, the oldest first. Binary segmentation
    (Vostrikova 1981): the split that explains most of the variance (the
    likelihood ratio of a shift in mean, Worsley 1979, with at least
    `MIN_SEGMENT` values on each side) is kept if its p-value is at most ``alpha``,
    then both sides are searched. The p-value is from a permutation test
    over all splits at once, so it needs no distribution and accounts for the
    search. At the end each place is searched again between its neighbors (Bai
    1997), and changes of the median below ``smallest`` are left out; with
    ``relative``, that is a share of the former median.
    """
    series = np.asarray(values, dtype=np.float64)
    found = sorted(_segment(series, 0, alpha, generator(seed)))
    changes = _describe(series, _repartition(series, found))
    return [change for change in changes if _is_large(change, smallest, relative=relative)]


def _segment(
    series: Floats, start: int, alpha: float, rng: np.random.Generator
) -> Iterator[tuple[int, float]]:
    """Yield the place of each change, counted from ``start``, with its p-value."""
    if len(series) < 2 * MIN_SEGMENT or not np.ptp(series):
        return
    split = _best_split(series)
    if _is_cut_short(series, split):
        return
    p_value = _permutation_p(series, alpha, rng)
    if p_value > alpha:
        return
    yield start + split, p_value
    yield from _segment(series[:split], start, alpha, rng)
    yield from _segment(series[split:], start + split, alpha, rng)


def _is_cut_short(series: Floats, split: int) -> bool:
    """Whether the true place of a split is too near to an end for a segment.

    The one or two runs there are not a level yet.
    """
    if MIN_SEGMENT < split < len(series) - MIN_SEGMENT:
        return False
    explained = _explained(series[np.newaxis], 1)[0]
    return bool(explained.max() > explained[split - 1] * (1 + _SLACK))


def _explained(rows: Floats, least: int = MIN_SEGMENT) -> Floats:
    """Return, for each row and split, the sum of squares between its two sides.

    Rows × splits; split j has ``least + j`` values on its left. The sum of
    squares within is the rest of a total that no permutation changes, so
    the order by this is the order by the likelihood ratio.
    """
    size = rows.shape[1]
    left = np.arange(least, size - least + 1)
    sums = np.cumsum(rows - rows.mean(axis=1, keepdims=True), axis=1)[:, left - 1]
    explained: Floats = sums**2 * (size / (left * (size - left)))
    return explained


def _best_split(series: Floats) -> int:
    return MIN_SEGMENT + int(np.argmax(_explained(series[np.newaxis])[0]))


def _permutation_p(series: Floats, alpha: float, rng: np.random.Generator) -> float:
    """Return the share of orders whose best split explains at least as much as this one's.

    Stops when the share is certainly above ``alpha`` (Besag and Clifford 1991);
    no order is drawn if a bound shows that it is below.
    """
    observed = _explained(series[np.newaxis]).max() * (1 - _SLACK)
    bound = _permutation_bound(series, observed)
    if bound <= alpha:
        return bound
    count = min(max(math.ceil(4 / alpha) - 1, _FEWEST), _MOST)
    allowed = alpha * (count + 1) - 1
    reached = done = 0
    while done < count and reached <= allowed:
        rows = np.tile(series, (min(_CHUNK, count - done), 1))
        shuffled = rng.permuted(rows, axis=1)
        reached += int(np.sum(_explained(shuffled).max(axis=1) >= observed))
        done += len(rows)
    return (reached + 1) / (done + 1)


def _permutation_bound(series: Floats, observed: float) -> float:
    """Return an upper bound of the p-value for any values; it is small only for long series.

    Hoeffding (1963, sections 2 and 6) bounds how often the sum of t values drawn
    without replacement is far from its mean; the bounds are added over all splits.
    """
    size = len(series)
    left = np.arange(MIN_SEGMENT, size - MIN_SEGMENT + 1)
    drawn = np.minimum(left, size - left)
    exponents = -2 * observed * (size - drawn) / (size * np.ptp(series) ** 2)
    return float(min(1.0, np.sum(2 * np.exp(exponents))))


def _repartition(series: Floats, found: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Search each change again between its neighbors: the first search knew only one of them."""
    places = [0, *(index for index, _ in found), len(series)]
    for number in range(1, len(places) - 1):
        low, high = places[number - 1], places[number + 1]
        places[number] = low + _best_split(series[low:high])
    return [(place, p) for place, (_, p) in zip(places[1:-1], found, strict=True)]


def _describe(series: Floats, found: list[tuple[int, float]]) -> Iterator[LevelChange]:
    places = [0, *(index for index, _ in found), len(series)]
    for number, (index, p_value) in enumerate(found, start=1):
        before, after = series[places[number - 1] : index], series[index : places[number + 1]]
        yield LevelChange(index, float(np.median(before)), float(np.median(after)), p_value)


def _is_large(change: LevelChange, smallest: float, *, relative: bool) -> bool:
    scale = abs(change.before) if relative else 1.0
    return abs(change.after - change.before) >= smallest * scale - _SLACK and (
        change.after != change.before
    )
