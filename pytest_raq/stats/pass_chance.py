"""Planning the other error: how often a model that did not change passes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.stats.exact import effective_number
from pytest_raq.stats.power import DEFAULT_CORRELATION, Simulation, Spread, is_simulated

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pass_chance(
    questions: int,
    passages: int,
    spread: Spread,
    *,
    margin: float = 0.1,
    pass_level: float = 0.025,
) -> float:
    """Return the share of runs (0 to 1) of an unchanged model whose interval is above −``margin``.

    As many answers get better as get worse, a share ``spread.changed`` in all. Runs are
    simulated with fixed random numbers; their lower bound is the smaller of the exact one and
    of Student's t over passages, which is what the resampling approximates. Large
    runs take the normal distribution. 0 for fewer than two passages.
    """
    if passages < 2 or questions < passages:
        return 0.0
    bounds = (
        _simulated_bounds(questions, passages, spread, pass_level)
        if is_simulated(questions, passages)
        else _normal_bounds(questions, passages, spread, pass_level)
    )
    return float((bounds > 1e-9 - margin).mean())


def _simulated_bounds(
    questions: int, passages: int, spread: Spread, pass_level: float
) -> NDArray[np.float64]:
    from scipy import stats

    simulation = Simulation(questions, passages, spread)
    signs = simulation.signs(0.0)
    means = signs.mean(axis=1)
    sums = np.add.reduceat(signs, simulation.starts, axis=1)
    residuals = sums - means[:, None] * simulation.sizes
    error = np.sqrt((residuals**2).sum(axis=1) * passages / (passages - 1)) / questions
    resampled = means - stats.t.isf(pass_level, passages - 1) * error
    worse, better = (signs < 0).mean(axis=1), (signs > 0).mean(axis=1)
    exact = better - _share_bounds(
        worse, _effective_number(questions, passages, spread), pass_level
    )
    bounds: NDArray[np.float64] = np.minimum(resampled, exact)
    return bounds


def _effective_number(questions: int, passages: int, spread: Spread) -> float:
    return effective_number(questions, passages, max(DEFAULT_CORRELATION, spread.correlation))


def _share_bounds(shares: NDArray[np.float64], number: float, tail: float) -> NDArray[np.float64]:
    """Return the exact upper bounds of shares, each computed once."""
    from scipy import stats

    distinct, places = np.unique(shares, return_inverse=True)
    counts = distinct * number
    found = stats.beta.isf(tail, counts + 1, np.maximum(number - counts, 1e-9))
    bounds: NDArray[np.float64] = np.where(counts >= number, 1.0, found)
    return bounds[places]


def _normal_bounds(
    questions: int, passages: int, spread: Spread, pass_level: float
) -> NDArray[np.float64]:
    from scipy import stats

    design_effect = 1 + (questions / passages - 1) * spread.correlation
    error = math.sqrt(max(spread.changed, 1e-12) * design_effect / questions)
    middles = stats.norm.ppf((np.arange(1_000) + 0.5) / 1_000) * error
    resampled = middles - stats.t.isf(pass_level, passages - 1) * error
    worse = np.clip((spread.changed - middles) / 2, 0, 1)
    exact = (
        worse
        + middles
        - _share_bounds(worse, _effective_number(questions, passages, spread), pass_level)
    )
    return np.minimum(resampled, exact)
