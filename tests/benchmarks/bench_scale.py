"""A suite of 10,570 questions and three models, which answer from a script.

What it takes to collect its 42,280 tests of answers and rankings, seconds and memory; and to run
them again with everything stored, beside as many empty parametrized tests, in turns.
``--questions N`` asks fewer.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent.parent
MODELS = ("first", "second", "third")
SELECTED = "test_answer or test_ranking"
ROUNDS = 3

CONFTEST = """
import pytest
from pytest_raq.engines import ScriptedEngine
from pytest_raq.answering import engine_pool as pool


def scripted(model, **_given):
    return ScriptedEngine(lambda prompt: f"right {prompt.question_id[1:]}", model=model.name)


pool.open_engine = scripted
"""

EMPTY = """
import pytest


@pytest.mark.parametrize("number", range({count}), ids=lambda n: f"suite-model-{{n:024x}}")
def test_empty(number):
    pass
"""


def write_project(folder: Path, questions: int) -> None:
    """Write a suite of so many questions, five a passage of about 190 words."""
    for name in ("suites", "models", "empty"):
        (folder / name).mkdir()
    shutil.copy(ROOT / "suites/test_suites.py", folder / "suites")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    names = ", ".join(f'"{name}"' for name in MODELS)
    (folder / "suites/large.toml").write_text(
        f'default = true\nmodels = [{names}]\n[dataset]\nsource = "large.json"\n', encoding="utf-8"
    )
    for name in MODELS:
        (folder / f"models/{name}.gguf").write_text(name, encoding="utf-8")
        (folder / f"models/{name}.toml").write_text(
            f'file = "{name}.gguf"\nprompt = "{{passage}} {{question}}"\n', encoding="utf-8"
        )
    paragraphs = [
        {
            "context": f"Passage {start}. " + "word " * 190,
            "qas": [
                {
                    "id": f"q{number:023x}",
                    "question": f"What is right about {number}?",
                    "answers": [{"text": f"right {number:023x}", "answer_start": 0}],
                }
                for number in range(start, min(start + 5, questions))
            ],
        }
        for start in range(0, questions, 5)
    ]
    table = {"version": "1.1", "data": [{"title": "Large", "paragraphs": paragraphs}]}
    (folder / "suites/large.json").write_text(json.dumps(table), encoding="utf-8")
    count = (len(MODELS) + 1) * questions
    (folder / "empty/test_empty.py").write_text(EMPTY.format(count=count), encoding="utf-8")


def run(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Return the seconds and the MB that a run of pytest took, and what it printed."""
    script = (
        "import resource, sys, pytest; code = pytest.main(sys.argv[1:]);"
        " print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024);"
        " sys.exit(code)"
    )
    command = [sys.executable, "-c", script, "-p", "no:cacheprovider", "-q", *arguments]
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    peak = re.search(r"^peak (\d+)$", done.stdout, re.MULTILINE)
    assert peak is not None
    return seconds, float(peak[1]), done.stdout


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=10_570)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, given.questions)
        collected = [
            run(folder, "suites", "--collect-only", "-qq", "-k", SELECTED)
            for _ in range(given.rounds)
        ]
        seconds, peak = median(c[0] for c in collected), max(c[1] for c in collected)
        count = (len(MODELS) + 1) * given.questions
        print(f"collecting {count:,} tests: {seconds:.1f} s, {peak:.0f} MB")
        first = run(folder, "suites", "-k", SELECTED)
        print(f"first run, answers from a script: {first[0]:.1f} s, {first[1]:.0f} MB")
        ours, empty = [], []
        for _ in range(given.rounds):
            ours.append(run(folder, "suites", "-k", SELECTED))
            empty.append(run(folder, "empty"))
        again, bare = median(o[0] for o in ours), median(e[0] for e in empty)
        print(
            f"run again, everything stored: {again:.1f} s, {max(o[1] for o in ours):.0f} MB;"
            f" as many empty tests: {bare:.1f} s; ratio {again / bare:.2f}"
        )


if __name__ == "__main__":
    main()
