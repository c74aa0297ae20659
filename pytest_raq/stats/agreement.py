"""Agreement between rankings: of judges with each other, or of a judge with known values.

Rankings are compared only within a case: a rank cannot be compared with the
rank of an answer to another question. So figures over many cases count pairs
of items of one case, or average over cases.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.records import Interval, LengthPreference, Proportion, Trend

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NAN = math.nan
LEVEL = 0.95
"""Confidence level of all intervals."""


def kendall_w(ranks: Floats) -> float:
    """Return Kendall's coefficient of concordance of mid-ranks, judges × items, 0 to 1.

    With the correction for ties (Kendall and Gibbons, "Rank Correlation
    Methods", 5th ed., 1990, 6.10). NaN for fewer than two judges or items, and
    if every judge ranks all items as tied.
    """
    judges, items = ranks.shape
    if judges < 2 or items < 2:
        return NAN
    sums = ranks.sum(axis=0)
    ties = sum(size**3 - size for row in ranks.tolist() for size in Counter(row).values())
    most = judges**2 * (items**3 - items) - judges * ties
    return 12 * float(((sums - sums.mean()) ** 2).sum()) / most if most else NAN


def krippendorff_alpha(ranks: Floats) -> float:
    """Return Krippendorff's alpha of ordinal values, judges × items; NaN is a missing value.

    Krippendorff, "Content Analysis", 4th ed., 2018, chapter 12. NaN if no
    item has two values, or if all values are equal.
    """
    import krippendorff

    paired = ranks[:, (~np.isnan(ranks)).sum(axis=0) > 1]
    values = paired[~np.isnan(paired)]
    if values.size == 0 or (values == values[0]).all():
        return NAN
    return float(krippendorff.alpha(paired, level_of_measurement="ordinal"))


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Counts of pairs of items of one case by their order in two rankings.

    ``concordant`` pairs have the same order in both, ``discordant`` pairs
    opposite orders; the others are tied in the first, in the second, or in both.
    """

    concordant: int = 0
    discordant: int = 0
    level_first: int = 0
    level_second: int = 0
    level_both: int = 0

    def __add__(self, other: PairCounts) -> PairCounts:
        return PairCounts(
            self.concordant + other.concordant,
            self.discordant + other.discordant,
            self.level_first + other.level_first,
            self.level_second + other.level_second,
            self.level_both + other.level_both,
        )

    @property
    def total(self) -> int:
        """All pairs."""
        return self.untied + self.level_first + self.level_second + self.level_both

    @property
    def untied(self) -> int:
        """Pairs that are not tied in either ranking."""
        return self.concordant + self.discordant

    @property
    def same(self) -> int:
        """Pairs with the same result (better, tied or worse) in both rankings."""
        return self.concordant + self.level_both

    @property
    def tau_b(self) -> float:
        """Kendall's tau-b (1945), −1 to 1; NaN if all pairs of a ranking are tied."""
        untied = self.untied
        product = (untied + self.level_first) * (untied + self.level_second)
        return (self.concordant - self.discordant) / math.sqrt(product) if product else NAN


def count_pairs(first: Sequence[float], second: Sequence[float]) -> PairCounts:
    """Count the pairs of items of one case, given the ranks of each item in two rankings."""
    found: Counter[str] = Counter()
    for one, other in combinations(zip(first, second, strict=True), 2):
        found[_relation(_sign(one[0], other[0]), _sign(one[1], other[1]))] += 1
    return PairCounts(**found)


def _sign(one: float, other: float) -> int:
    return (one > other) - (one < other)


def _relation(first: int, second: int) -> str:
    if first and second:
        return "concordant" if first == second else "discordant"
    if not first and not second:
        return "level_both"
    return "level_second" if first else "level_first"


def proportion(count: int, total: int) -> Proportion:
    """Return a share with its interval by Wilson (1927); undefined for a total of 0."""
    from scipy import stats

    if not total:
        return Proportion(0, 0, Interval(NAN, NAN))
    found = stats.binomtest(count, total).proportion_ci(LEVEL, method="wilson")
    return Proportion(count, total, Interval(float(found.low), float(found.high)))


Case = tuple["Sequence[float]", "Sequence[float]"]
"""The ranks of the items of one case, 1 is best, and a value of each item."""


def trend(cases: Iterable[Case]) -> Trend:
    """Return whether better ranks correlate with larger values within cases.

    The two-sided p is that of the sum of Kendall's S over cases, under
    random pairing of ranks and values within each case: by the normal
    distribution, with the exact variance for ties in both and the correction
    for continuity (Kendall and Gibbons, 1990, 4.9 and 4.13).
    """
    counts, variance = PairCounts(), 0.0
    for ranks, values in cases:
        counts += count_pairs([-rank for rank in ranks], values)
        variance += _variance(ranks, values)
    if variance <= 0:
        return Trend(NAN, NAN, counts.total)
    z = max(0, abs(counts.concordant - counts.discordant) - 1) / math.sqrt(variance)
    return Trend(counts.tau_b, math.erfc(z / math.sqrt(2)), counts.total)


def _variance(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the variance of Kendall's S under random pairing."""
    n = len(first)
    if n < 2:
        return 0.0
    t, u = list(Counter(first).values()), list(Counter(second).values())
    total = n * (n - 1) * (2 * n + 5)
    total -= sum(size * (size - 1) * (2 * size + 5) for size in (*t, *u))
    pairs = math.prod(sum(size * (size - 1) for size in sizes) for sizes in (t, u))
    triples = math.prod(sum(size * (size - 1) * (size - 2) for size in sizes) for sizes in (t, u))
    beyond = triples / (9 * n * (n - 1) * (n - 2)) if n > 2 else 0.0
    return total / 18 + beyond + pairs / (2 * n * (n - 1))


def spearman_within(cases: Iterable[Case]) -> float:
    """Return Spearman's correlation of good ranks with large values, −1 to 1, within cases.

    Both are ranked and centered within their case, so that only
    differences within a case count. NaN if one of the two never differs.
    """
    from scipy import stats

    xs, ys = [], []
    for ranks, values in cases:
        middle = (len(ranks) + 1) / 2
        xs.append(middle - stats.rankdata(ranks))
        ys.append(stats.rankdata(values) - middle)
    if not xs:
        return NAN
    x, y = np.concatenate(xs), np.concatenate(ys)
    size = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / size if size else NAN


def length_preference(signs: Iterable[int]) -> LengthPreference:
    """Count pairs with equal meaning: +1 the longer one ranked higher, 0 tied, −1 lower.

    p is two-sided, by the sign test on the pairs that are not tied.
    """
    from scipy import stats

    found = Counter(signs)
    longer, shorter = found[1], found[-1]
    decided = longer + shorter
    p_value = float(stats.binomtest(longer, decided).pvalue) if decided else NAN
    return LengthPreference(longer, shorter, found[0], p_value)
