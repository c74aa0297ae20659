"""Prove the gate by simulation and write the tables of docs/statistics.md.

Every run goes through the code that users run: quality_evidence, rank_tests,
decide. Everything is seeded; two calls write the same tables.

    python tests/benchmarks/calibrate.py [--runs 2000] [--workers 2] [--out docs]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from calibrate_gate import sections as gate_sections
from calibrate_likelihood import sections as likelihood_sections
from picture import draw
from scipy import stats
from worlds import PER_PASSAGE, World

from pytest_raq.config import GateSettings
from pytest_raq.gate import GateInput, decide
from pytest_raq.gate.comparison import plan_of
from pytest_raq.records import Decision
from pytest_raq.stats.power import detectable_effect
from pytest_raq.stats.quality import quality_evidence
from pytest_raq.stats.ranks import rank_tests
from pytest_raq.stats.resampling import passage_intervals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_raq.records import RankTests, Verdict

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"
RESAMPLES = 1_000
SETTINGS = GateSettings()
ALPHA = SETTINGS.alpha
PLAN = replace(plan_of(SETTINGS, seed=0), power=None, resamples=RESAMPLES)

DESIGNS = tuple(product((60, 200), (3, 5)))
"""Questions and models."""


def verdicts(world: World, rng: np.random.Generator) -> list[Verdict]:
    """Return the verdicts of one simulated run, the first model first."""
    found = quality_evidence(
        world.preferences(rng),
        world.clusters,
        PLAN,
    )
    count = world.questions
    return [
        decide(GateInput(name, count, count, count, quality=quality), SETTINGS)
        for name, quality in found.items()
    ]


def alarms(world: World, runs: int) -> tuple[float, float]:
    """Return the shares of runs with a regression, and of models that pass."""
    rng = np.random.default_rng(10)
    found = [[item.decision for item in verdicts(world, rng)] for _ in range(runs)]
    passed = sum(row.count(Decision.PASS) for row in found)
    red = {Decision.REGRESSION, Decision.SUSPECT}
    return _share(bool(red.intersection(row)) for row in found), passed / runs / world.models


def rank_alarms(world: World, runs: int) -> tuple[float, ...]:
    """Return the shares of runs in which each test separates two equal models."""
    rng = np.random.default_rng(11)
    found = [
        rank_tests(
            world.rankings(rng), world.clusters, [f"m{i}" for i in range(world.models)], resamples=1
        )
        for _ in range(runs)
    ]
    return tuple(
        _share(_separates(getattr(tests, name), tests) for tests in found)
        for name in ("dunn_holm", "conover_holm", "permutation_holm")
    )


def _separates(table: dict[str, dict[str, float]], tests: RankTests) -> bool:
    return any(table[a][b] <= ALPHA for a, b in combinations(tests.models, 2))


def power(world: World, runs: int) -> tuple[float, Counter[Decision]]:
    """Return the loss that planning names and the verdicts on a model that has it."""
    effect = detectable_effect(
        world.questions,
        world.passages,
        world.spread,
        alpha=ALPHA,
        models=world.models,
        min_effect=SETTINGS.min_effect,
    )
    lossy = world.losing(effect)
    rng = np.random.default_rng(12)
    return effect, Counter(verdicts(lossy, rng)[0].decision for _ in range(runs))


def coverage(world: World, runs: int) -> tuple[float, float, float, float]:
    """Return the shares of intervals that hold the truth, plain and expanded, and lie above it.

    The last figure is the mean width of the expanded one.
    """
    rng = np.random.default_rng(13)
    single = replace(world, models=1)
    sizes = np.full((world.passages, 1), float(PER_PASSAGE))
    levels = (plain_level(world.passages), 1 - ALPHA)
    bounds = np.zeros((runs, 2, 2))
    for run in range(runs):
        today, before = single.grades(rng)
        sums = np.sign(today - before).reshape(-1, PER_PASSAGE).sum(axis=1)[:, None]
        for kind, level in enumerate(levels):
            (found,) = passage_intervals(sums, sizes, level=level, seed=0, resamples=RESAMPLES)
            bounds[run, kind] = found.low, found.high
    low, high = np.moveaxis(bounds, 2, 0) + np.array([-1e-9, 1e-9])[:, None, None]
    holds = ((low <= single.net_preference) & (single.net_preference <= high)).mean(axis=0)
    above = float((low[:, 1] > single.net_preference).mean())
    return float(holds[0]), float(holds[1]), above, float((high - low)[:, 1].mean())


def plain_level(passages: int) -> float:
    """Return the level at which the expanded percentiles are the plain ones of 1 − alpha."""
    quantile = stats.norm.isf(ALPHA / 2) * ((passages - 1) / passages) ** 0.5
    return float(1 - 2 * stats.t.sf(quantile, passages - 1))


def _share(hits: Iterable[bool]) -> float:
    listed = list(hits)
    return sum(listed) / len(listed)


Row = tuple[str, ...]


def alarm_row(runs: int, case: tuple[int, int, float, float, float]) -> Row:
    questions, models, correlation, grade, kept = case
    world = World(models, questions, correlation, kept, grade)
    alarm, passed = alarms(world, runs)
    return (*_design(world), _percent(alarm), _percent(passed))


def rank_row(runs: int, case: tuple[int, int, float]) -> Row:
    questions, models, correlation = case
    world = World(models, questions, correlation)
    shares = rank_alarms(world, runs)
    design = (str(questions), str(models), f"{correlation:g}")
    return (*design, *(_percent(share) for share in shares))


def power_row(runs: int, case: tuple[int, int, float, float, float]) -> Row:
    questions, models, correlation, grade, kept = case
    world = World(models, questions, correlation, kept, grade)
    effect, found = power(world, runs)
    shares = [
        _percent(found[item] / runs)
        for item in (Decision.REGRESSION, Decision.INCONCLUSIVE, Decision.PASS)
    ]
    return (*_design(world), f"{effect:.2f}", *shares)


def coverage_row(runs: int, case: tuple[int, float, float]) -> Row:
    questions, kept, loss = case
    world = World(1, questions, kept=kept, loss=loss)
    *shares, width = coverage(world, runs)
    truth = f"{world.net_preference:.2f}".replace("-", "−")
    changed = f"{world.spread.changed:.0%}".replace("%", " %")
    return (str(questions), changed, truth, *map(_percent, shares), f"{width:.2f}")


def _design(world: World) -> Row:
    changed = f"{world.spread.changed:.0%}".replace("%", " %")
    return (str(world.questions), str(world.models), f"{world.correlation:g}", changed)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def table(header: Sequence[str], rows: Iterable[Row]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---:"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


Mapper = "Callable[[Callable[..., Row], Iterable[tuple[float, ...]]], Iterable[Row]]"

DESIGN = ("questions", "models", "correlation", "changed")
CHANGES = ((0.0, 1.0, 0.0), (0.3, 1.0, 0.0), (0.3, 2.0, 0.0), (0.3, 1.0, 0.8))
"""Correlation of latent quality within passages, width of a grade, share of answers kept."""

ALARM_CASES = [(*size, *change) for size in DESIGNS for change in CHANGES]
POWER_CASES = [(*size, *change) for size in DESIGNS for change in CHANGES if change[-1] == 0]
"""Where most answers are kept, no loss as large as the ones planned for is possible."""

RANK_CASES = [(*size, correlation) for size in DESIGNS for correlation in (0.0, 0.3)]
INTERVAL_CASES = [
    (questions, kept, loss)
    for questions in (60, 100, 200)
    for kept, loss in ((0.0, 0.0), (0.0, 0.5), (0.8, 0.0), (0.8, 1.0))
]


NO_CHANGE = (
    "No change: how often the gate raises a false alarm (any model called a regression or suspect),"
    " and how many models pass; the others are inconclusive"
)
NO_DIFFERENCE = "No difference between models: how often a test of ranks sees one"
WORSE = "One model is worse by the loss that planning names for 80 %: the verdict of the gate"
INTERVALS = (
    "Intervals, correlation 0.3: how often they contain the true net preference (95 % wanted), the"
    " plain percentile bootstrap next to ours, and how often ours lie above it (2.5 % wanted; where"
    " the truth is −margin, a wrong pass)"
)


def report(runs: int, mapper: Mapper) -> str:
    """Return all tables as Markdown."""
    sections = (
        (
            NO_CHANGE,
            (*DESIGN, "false alarms", "pass"),
            mapper(partial(alarm_row, runs), ALARM_CASES),
        ),
        (
            NO_DIFFERENCE,
            (*DESIGN[:3], "Dunn–Holm", "Conover–Holm", "permutation–Holm"),
            mapper(partial(rank_row, runs), RANK_CASES),
        ),
        (
            WORSE,
            (*DESIGN, "loss", "regression", "inconclusive", "pass"),
            mapper(partial(power_row, runs), POWER_CASES),
        ),
        (
            INTERVALS,
            ("questions", "changed", "truth", "plain holds it", "holds it", "above it", "width"),
            mapper(partial(coverage_row, runs), INTERVAL_CASES),
        ),
    )
    told = [
        f"**{title}.**\n\n{table(header, rows)}"
        for title, header, rows in (
            *sections,
            *gate_sections(runs, mapper),
            *likelihood_sections(runs, mapper),
        )
    ]
    return "\n\n".join((_introduction(runs), *told))


def _introduction(runs: int) -> str:
    error = 100 * 1.96 * (ALPHA * (1 - ALPHA) / runs) ** 0.5
    return (
        f"{runs:,} simulated runs a row, passages of {PER_PASSAGE} questions, settings as"
        f" shipped: alpha {ALPHA:g}, margin {SETTINGS.margin:g}, min_effect"
        f" {SETTINGS.min_effect:g}. A share of 5 % is known to ±{error:.1f} %."
        " *correlation*: of the latent quality of answers within a passage. *changed*: share of"
        " questions on which the two answers are not tied although nothing changed."
    )


def example_verdicts() -> list[tuple[str, list[Verdict]]]:
    """Return the runs that the picture shows: a model, unchanged, a bit and much worse."""
    rng = np.random.default_rng(14)
    worlds = (
        ("nothing changed", World(1, 200, kept=0.8)),
        ("slightly worse", World(1, 200, kept=0.8, loss=0.6)),
        ("clearly worse", World(1, 200, kept=0.8).losing(0.15)),
    )
    return [(name, [verdicts(world, rng)[0] for _ in range(12)]) for name, world in worlds]


def main() -> None:
    """Run the simulations and write docs/statistics.md and docs/verdicts.svg."""
    parser = argparse.ArgumentParser(description="Calibrate the gate by simulation.")
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=DOCS)
    options = parser.parse_args()
    started = time.monotonic()
    with ProcessPoolExecutor(options.workers) as pool:
        tables = report(options.runs, pool.map)
    page = options.out / "statistics.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", encoding="utf-8")
    picture = draw(example_verdicts(), margin=SETTINGS.margin)
    (options.out / "verdicts.svg").write_text(picture, encoding="utf-8")
    sys.stdout.write(f"{tables}\n\nwritten to {page} in {time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main()
