"""Measure how long a data set of the size of SQuAD v1.1 takes to load, and its memory."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

QUESTIONS, PASSAGES = 87_599, 18_896
"""Of SQuAD v1.1, train."""
WORDS = 120
"""Of a passage."""
ROUNDS = 3

LOAD = """
import sys, time
from pathlib import Path
from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import load_questions
start = time.perf_counter()
found = load_questions(DatasetSettings(source=sys.argv[1], sample=60, stratify="title"), Path())
assert (found.total, len(found)) == (int(sys.argv[2]), 60)
seconds = time.perf_counter() - start
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(seconds, int(status["VmHWM"].split()[0]) / 1024)
"""
"""Run for itself: peak memory is that of a process; the rusage of one starts at its parent's."""


def rows() -> Iterator[dict[str, str]]:
    """Yield questions about passages of random words, five to a passage."""
    random_ = random.Random(0)
    words = ["".join(random_.choices("abcdefghijklmnop", k=6)) for _ in range(5000)]
    passages = [" ".join(random_.choices(words, k=WORDS)) for _ in range(PASSAGES)]
    for number in range(QUESTIONS):
        place = number * PASSAGES // QUESTIONS
        yield {
            "id": f"{random_.getrandbits(96):024x}",
            "title": f"Title {place // 43}",
            "context": passages[place],
            "question": " ".join(random_.choices(words, k=10)) + "?",
            "answer": random_.choice(words),
        }


def write_parquet(path: Path) -> None:
    """Write the layout that the hub has: nested answers."""
    table = [{**row, "answers": {"text": [row["answer"]], "answer_start": [0]}} for row in rows()]
    parquet.write_table(pa.Table.from_pylist(table).drop_columns("answer"), path)


def write_json_lines(path: Path) -> None:
    """Write one object a line."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows())


def write_csv(path: Path) -> None:
    """Write what a spreadsheet would."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "title", "context", "question", "answer"])
        writer.writeheader()
        writer.writerows(rows())


WRITERS = {".parquet": write_parquet, ".jsonl": write_json_lines, ".csv": write_csv}


def measure(path: Path) -> tuple[float, float]:
    """Return the median seconds and the greatest peak memory (MB) of loading a file."""
    command = [sys.executable, "-c", LOAD, str(path), str(QUESTIONS)]
    found = []
    for _ in range(ROUNDS):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(tuple(map(float, done.stdout.split())))
    return median(seconds for seconds, _ in found), max(peak for _, peak in found)


def main(_arguments: Sequence[str] = ()) -> None:
    """Print seconds and memory for each format."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix, write in WRITERS.items():
            path = Path(folder) / f"questions{suffix}"
            write(path)
            seconds, peak = measure(path)
            size = path.stat().st_size / 1e6
            print(
                f"{QUESTIONS} questions of {suffix} ({size:.0f} MB): {seconds:.1f} s, {peak:.0f} MB"
            )


if __name__ == "__main__":
    main()
