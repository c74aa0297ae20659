"""Simulated runs for what a gate must survive: rare losses, erring judges, many small steps.

Each returns s_i by question, or what makes them; everything is seeded by the generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """The questions of a run; each s_i is the draw of its passage with probability √correlation."""

    questions: int
    per_passage: int
    correlation: float = 0.3

    @cached_property
    def clusters(self) -> dict[str, str]:
        return {f"q{i:06}": f"p{i // self.per_passage:06}" for i in range(self.questions)}

    def uniform(self, rng: np.random.Generator) -> Floats:
        """Return one uniform number a question, correlated within passages."""
        passages = -(-self.questions // self.per_passage)
        shape = (passages, self.per_passage)
        copied = rng.random(shape) < math.sqrt(self.correlation)
        mixed = np.where(copied, rng.random((passages, 1)), rng.random(shape))
        return mixed.ravel()[: self.questions]

    def signs(self, worse: float, better: float, rng: np.random.Generator) -> Integers:
        """Return s_i with these shares of worse and better answers."""
        drawn = self.uniform(rng)
        return (drawn > 1 - better).astype(np.int64) - (drawn < worse)

    def named(self, values: Integers) -> dict[str, int]:
        return dict(zip(self.clusters, values.tolist(), strict=True))


def misjudged(signs: Integers, accuracy: float, rng: np.random.Generator) -> Integers:
    """Return s_i of a judge that reverses a share 1 − ``accuracy`` of the pairs that differ."""
    return np.where(rng.random(signs.size) < accuracy, signs, -signs)


def step(grades: Integers, design: Design, changed: float, loss: float,
         rng: np.random.Generator) -> Integers:  # fmt: skip
    """Return the grades after an upgrade: a share ``changed`` moves, ``loss`` more down than up."""
    return grades + design.signs((changed + loss) / 2, (changed - loss) / 2, rng)
