"""The gate for speed, measured: false alarms, coverage, and slowdowns that are found.

    python tests/benchmarks/calibrate_speed.py [--runs N] [--load N] [--file GGUF] [--write]

Each run times one model in turns with itself: with an interpreter that does extra work at each
evaluation (×1.00 does none), the same file and the same build. So a ratio of 1 is true for
×1.00, and all else is as in a build: fresh processes, paired questions, looks.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Any

from slow_engine import write_slow_python

from pytest_raq.answering.prompts import question_prompt
from pytest_raq.config.loading import load_model, load_suite
from pytest_raq.datasets import load_questions
from pytest_raq.engines import open_engine
from pytest_raq.files import write_atomically
from pytest_raq.speed.timed_model import FreshModel
from pytest_raq.speed.turns import ACCEPTED, YARDSTICK, TurnProbe
from pytest_raq.speed.yardstick import yardstick_model, yardstick_prompt
from pytest_raq.stats.speed import GATED, adjust_speeds, compare_turns, is_clear

if TYPE_CHECKING:
    from pytest_raq.config import ModelDefinition

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs/statistics.md"
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
HEAD = (
    "| run | red | interval holds 1 | median ratio | pairs of processes | time |\n"
    "| :-- | --: | --: | --: | --: | --: |"
)
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
    today = model.model_copy(
        update={"name": "today", "python": str(python), "python_allowed": True}
    )
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


def yardstick_run(model: ModelDefinition) -> dict[str, float]:
    """Return the ratio of a model to the yardstick in one run, and its standard error (logs)."""
    questions = load_questions(load_suite(ROOT / "suites", "mini").dataset, ROOT / "suites")
    by_id = {question.id: question for question in questions.questions}
    prompt = lambda name: question_prompt(model, by_id[name])  # noqa: E731
    yardstick = FreshModel(yardstick_model(None, model.threads), open_engine, yardstick_prompt)
    probe = TurnProbe(
        FreshModel(model, open_engine, prompt), questions.questions, {YARDSTICK: yardstick}
    )
    try:
        probe.begin()
        for _ in range(probe.rounds):
            probe.before_round()
            probe.measure()
        probe.end()
    finally:
        probe.close()
    logs = [math.log(ratio) for ratio in probe.measurement().yardstick[GATED[0]]]
    return {"mean": fmean(logs), "error": stdev(logs) / math.sqrt(len(logs))}


def drift(runs: list[dict[str, float]]) -> str:
    """Return how much the ratio varies between runs beside its error within them."""
    total = stdev([run["mean"] for run in runs])
    within = math.sqrt(fmean([run["error"] ** 2 for run in runs]))
    between = math.sqrt(max(0.0, total**2 - within**2))
    return (
        f"{100 * between:.1f} % between runs beside {100 * within:.1f} % within ({len(runs)} runs)"
    )


def main() -> None:
    """Print a table, or write it into docs/statistics.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--unchanged", type=int, default=40)
    parser.add_argument("--load", type=int, default=0, help="computing processes beside it")
    parser.add_argument("--file", type=Path, help="a GGUF file in place of reader-llama")
    parser.add_argument("--name", default="reader-llama", help="how the table calls the model")
    parser.add_argument("--slowdowns", type=float, nargs="*", default=SLOWDOWNS)
    parser.add_argument("--where", default="", help="how the table calls the machine")
    parser.add_argument("--yardstick", type=int, default=0, help="runs against the yardstick")
    parser.add_argument("--write", action="store_true", help="write docs/statistics.md")
    options = parser.parse_args()
    model = load_model(ROOT / "models", "reader-llama")
    if options.file:
        changes = {"file": str(options.file), "sha256": None, "max_tokens": 32, "threads": None}
        model = model.model_copy(update=changes)
    where = options.where or (f"{options.load} busy processes" if options.load else "quiet")
    with tempfile.TemporaryDirectory() as folder, Load(options.load):
        for factor in options.slowdowns:
            python = write_slow_python(Path(folder) / f"{factor:.2f}", factor)
            runs = []
            for _ in range(options.unchanged if factor == 1.0 else options.runs):
                runs.append(measure(model, python, len(GATED)))
                print(".", end="", file=sys.stderr, flush=True)
            row = _row(f"{options.name}, {where}, ×{factor:.2f}", runs)
            print(f"\n{row}", flush=True)
            if options.write:
                _write(row)
        if options.yardstick:
            ratios = [yardstick_run(model) for _ in range(options.yardstick)]
            print(f"{options.name}, {where}: yardstick, {drift(ratios)}", flush=True)


def _row(label: str, runs: list[dict[str, Any]]) -> str:
    count = len(runs)
    holds = sum(run["low"] <= 1 <= run["high"] for run in runs)
    return (
        "| "
        + " | ".join(
            (
                label,
                f"{sum(run['red'] for run in runs)} of {count}",
                f"{holds} of {count}",
                f"{median(run['ratio'] for run in runs):.3f}",
                f"{fmean(run['processes'] for run in runs):.0f}",
                f"{fmean(run['seconds'] for run in runs):.0f} s",
            )
        )
        + " |"
    )


def _write(row: str) -> None:
    """Put a row into the table, in the place of an older one of the same name."""
    text = DOCS.read_text(encoding="utf-8")
    start = text.index(BEGIN) + len(BEGIN)
    end = text.index(END)
    rows = [line for line in text[start:end].split("\n") if line.startswith("| ")]
    name = row.split(" | ", maxsplit=1)[0]
    rows = [line for line in rows if line.split(" | ")[0] != name and not line.startswith("| run")]
    table = "\n".join([HEAD, *rows, row])
    write_atomically(DOCS, f"{text[:start]}\n\n{table}\n\n{text[end:]}")


if __name__ == "__main__":
    main()
