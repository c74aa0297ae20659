"""Bounds and a test for few changes, where resampling passages sees too little.

If one question of a hundred changed, most resamples are like the run, and a bootstrap takes the
few changes for all that there are. These bounds count questions instead, and so need a
correlation within passages: `DEFAULT_CORRELATION` or more, because few changes do not tell it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.stats.power import DEFAULT_CORRELATION, intraclass_correlation

if TYPE_CHECKING:
    from numpy.typing import NDArray


def effective_number(
    questions: float, passages: float, correlation: float = DEFAULT_CORRELATION
) -> float:
    """Return how many independent questions say as much as these (Kish, "Survey Sampling", 1965).

    The design effect is 1 + (questions / passages − 1) · correlation.
    """
    return questions / (1 + (questions / passages - 1) * correlation)


def share_bound(count: float, number: float, tail: float) -> float:
    """Return the exact upper bound of a share: ``count`` of ``number`` (Clopper, Pearson, 1934).

    Both may be fractions, as effective numbers are. ``tail`` is the probability
    (0 to 1) that the true share is larger.
    """
    from scipy import stats

    if count >= number:
        return 1.0
    return float(stats.beta.isf(tail, count + 1, number - count))


def exact_bounds(
    signs: NDArray[np.float64], rows: NDArray[np.int64], *, tails: tuple[float, float]
) -> tuple[float, float]:
    """Return bounds of the net preference of a run that counts of questions allow.

    ``signs`` are the s_i, ``rows`` the passage of each question as a number from 0. The
    lower bound is the share of better answers minus the exact upper bound of the
    share of worse ones, the upper one the opposite. The correlation within passages is that
    of the run, but at least `DEFAULT_CORRELATION`. ``tails`` as in
    `pytest_raq.stats.resampling.passage_bounds`.
    """
    worse, worse_number = _share(signs < 0, rows)
    better, better_number = _share(signs > 0, rows)
    below, above = tails
    low = better - share_bound(worse * worse_number, worse_number, below)
    high = share_bound(better * better_number, better_number, above) - worse
    return low, high


def _share(changed: NDArray[np.bool_], rows: NDArray[np.int64]) -> tuple[float, float]:
    """Return the share of changed questions, and the effective number of all."""
    values = changed.astype(np.float64)
    sizes = np.bincount(rows).astype(np.float64)
    found = DEFAULT_CORRELATION
    if values.sum() > 1:
        found = max(
            found,
            intraclass_correlation(values, np.bincount(rows, values).astype(np.float64), sizes),
        )
    return float(values.mean()), effective_number(values.size, sizes.size, found)


def sparse_p(worse: int, better: int, moved_passages: int) -> float:
    """Return the one-sided p of a sign test over the questions that changed.

    The changed questions count as `effective_number` independent ones of the passages in
    which they are; each is worse with probability 1/2 if nothing changed. It is for
    runs in which too few passages changed for a test by passages. 1 if nothing changed.
    """
    from scipy import stats

    changed = worse + better
    if changed == 0:
        return 1.0
    number = effective_number(changed, moved_passages)
    lost = worse / changed * number
    return 1.0 if lost <= 0 else float(stats.beta.cdf(0.5, lost, number - lost + 1))


def smallest_p(moved_passages: int) -> float:
    """Return the smallest p that sign flips of so many passages can give."""
    return math.ldexp(1.0, -moved_passages)
