"""Prove the gate by simulation and write the tables of docs/statistics.md.

Latent quality of an answer: √ρ · (what the passage does to the model) +
√(1 − ρ) · (what the question does), both standard normal, cut into grades so
that answers of one grade are level. A share of today's answers is the accepted
answer again. Everything is seeded; two runs write the same tables.

    python tests/benchmarks/calibrate.py [--runs 2000] [--workers 2]
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scikit_posthocs
from scipy import stats

from pytest_raq.config import GateSettings
from pytest_raq.gate import GateInput, decide
from pytest_raq.records import Decision, Ranking
from pytest_raq.stats.power import Spread, detectable_effect, spread
from pytest_raq.stats.quality import quality_evidence
from pytest_raq.stats.ranks import rank_tests
from pytest_raq.stats.resampling import _resampled_means, expanded_tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from pytest_raq.records import QualityEvidence

    Floats = NDArray[np.float64]

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
PER_PASSAGE = 5
RESAMPLES = 2_000
SETTINGS = GateSettings()


@dataclass(frozen=True)
class World:
    """One way the answers can come about; ``loss`` lowers today's answers of model 0."""

    models: int = 3
    questions: int = 60
    correlation: float = 0.3
    kept: float = 0.0
    grade: float = 1.0
    loss: float = 0.0

    @property
    def passages(self) -> int:
        return self.questions // PER_PASSAGE

    @property
    def clusters(self) -> dict[str, str]:
        return {str(i): f"p{i // PER_PASSAGE:03}" for i in range(self.questions)}

    def grades(self, rng: np.random.Generator, runs: int = 1) -> tuple[Floats, Floats]:
        """Return the grades of today's and the accepted answers: runs × models × questions."""
        latent = self._latent(rng, runs), self._latent(rng, runs)
        today, before = latent
        today[:, 0] -= self.loss
        same = rng.random(today.shape) < self.kept
        today = np.where(same, before, today)
        return np.floor(today / self.grade), np.floor(before / self.grade)

    def _latent(self, rng: np.random.Generator, runs: int) -> Floats:
        shape = (runs, self.models, self.passages, 1)
        passage = rng.normal(size=shape)
        question = rng.normal(size=(*shape[:3], PER_PASSAGE))
        mixed = math.sqrt(self.correlation) * passage + math.sqrt(1 - self.correlation) * question
        return mixed.reshape(runs, self.models, self.questions)

    def preferences(self, rng: np.random.Generator) -> dict[str, dict[str, int]]:
        """Return s_i of one run by model and question."""
        today, before = self.grades(rng)
        signs = np.sign(today - before)[0].astype(int).tolist()
        return {f"m{k}": dict(zip(self.clusters, row, strict=True)) for k, row in enumerate(signs)}

    def net_preference(self) -> float:
        """Return the true net preference of model 0, to about 0.002."""
        today, before = replace(self, models=1).grades(np.random.default_rng(7), 200_000 // 60)
        return float(np.sign(today - before).mean())

    def spread(self) -> Spread:
        """Return the true spread without a loss, from a run of 100,000 questions."""
        large = replace(self, models=1, loss=0.0, questions=100_000)
        return spread(large.preferences(np.random.default_rng(8))["m0"], large.clusters)

    def with_net_loss(self, effect: float) -> World:
        """Return the world whose model 0 has this net preference lost."""
        low, high = 0.0, 8.0
        for _ in range(30):
            middle = (low + high) / 2
            enough = -replace(self, loss=middle).net_preference() >= effect
            low, high = (low, middle) if enough is False else (low, middle)
            if not enough:
                low, high = middle, high if high != middle else 8.0
        return replace(self, loss=high)


def evidence(world: World, rng: np.random.Generator) -> dict[str, QualityEvidence]:
    """Return the quality test of one simulated run."""
    return quality_evidence(
        world.preferences(rng),
        world.clusters,
        alpha=SETTINGS.alpha,
        min_effect=SETTINGS.min_effect,
        resamples=RESAMPLES,
    )
