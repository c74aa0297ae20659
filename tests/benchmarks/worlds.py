"""Simulated answers: what the gate is calibrated on.

The latent quality of an answer is √r · (what the passage does to the model) +
√(1 − r) · (what the question does), both standard normal, r the correlation
within passages. It is cut into grades, so that answers of one grade are level,
and a share of today's answers is the accepted answer again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.records import Ranking
from pytest_raq.stats.power import Spread, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PER_PASSAGE = 5
LARGE = 200_000


@dataclass(frozen=True)
class World:
    """One way the answers can come about; ``loss`` lowers today's answers of the first model."""

    models: int = 3
    questions: int = 60
    correlation: float = 0.3
    kept: float = 0.0
    grade: float = 1.0
    loss: float = 0.0

    @property
    def passages(self) -> int:
        return self.questions // PER_PASSAGE

    @cached_property
    def clusters(self) -> dict[str, str]:
        return {f"q{i:06}": f"p{i // PER_PASSAGE:06}" for i in range(self.questions)}

    def grades(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return the grades of today's and the accepted answers, models × questions."""
        today, before = self._latent(rng), self._latent(rng)
        today[0] -= self.loss
        same = rng.random(today.shape) < self.kept
        today = np.where(same, before, today)
        # Half a grade up, so that the middle of the distribution is the middle of a grade.
        return np.floor(today / self.grade + 0.5), np.floor(before / self.grade + 0.5)

    def _latent(self, rng: np.random.Generator) -> Floats:
        shape = (self.models, self.passages)
        passage = rng.normal(size=(*shape, 1))
        question = rng.normal(size=(*shape, PER_PASSAGE))
        mixed = math.sqrt(self.correlation) * passage + math.sqrt(1 - self.correlation) * question
        return mixed.reshape(self.models, self.questions)

    def preferences(self, rng: np.random.Generator) -> dict[str, dict[str, int]]:
        """Return s_i of one run by model and question."""
        today, before = self.grades(rng)
        signs = np.sign(today - before).astype(int).tolist()
        return {f"m{i}": dict(zip(self.clusters, row, strict=True)) for i, row in enumerate(signs)}

    def rankings(self, rng: np.random.Generator) -> list[Ranking]:
        """Return the ranking of today's answers of one run."""
        today, _ = self.grades(rng)
        return [
            Ranking(question, {f"m{i}": -grade for i, grade in enumerate(column)})
            for question, column in zip(self.clusters, today.T.tolist(), strict=True)
        ]

    @cached_property
    def net_preference(self) -> float:
        """The true net preference of the first model, to about 0.002."""
        if self.loss == 0:
            return 0.0
        today, before = self._large.grades(np.random.default_rng(1))
        return float(np.sign(today - before).mean())

    @cached_property
    def spread(self) -> Spread:
        """The true spread of preferences without a loss."""
        unchanged = replace(self._large, loss=0.0)
        return spread(unchanged.preferences(np.random.default_rng(2))["m0"], unchanged.clusters)

    @property
    def _large(self) -> World:
        return replace(self, models=1, questions=LARGE)

    def losing(self, effect: float) -> World:
        """Return this world with the loss whose net preference is −``effect``."""
        low, high = 0.0, 8.0
        for _ in range(16):
            middle = (low + high) / 2
            enough = -replace(self, loss=middle).net_preference >= effect
            low, high = (low, middle) if enough else (middle, high)
        return replace(self, loss=high)
