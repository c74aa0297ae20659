"""Planning: the loss that a run can find, and the number of questions for a loss."""

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
"""Correlation within passages if a run says too little about it; a conservative value."""

ENOUGH_CHANGES = 10
"""Minimum number of changed questions to estimate a correlation instead of assuming it."""

MOST_QUESTIONS = 1_000_000

SIMULATIONS = 1_000
"""Number of simulated runs: a power of 80 % is known to ±2.5 %."""

SIMULATED_PASSAGES = 150
SIMULATED_QUESTIONS = 3_000
"""Maximum sizes for which power is simulated; above, Student's t is as good."""

PRECISION = 1e-4
"""Precision of a detectable effect."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How much preferences vary without any real difference.

    ``changed`` is the share of questions (0 to 1) on which one answer is
    preferred, ``correlation`` that of s_i within a passage (0 to 1).
    """

    changed: float
    correlation: float = DEFAULT_CORRELATION

    def __post_init__(self) -> None:
        """Refuse values that are not shares."""
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
    return Spread(
        changed / values.size, intraclass_correlation(values, table.sums[:, 0], table.sizes)
    )


def intraclass_correlation(
    values: NDArray[np.float64],
    sums: NDArray[np.float64],
    sizes: NDArray[np.float64],
) -> float:
    """Return the correlation (0 to 1) within passages of ``values``, one a question.

    ``sums`` and ``sizes`` have one value a passage. `DEFAULT_CORRELATION` where the values do
    not tell it: of one passage, of passages of one question, and without any variance.
    """
    count, passages = values.size, sizes.size
    if passages < 2 or passages == count:
        return DEFAULT_CORRELATION
    means = sums / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (passages - 1)
    within = float((values**2).sum() - (sizes * means**2).sum()) / (count - passages)
    size = (count - float((sizes**2).sum()) / count) / (passages - 1)
    total = between + (size - 1) * within
    return DEFAULT_CORRELATION if total <= 0 else min(1.0, max(0.0, (between - within) / total))


@dataclass(frozen=True, slots=True)
class _Design:
    """A future run: ``level`` is the one-sided p that one model must reach."""

    questions: int
    passages: int
    spread: Spread
    level: float
    min_effect: float

    @property
    def hopeless(self) -> bool:
        """Whether even a loss in every passage is not significant."""
        too_few = self.passages < 2 or self.questions < self.passages
        return too_few or 0.5**self.passages > self.level

    def power(self) -> Callable[[float], float]:
        """Return the share of runs that find a loss, as a function of the loss."""
        if not is_simulated(self.questions, self.passages):
            return self._approximate
        simulation = Simulation(self.questions, self.passages, self.spread)
        return lambda loss: simulation.found(loss, self.level, self.min_effect)

    def _approximate(self, loss: float) -> float:
        from scipy import stats

        worse, better = _shares(loss, self.spread.changed)
        design_effect = 1 + (self.questions / self.passages - 1) * self.spread.correlation
        error = math.sqrt(max(worse + better - loss**2, 1e-12) * design_effect / self.questions)
        critical = float(stats.t.ppf(1 - self.level, self.passages - 1))
        limit = max(critical, self.min_effect / error)
        return float(stats.t.sf(limit - loss / error, self.passages - 1))


def is_simulated(questions: int, passages: int) -> bool:
    """Whether runs of this size are simulated; for larger ones, an approximation is as good."""
    return passages <= SIMULATED_PASSAGES and questions <= SIMULATED_QUESTIONS


def _shares(loss: float, changed: float) -> tuple[float, float]:
    """Return the shares of questions worse and better at a loss.

    Davidson's model of comparisons with ties (1970): worse : tied : better =
    λ : t : 1/λ, with t from the share that is tied without a loss.
    """
    if loss >= 1:
        return 1.0, 0.0
    level = 2 * (1 - changed) / max(changed, 1e-9)
    root = math.sqrt((loss * level) ** 2 + 4 * (1 - loss**2))
    odds = (loss * level + root) / (2 * (1 - loss))
    total = odds + level + 1 / odds
    return odds / total, 1 / odds / total


class Simulation:
    """Simulated runs of a size and spread, the same random numbers for every loss.

    Each s_i is, with probability √correlation, the common draw of its passage,
    else an independent draw: two questions of a passage then have the
    requested correlation, whatever the shares.
    """

    def __init__(self, questions: int, passages: int, spread: Spread) -> None:
        rng = np.random.default_rng(0)
        self.starts = np.arange(passages) * questions // passages
        self.sizes = np.diff([*self.starts.tolist(), questions])
        own = rng.random((SIMULATIONS, questions))
        copies = rng.random(own.shape) < math.sqrt(spread.correlation)
        common = rng.random((SIMULATIONS, passages))
        self._draws = np.where(copies, np.repeat(common, self.sizes, axis=1), own)
        self._changed = spread.changed

    def signs(self, loss: float) -> NDArray[np.int64]:
        """Return s_i, runs × questions, at a net preference lost (0 to 1)."""
        worse, better = _shares(loss, self._changed)
        return (self._draws > 1 - better).astype(np.int64) - (self._draws < worse)

    def found(self, loss: float, level: float, min_effect: float) -> float:
        """Return the share of runs in which the loss is significant and beyond min_effect."""
        signs = self.signs(loss)
        sums = np.add.reduceat(signs, self.starts, axis=1)
        far = sums.sum(axis=1) <= 1e-9 - min_effect * signs.shape[1]
        return float((far & (sign_flip_tails(sums) <= level + 1e-12)).mean())


def sign_flip_tails(sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the exact one-sided p of many sign-flip tests, sums: tests × passages.

    By Fourier inversion (Pagano and Tritchler, 1983): the total of the sums
    turned to plus has the characteristic function Π (1 + exp(iθ|a|)) / 2.
    """
    sizes = np.abs(sums)
    totals = sizes.sum(axis=1)
    length = int(totals.max()) + 1
    most = int(sizes.max())
    offsets = np.arange(len(sizes))[:, None] * (most + 1)
    counts = np.bincount((sizes + offsets).ravel(), minlength=len(sizes) * (most + 1))
    counts = counts.reshape(len(sizes), most + 1).astype(np.float64)
    angles = np.pi * np.arange(length // 2 + 1) / length
    cosines = np.cos(np.outer(np.arange(most + 1), angles))
    logs = counts @ np.log(np.maximum(np.abs(cosines), 1e-300))
    odd = (counts @ (cosines < 0)) % 2
    transform = (1 - 2 * odd) * np.exp(logs) * np.exp(-1j * np.outer(totals, angles))
    tails = np.cumsum(np.fft.irfft(transform, length, axis=1), axis=1)
    reached = (sums.sum(axis=1) + totals) // 2
    return np.clip(np.take_along_axis(tails, reached[:, None], axis=1)[:, 0], 0.0, 1.0)


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

    "Finds" means: reports a regression in the share ``power`` of runs, at
    ``alpha`` / ``models``, the first step of Holm, and beyond ``min_effect``.
    The test itself is simulated, with fixed random numbers; for large runs
    its power is that of Student's t with the design effect of clusters (Kish,
    1965). NaN if no loss can be found, e.g. with four passages, where the
    smallest p of a sign-flip test is 1/16.
    """
    design = _Design(questions, passages, spread, alpha / max(1, models), min_effect)
    if design.hopeless:
        return math.nan
    share = design.power()
    low, high = 0.0, 1.0
    if share(high) < power:
        return math.nan
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if share(middle) >= power else (middle, high)
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
    """Return the number of questions, ``per_passage`` per passage, that find a loss ``effect``.

    "Find" as in `detectable_effect`. Raises UsageError if no number does: for an
    effect outside 0–1 or within ``min_effect``.
    """
    if not min_effect < effect <= 1:
        raise UsageError(
            f"a loss of {effect:g} is never found: give a loss above min_effect"
            f" ({min_effect:g}) and up to 1"
        )
    if per_passage < 1:
        raise UsageError(f"{per_passage:g} questions per passage: give 1 or more")

    def enough(passages: int) -> bool:
        questions = round(passages * per_passage)
        design = _Design(questions, passages, spread, alpha / max(1, models), min_effect)
        return not design.hopeless and design.power()(effect) >= power

    return round(_fewest(enough, int(MOST_QUESTIONS / per_passage), effect) * per_passage)


def _fewest(enough: Callable[[int], bool], most: int, effect: float) -> int:
    """Return the smallest sufficient number of passages, by doubling and bisecting."""
    high = 2
    while not enough(high):
        high *= 2
        if high > most:
            raise UsageError(
                f"a loss of {effect:g} needs more than {MOST_QUESTIONS:,} questions:"
                " give a larger loss"
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
