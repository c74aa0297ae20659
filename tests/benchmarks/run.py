"""Measure pytest-raq: ratios of medians, both sides in turns in one run.

    make bench                       everything: each ``bench_*.py`` of this folder
    make bench BENCH="start scale"   some of it

No test depends on these figures; they are quoted in the documentation.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
PREFIX = "bench_"


def main(names: list[str]) -> None:
    """Run the benchmarks of those names, all without any."""
    known = sorted(path.stem.removeprefix(PREFIX) for path in FOLDER.glob(f"{PREFIX}*.py"))
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no benchmark {unknown[0]!r}: there are {', '.join(known)}")
    for name in names or known:
        print(f"== {name}", flush=True)
        start = time.perf_counter()
        importlib.import_module(PREFIX + name).main([])
        print(f"   ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
