"""Measure history: 1,000 runs × 5 models, and how often an unchanged history names a change.

.venv/bin/python tests/benchmarks/bench_history.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from histories import figures, provenance, run  # noqa: E402 - lies beside this folder

from pytest_raq.stats.changepoints import ALPHA, find_level_changes  # noqa: E402
from pytest_raq.store import Store  # noqa: E402

RUNS, MODELS = 1_000, tuple(f"model-{number}" for number in range(5))
SERIES = 30
"""Five models with six figures share one level."""
ROUNDS = 5
_RAQ = "import sys; from pytest_raq.cli import main; sys.exit(main())"
REPEATS = 1_000

Floats = NDArray[np.float64]
Series = Callable[[np.random.Generator, int], Floats]


def make_store(path: Path) -> None:
    """Keep runs with noise, a slower engine, a loss of F1, another machine, two baselines."""
    rng = np.random.default_rng(0)
    with Store(path) as store:
        for number in range(RUNS):
            slow = 0.88 if number >= 700 else 1.0
            given = [
                figures(
                    name,
                    mean_rank=2 + 0.2 * place + 0.02 * rng.normal(),
                    f1=0.8 - (0.03 if place == 1 and number >= 500 else 0),
                    words_per_second=50 * slow * (1 + 0.01 * rng.normal()),
                    decode_tokens_per_second=400 * slow * (1 + 0.01 * rng.normal()),
                    probe_decode_tokens_per_second=420 * slow * (1 + 0.01 * rng.normal()),
                )
                for place, name in enumerate(MODELS)
            ]
            told = provenance(
                MODELS,
                build="0.3.36" if number >= 700 else "0.3.35",
                machine={"processor": "new" if number >= 200 else "old"},
            )
            store.runs.put(run(number, *given, provenance=told, accepted=number in {0, 550}))


def measure_commands() -> None:
    """Print how long the commands take, and how large the page is."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store.db"
        make_store(store)
        page, table = Path(folder) / "page.html", Path(folder) / "table.csv"
        for name, more in (
            ("history", []),
            ("history --html", ["--html", str(page)]),
            ("history export", ["export", "--out", str(table)]),
        ):
            seconds = []
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                command = [sys.executable, "-c", _RAQ, "history", *more]
                subprocess.run([*command, "--store", str(store)], check=True, capture_output=True)
                seconds.append(time.perf_counter() - begun)
            print(f"raq {name}, {RUNS} runs × {len(MODELS)} models: {median(seconds):.2f} s")
        print(f"page: {page.stat().st_size / 1e6:.2f} MB")


def steady(rng: np.random.Generator, size: int) -> Floats:
    """Return a level with 2 % of normal noise."""
    return rng.normal(100.0, 2.0, size)


def heavy(rng: np.random.Generator, size: int) -> Floats:
    """Return a level with heavy tails: Student's t with three degrees of freedom."""
    return 100.0 + 1.2 * rng.standard_t(3, size)


def odd_runs(rng: np.random.Generator, size: int) -> Floats:
    """Return a level without noise, but for one run in twenty."""
    return 100.0 - 30.0 * (rng.random(size) < 0.05)


def correlated(rng: np.random.Generator, size: int) -> Floats:
    """Return noise in which each run is like the one before: correlation 0.3."""
    noise = rng.normal(size=size + 20)
    for place in range(1, len(noise)):
        noise[place] += 0.3 * noise[place - 1]
    return 100.0 + 2.0 * noise[20:]


def measure_alarms() -> None:
    """Print the share of unchanged series in which a change is found, and of real ones found."""
    for make in (steady, heavy, odd_runs, correlated):
        for size in (10, 40, 200):
            plain = _share(make, size, ALPHA, 0.0)
            named = _share(make, size, ALPHA, 0.03)
            print(f"unchanged, {make.__name__}, {size} runs: {plain:.3f}, named {named:.3f}")
    for before in (10, 20, 40):
        for after in (3, 4, 5, 8):
            for loss in (0.05, 0.12):
                found = _share(_step(before, loss), before + after, ALPHA / SERIES, 0.03, 300)
                print(f"{100 * loss:.0f} % slower for {after} after {before}: {found:.2f}")


def _step(before: int, loss: float) -> Series:
    def make(rng: np.random.Generator, size: int) -> Floats:
        values = rng.normal(100.0, 1.5, size)
        values[before:] *= 1 - loss
        return values

    return make


def _share(make: Series, size: int, alpha: float, smallest: float, repeats: int = REPEATS) -> float:
    rng = np.random.default_rng(1)
    found = [
        find_level_changes(
            make(rng, size), smallest=smallest, relative=True, alpha=alpha, seed=seed
        )
        for seed in range(repeats)
    ]
    return sum(map(bool, found)) / repeats


def main(arguments: list[str]) -> None:
    """Measure the commands; with ``alarms``, which takes minutes, the tests too."""
    measure_commands()
    if "alarms" in arguments:
        measure_alarms()


if __name__ == "__main__":
    main(sys.argv[1:])
