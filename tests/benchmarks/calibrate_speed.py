"""The gate for speed, measured: false alarms, coverage, and slowdowns that are found.

    python tests/benchmarks/calibrate_speed.py [--runs N] [--load N] [--file GGUF] [--json FILE]

Each run times one model in turns with itself: with an interpreter that does extra work at each
evaluation (×1.00 does none), the same file and the same build. So a ratio of 1 is true for
×1.00, and all else is as in a build: fresh processes, paired questions, looks.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slow_engine import write_slow_python

from pytest_raq.answering.prompts import question_prompt
from pytest_raq.config.loading import load_model, load_suite
from pytest_raq.datasets import load_questions
from pytest_raq.engines import open_engine
from pytest_raq.files import write_atomically
from pytest_raq.speed.timed_model import FreshModel
from pytest_raq.speed.turns import ACCEPTED, TurnProbe
from pytest_raq.stats.speed import GATED, adjust_speeds, compare_turns, is_clear

if TYPE_CHECKING:
    from pytest_raq.config import ModelDefinition

ROOT = Path(__file__).parent.parent.parent
LIMIT = 0.9
LEVEL = 0.025
SLOWDOWNS = (1.0, 1.12, 1.15, 1.30)


def _spin(end: float) -> None:
    while time.time() < end:
        sum(range(1000))


class Load:
    """Two processes that compute, as another job on the same machine does."""

    def __init__(self, count: int) -> None:
        end = time.time() + 86_400
        self._jobs = [multiprocessing.Process(target=_spin, args=(end,)) for _ in range(count)]

    def __enter__(self) -> None:
        for job in self._jobs:
            job.start()

    def __exit__(self, *_exception: object) -> None:
        for job in self._jobs:
            job.kill()


def measure(model: ModelDefinition, python: Path, tests: int) -> dict[str, Any]:
    """Return the evidence of one measurement, as a build would have it."""
    questions = load_questions(load_suite(ROOT / "suites", "mini").dataset, ROOT / "suites")
    today = model.model_copy(update={"name": "today", "python": str(python)})
    accepted = today.model_copy(update={"name": "accepted", "python": None})
    by_id = {question.id: question for question in questions.questions}

    def timed(one: ModelDefinition) -> FreshModel:
        return FreshModel(one, open_engine, lambda name: question_prompt(one, by_id[name]))

    probe = TurnProbe(timed(today), questions.questions, {ACCEPTED: timed(accepted)})
    started = time.monotonic()
    try:
        probe.begin()
        for _ in range(probe.rounds):
            probe.before_round()
            probe.measure()
        probe.end()
        found = _evidence(probe)
        while not is_clear(found, LIMIT, tests=tests) and probe.more():
            found = _evidence(probe)
    finally:
        probe.close()
    found = adjust_speeds({"m": found})["m"]
    decode = found[0]
    return {
        "ratio": decode.ratio,
        "low": decode.interval.low,
        "high": decode.interval.high,
        "processes": decode.processes,
        "red": any(item.adjusted_p <= LEVEL for item in found if item.measure in GATED),
        "seconds": time.monotonic() - started,
    }


def _evidence(probe: TurnProbe) -> Any:
    measured = probe.measurement()
    return compare_turns(measured.turns, measured.samples, measured.accepted_samples, limit=LIMIT)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--unchanged", type=int, default=40)
    parser.add_argument("--load", type=int, default=0, help="computing processes beside it")
    parser.add_argument("--file", type=Path, help="a GGUF file in place of reader-llama")
    parser.add_argument("--slowdowns", type=float, nargs="*", default=SLOWDOWNS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = load_model(ROOT / "models", "reader-llama")
    if options.file:
        changes = {"file": str(options.file), "sha256": None, "max_tokens": 32, "threads": None}
        model = model.model_copy(update=changes)
    rows = {}
    with tempfile.TemporaryDirectory() as folder, Load(options.load):
        for factor in options.slowdowns:
            python = write_slow_python(Path(folder) / f"{factor:.2f}", factor)
            count = options.unchanged if factor == 1.0 else options.runs
            runs = []
            for _ in range(count):
                runs.append(measure(model, python, len(GATED)))
                print(".", end="", file=sys.stderr, flush=True)
            rows[f"{factor:.2f}"] = runs
            print(f"\n×{factor:.2f}: {_told(runs)}", flush=True)
    if options.json:
        write_atomically(options.json, json.dumps(rows))


def _told(runs: list[dict[str, Any]]) -> str:
    count = len(runs)
    middle = sorted(run["ratio"] for run in runs)[count // 2]
    return (
        f"red {sum(run['red'] for run in runs)} of {count}; interval holds 1 in"
        f" {sum(run['low'] <= 1 <= run['high'] for run in runs)}; median ratio {middle:.3f},"
        f" processes {sum(run['processes'] for run in runs) / count:.1f},"
        f" seconds {sum(run['seconds'] for run in runs) / count:.1f}"
    )


if __name__ == "__main__":
    main()
