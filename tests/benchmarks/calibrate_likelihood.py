"""The tables of docs/statistics.md on answers and likelihood together.

The differences of bits per byte have heavy tails (Student's t with 3 degrees of
freedom, as those of real models do) and are correlated within passages.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from calibrate_gate import percent
from worlds import PER_PASSAGE, World

from pytest_raq.config import GateSettings
from pytest_raq.gate import GateInput, decide
from pytest_raq.gate.comparison import plan_of
from pytest_raq.gate.likelihood import TruthEvidence, combine, is_beyond
from pytest_raq.records import Decision
from pytest_raq.stats.likelihood import likelihood_evidence
from pytest_raq.stats.quality import quality_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_raq.records import LikelihoodEvidence, Verdict

    Row = tuple[str, ...]

SETTINGS = GateSettings()
PLAN = plan_of(SETTINGS, seed=0)
RESAMPLES = 1_000
SPREAD = 0.15
"""Bits per byte: the spread of one question's difference between two files of a model."""
FREEDOM = 3
CORRELATION = 0.3
SIZES = (30, 60, 200)


@dataclass(frozen=True)
class Truth:
    """What was really lost: bits per byte, and net preference."""

    name: str
    bits: float
    net: float


CASES = (
    Truth("nothing", 0.0, 0.0),
    Truth("likelihood alone (temperature)", 0.10, 0.0),
    Truth("both, by the margins", SETTINGS.likelihood_margin, SETTINGS.margin),
    Truth("both, by twice the margins", 2 * SETTINGS.likelihood_margin, 2 * SETTINGS.margin),
    Truth("answers alone (stop string)", 0.0, SETTINGS.margin),
)


def differences(world: World, lost: float, rng: np.random.Generator) -> dict[str, float]:
    """Return today's bits per byte minus the accepted ones, by question."""
    passages = world.passages
    common = rng.standard_t(FREEDOM, size=(passages, 1))
    own = rng.standard_t(FREEDOM, size=(passages, PER_PASSAGE))
    mixed = math.sqrt(CORRELATION) * common + math.sqrt(1 - CORRELATION) * own
    scale = SPREAD / math.sqrt(FREEDOM / (FREEDOM - 2))
    return dict(zip(world.clusters, (lost + scale * mixed).ravel().tolist(), strict=True))


def one_run(
    world: World, truth: Truth, rng: np.random.Generator
) -> tuple[Verdict, Verdict, LikelihoodEvidence]:
    """Return the verdict by answers, that with likelihood, and what likelihood found."""
    quick = replace(PLAN, power=None, resamples=RESAMPLES)
    (quality,) = quality_evidence(world.preferences(rng), world.clusters, quick).values()
    count = world.questions
    alone = decide(GateInput("m", count, count, count, quality=quality), SETTINGS)
    now = differences(world, truth.bits, rng)
    (found,) = likelihood_evidence(
        {"m": now},
        {"m": dict.fromkeys(now, 0.0)},
        world.clusters,
        level=1 - 2 * SETTINGS.pass_level,
        resamples=RESAMPLES,
    ).values()
    both = combine(alone, TruthEvidence(found), SETTINGS, expected=count)
    return alone, both, found


def row(runs: int, case: tuple[int, int]) -> Row:
    """Return how often runs of a size pass, are red, and are doubted."""
    questions, place = case
    truth = CASES[place]
    world = World(1, questions, correlation=CORRELATION)
    world = world.losing(truth.net) if truth.net else world
    rng = np.random.default_rng(40)
    found = [one_run(world, truth, rng) for _ in range(runs)]
    alone = Counter(verdict.decision for verdict, _, _ in found)
    both = Counter(verdict.decision for _, verdict, _ in found)
    doubted = sum(is_beyond(evidence, SETTINGS) for _, _, evidence in found)
    return (
        truth.name,
        str(questions),
        percent(alone[Decision.PASS] / runs),
        percent(both[Decision.PASS] / runs),
        percent((both[Decision.REGRESSION] + both[Decision.SUSPECT]) / runs),
        percent(doubted / runs),
    )


TITLE = (
    "Answers and likelihood together (one model, correlation 0.3, all answers new; differences of"
    f" likelihood with heavy tails and a spread of {SPREAD:g} bits per byte): passes by answers"
    " alone and with likelihood, red verdicts, and how often likelihood raises doubt"
)
HEADER = ("lost", "questions", "pass, answers", "pass, both", "red", "doubt")


def sections(
    runs: int, mapper: Callable[[Callable[..., Row], Iterable[tuple[int, int]]], Iterable[Row]]
) -> Iterator[tuple[str, tuple[str, ...], Iterable[Row]]]:
    """Yield the tables: title, header, rows."""
    cases = [(questions, place) for place in range(len(CASES)) for questions in SIZES]
    yield TITLE, HEADER, mapper(partial(row, runs), cases)


if __name__ == "__main__":
    for _, _, rows in sections(400, map):
        for each in rows:
            print("|", " | ".join(each), "|")
