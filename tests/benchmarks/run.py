"""Measure pytest-raq: ratios of medians, both sides interleaved in one run.

    make bench

The bundled reader answers held-out questions of the bundled suite, by our
engine and by `llama_cpp.Llama` called once per question, in turns.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from llama_cpp import Llama

from pytest_raq.config import load_model
from pytest_raq.engines import open_engine
from pytest_raq.records import Answer, Prompt

ROOT = Path(__file__).parent.parent.parent
READER = "reader-llama"
ROUNDS = 5
QUESTIONS = 60


def prompts() -> list[Prompt]:
    """Return the first questions of the bundled suite."""
    model = load_model(ROOT / "models", READER)
    data = json.loads((ROOT / "suites/mini.json").read_text(encoding="utf-8"))["data"]
    return [
        Prompt(qa["id"], model.render(paragraph["context"], qa["question"]))
        for article in data
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ][:QUESTIONS]


def measure_engine() -> None:
    """Print questions a second of our engine and of llama_cpp.Llama, and where texts differ."""
    model, asked = load_model(ROOT / "models", READER), prompts()
    engine = open_engine(model)
    llama = Llama(str(model.file_path), n_ctx=model.context_length, verbose=False)
    ours, theirs, differing = [], [], 0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        texts = [o.text for o in engine.answers(asked) if isinstance(o, Answer)]
        ours.append(len(asked) / (time.perf_counter() - start))
        start = time.perf_counter()
        others = [
            llama.create_completion(
                prompt.text, max_tokens=model.max_tokens, temperature=0, stop=list(model.stop)
            )["choices"][0]["text"].strip()
            for prompt in asked
        ]
        theirs.append(len(asked) / (time.perf_counter() - start))
        differing = sum(a != b for a, b in zip(texts, others, strict=True))
    engine.close()
    print(f"engine: {median(ours):.1f} questions/s, llama_cpp.Llama: {median(theirs):.1f}")
    print(f"ratio: {median(ours) / median(theirs):.2f}; texts that differ: {differing}")


def measure_start() -> None:
    """Print what the plugin adds to the start of pytest where it is not used."""
    command = [sys.executable, "-X", "importtime", "-c", "import pytest; import pytest_raq.plugin"]
    found = []
    for _ in range(ROUNDS):
        log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        line = next(line for line in log.splitlines() if line.endswith(" pytest_raq.plugin"))
        found.append(int(re.findall(r"\d+", line)[1]) / 1000)
    print(f"import of the plugin: {median(found):.1f} ms")


if __name__ == "__main__":
    measure_start()
    measure_engine()
