"""Planning: which loss a run can find, and how many questions a loss needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.errors import UsageError
from pytest_raq.stats.resampling import sum_by_passage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

DEFAULT_CORRELATION = 0.3
"""Correlation within passages where a run says too little about it; a cautious value."""

ENOUGH_CHANGES = 10
"""Changed questions from which a correlation is estimated rather than assumed."""

MOST_QUESTIONS = 10_000_000


@dataclass(frozen=True, slots=True)
class Spread:
    """How much preferences vary without any real difference.

    ``changed`` is the share of questions (0 to 1) on which one answer is
    preferred, ``correlation`` that of s_i within a passage (0 to 1).
    """

    changed: float
    correlation: float = DEFAULT_CORRELATION

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        for name in ("changed", "correlation"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UsageError(f"{name} is {value}: give a share from 0 to 1")


def spread(preferences: Mapping[str, int], clusters: Mapping[str, str]) -> Spread:
    """Return the spread of one model's s_i by question id, from a run.

    The correlation is the intraclass correlation of a one-way analysis of
    variance with unequal groups (Donner, 1986), cut to 0–1; with fewer than
    ten changed questions it is `DEFAULT_CORRELATION`.
    """
    values = np.array(list(preferences.values()), dtype=np.float64)
    changed = int(np.count_nonzero(values))
    if changed < ENOUGH_CHANGES:
        return Spread(changed / max(1, values.size))
    table = sum_by_passage(list(preferences), values[:, None], clusters)
    return Spread(changed / values.size, _correlation(values, table.sums[:, 0], table.sizes))


def _correlation(
    values: NDArray[np.float64],
    sums: NDArray[np.float64],
    sizes: NDArray[np.float64],
) -> float:
    count, passages = values.size, sizes.size
    if passages < 2 or passages == count:
        return DEFAULT_CORRELATION
    means = sums / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (passages - 1)
    within = float((values**2).sum() - (sizes * means**2).sum()) / (count - passages)
    size = (count - float((sizes**2).sum()) / count) / (passages - 1)
    total = between + (size - 1) * within
    return DEFAULT_CORRELATION if total <= 0 else min(1.0, max(0.0, (between - within) / total))


def detectable_effect(
    questions: int,
    passages: int,
    spread: Spread,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    models: int = 1,
    min_effect: float = 0.0,
) -> float:
    """Return the smallest net preference lost (0 to 1) that the gate finds.

    "Finds" is: calls a regression in the share ``power`` of runs, at
    ``alpha`` / ``models``, the first step of Holm, and beyond ``min_effect``.
    NaN where no loss can be found, e.g. with four passages, where the
    smallest p of a sign-flip test is 1/16.

    The loss d solves d = max(t_{1−alpha} · se, min_effect) + t_{power} · se, both
    t with passages − 1 degrees of freedom, and
    se² = (max(changed, d) − d²) · (1 + (questions/passages − 1) · correlation)
    / questions: the variance of a mean of s_i (a loss of d changes at least
    the share d) times the design effect of clusters (Kish, 1965).
    """
    from scipy import stats

    level = alpha / max(1, models)
    if passages < 2 or questions < passages or 0.5**passages > level:
        return math.nan
    critical = float(stats.t.ppf(1 - level, passages - 1))
    extra = float(stats.t.ppf(power, passages - 1))
    design_effect = 1 + (questions / passages - 1) * spread.correlation

    def found(loss: float) -> bool:
        variance = max(spread.changed, loss) - loss**2
        error = math.sqrt(max(0.0, variance) * design_effect / questions)
        return loss >= max(critical * error, min_effect) + extra * error

    return _smallest(found)


def _smallest(found: Callable[[float], bool]) -> float:
    """Bisect for the smallest loss that is found; the answer is good to 1e-6."""
    low, high = 0.0, 1.0
    if not found(high):
        return math.nan
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def questions_needed(
    effect: float,
    per_passage: float,
    spread: Spread,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    models: int = 1,
    min_effect: float = 0.0,
) -> int:
    """Return how many questions, ``per_passage`` of them a passage, find a loss of ``effect``.

    UsageError where no number does: an effect outside 0–1 or within
    ``min_effect``.
    """
    if not min_effect < effect <= 1:
        raise UsageError(
            f"a loss of {effect:g} is never found: give one above min_effect"
            f" ({min_effect:g}) and up to 1"
        )
    if per_passage < 1:
        raise UsageError(f"{per_passage:g} questions a passage: give 1 or more")

    def enough(passages: int) -> bool:
        loss = detectable_effect(
            round(passages * per_passage), passages, spread,
            alpha=alpha, power=power, models=models, min_effect=min_effect,
        )  # fmt: skip
        return loss <= effect

    high = 2
    while not enough(high):
        high *= 2
        if high * per_passage > MOST_QUESTIONS:
            raise UsageError(
                f"a loss of {effect:g} needs more than {MOST_QUESTIONS:,} questions:"
                " give a larger one"
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return round(high * per_passage)
