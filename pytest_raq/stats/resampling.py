"""The common parts of all tests: sums per passage, sign flips, resamples, Holm.

Questions about one passage are not independent, so a passage, not a
question, is the unit that is flipped and resampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.records import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

CELLS = 2_000_000
"""Random numbers in memory at once: limits the memory for any number of passages."""

EXACT_LENGTH = 40_000
"""Number of possible totals up to which computing a distribution is faster than sampling."""

ENUMERATED = 14
"""Passages with differences up to which all sign vectors are tried: 16,384 of them."""

ROUNDING = 1e-9
"""Real sums that differ by less are equal."""

SMALLEST_P = float(np.finfo(np.float64).tiny)
UNDEFINED = Interval(math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class PassageSums:
    """Sums over the questions of each passage, passages in the order of their names.

    ``sums`` is passages × columns, ``sizes`` the questions of each passage.
    """

    passages: tuple[str, ...]
    sums: Floats
    sizes: Floats


def sum_by_passage(
    question_ids: Sequence[str], values: Floats, clusters: Mapping[str, str]
) -> PassageSums:
    """Return the sums of ``values`` (questions × columns) per passage.

    A question that is not in ``clusters`` counts as a separate passage.
    """
    names = [clusters.get(question, question) for question in question_ids]
    passages = sorted(set(names))
    position = {name: index for index, name in enumerate(passages)}
    rows = np.array([position[name] for name in names], dtype=np.int64)
    sums = np.zeros((len(passages), values.shape[1]))
    np.add.at(sums, rows, values)
    sizes = np.bincount(rows, minlength=len(passages)).astype(np.float64)
    return PassageSums(tuple(passages), sums, sizes)


@dataclass(frozen=True, slots=True)
class SignFlip:
    """A sign-flip test: ``lower`` is one-sided (a sum this low), never 0."""

    lower: float
    two_sided: float
    exact: bool


def sign_flip(sums: Integers, *, seed: int, resamples: int) -> SignFlip:
    """Test whether signed integer sums per passage are symmetric about 0.

    Each passage keeps or flips the sign of its sum with equal chance (Fisher,
    "The Design of Experiments", 1935). The distribution of the total is
    computed exactly, by adding one passage after another (the shift
    algorithm of Streitberg and Röhmel, 1986). If that would take longer
    than sampling, with tens of thousands of questions, ``resamples`` sign vectors are drawn and
    p = (1 + hits) / (1 + resamples) (Phipson and Smyth, 2010). If no
    passage differs, p is 1.
    """
    changed = sums[sums != 0]
    if changed.size == 0:
        return SignFlip(1.0, 1.0, exact=True)
    divisor = int(np.gcd.reduce(changed))
    total = int(changed.sum()) // divisor
    # Sorted, so that even rounding does not depend on the order of passages.
    sizes = np.sort(np.abs(changed) // divisor)
    length = (int(sizes.sum()) - abs(total)) // 2 + 1
    exact = length <= EXACT_LENGTH
    tail = _exact_tail(sizes, length) if exact else _sampled_tail(sizes, total, seed, resamples)
    extreme, at_total = tail
    lower = extreme if total <= 0 else 1.0 - extreme + at_total
    two_sided = 1.0 if total == 0 else min(1.0, 2.0 * extreme)
    return SignFlip(min(1.0, lower), two_sided, exact)


def _exact_tail(sizes: Integers, length: int) -> tuple[float, float]:
    """Return P(total ≤ −|observed|) and P(total = −|observed|).

    ``mass[w]`` is the probability that the passages with a plus sum to w;
    values beyond ``length`` cannot come back and are left out.
    """
    mass = np.zeros(length)
    mass[0] = 1.0
    for size in sizes.tolist():
        half = mass * 0.5
        mass = half.copy()
        if size < length:
            mass[size:] += half[: length - size]
    return max(float(mass.sum()), SMALLEST_P), float(mass[-1])


def _sampled_tail(sizes: Integers, total: int, seed: int, resamples: int) -> tuple[float, float]:
    rng = generator(seed)
    below = level = 0
    for rows in _chunks(resamples, sizes.size):
        plus = rng.integers(0, 2, size=(rows, sizes.size), dtype=np.int8).astype(np.float64)
        totals = 2 * (plus @ sizes.astype(np.float64)) - float(sizes.sum())
        below += int((totals <= -abs(total)).sum())
        level += int((totals == -abs(total)).sum())
    return (1 + below) / (1 + resamples), (1 + level) / (1 + resamples)


def real_sign_flip(sums: Floats, *, seed: int, resamples: int) -> float:
    """Return the one-sided p of sign flips of real sums per passage: of a total this low.

    As `sign_flip`, for sums that are not whole numbers: all sign vectors of up to
    `ENUMERATED` passages that differ, ``resamples`` random ones of more. Never 0.
    """
    changed = sums[np.abs(sums) > ROUNDING]
    if changed.size == 0:
        return 1.0
    total = float(changed.sum()) + ROUNDING
    if changed.size <= ENUMERATED:
        totals = np.zeros(1)
        for size in np.abs(changed):
            totals = np.concatenate((totals - size, totals + size))
        return float((totals <= total).mean())
    rng = generator(seed)
    hits = 0
    for rows in _chunks(resamples, changed.size):
        signs = 2.0 * rng.integers(0, 2, size=(rows, changed.size), dtype=np.int8) - 1.0
        hits += int((signs @ np.abs(changed) <= total).sum())
    return (1 + hits) / (1 + resamples)


def generator(seed: int) -> np.random.Generator:
    """Return a random generator for any integer, also a negative one."""
    return np.random.default_rng(seed % 2**64)


def _chunks(rows: int, columns: int) -> Iterator[int]:
    step = max(1, CELLS // max(1, columns))
    for start in range(0, rows, step):
        yield min(step, rows - start)


def passage_intervals(
    sums: Floats, sizes: Floats, *, level: float, seed: int, resamples: int
) -> list[Interval]:
    """Return a two-sided interval for the mean over questions of each column.

    The tails are equal: see `passage_bounds`.
    """
    tail = (1 - level) / 2
    return passage_bounds(sums, sizes, tails=(tail, tail), seed=seed, resamples=resamples)


def passage_bounds(
    sums: Floats, sizes: Floats, *, tails: tuple[float, float], seed: int, resamples: int
) -> list[Interval]:
    """Return a lower and an upper bound for the mean over questions of each column.

    ``sums`` is passages × columns, ``sizes`` the same or passages × 1, ``tails`` the
    probabilities (0 to 0.5) that the truth is below the lower and above the upper bound.
    Passages are drawn with replacement and the ratio of sums to sizes is
    calculated: a percentile bootstrap of
    ``resamples`` draws (common to all columns), with the percentiles moved outwards as
    required by Student's t with passages − 1 degrees of freedom, because the
    plain interval is too short with few passages (Hesterberg, "What Teachers Should
    Know About the Bootstrap", 2015, "expanded percentiles"). One passage has
    no spread: the interval is undefined.
    """
    count, columns = sums.shape
    if count < 2:
        return [UNDEFINED] * columns
    means = np.concatenate(list(_resampled_means(sums, sizes, seed, resamples)))
    below, above = (expanded_tail(count, tail) for tail in tails)
    low, high = np.quantile(means, (below, 1 - above), axis=0)
    return [Interval(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def _resampled_means(sums: Floats, sizes: Floats, seed: int, resamples: int) -> Iterator[Floats]:
    rng = generator(seed)
    count = len(sums)
    for rows in _chunks(resamples, count):
        drawn = rng.integers(0, count, size=(rows, count))
        drawn += np.arange(0, rows * count, count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        weights = times.astype(np.float64)
        yield (weights @ sums) / (weights @ sizes)


def expanded_tail(count: int, tail: float) -> float:
    """Return the percentile (0 to 0.5) of a bound with this tail over ``count`` passages."""
    from scipy import stats

    quantile = stats.t.isf(tail, count - 1) * math.sqrt(count / (count - 1))
    return float(stats.norm.sf(quantile))


def subset_bound(sums: Floats, sizes: Floats, tail: float, *, seed: int, resamples: int) -> float:
    """Return an upper bound of the mean that is below 0 wherever the sign flips find a loss.

    A sign flip of the sums minus δ times the sizes, over a set of passages, reaches the
    observed total where the mean of that set is at least δ. So the upper end of all
    δ that the test does not reject is a quantile of the means of random sets of passages
    (Hartigan, "Using Subsample Values as Typical Values", 1969). ``sums`` and
    ``sizes`` have one value a passage; ``tail`` is the level of the test. It is for
    a test that is significant: the sampled quantile is then moved below 0.
    """
    rng = generator(seed)
    means: list[Floats] = []
    for rows in _chunks(resamples, sums.size):
        chosen = rng.integers(0, 2, size=(rows, sums.size), dtype=np.int8).astype(np.float64)
        totals = chosen @ sizes
        means.append((chosen @ sums)[totals > 0] / totals[totals > 0])
    found = np.sort(np.concatenate(means))[::-1]
    # An empty set never rejects; where sampling leaves 0 inside, take the first value below it.
    place = max(math.ceil(tail * resamples) - (resamples - found.size), int((found >= 0).sum()))
    return float(found[min(place, found.size - 1)])


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by Holm (1979); NaN stays NaN and does not count as a test."""
    p = np.array(p_values, dtype=np.float64)
    adjusted = np.full(p.size, math.nan)
    defined = np.flatnonzero(~np.isnan(p))
    order = defined[np.argsort(p[defined], kind="stable")]
    steps = np.arange(order.size, 0, -1) * p[order]
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]
