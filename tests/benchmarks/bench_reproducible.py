"""What reproducible answers cost, how many answers change without, and which switch does what.

    make bench BENCH=reproducible
    .venv/bin/python tests/benchmarks/bench_reproducible.py --model FILE --questions SQUAD.json

Three tables in Markdown: what the self-test finds where one switch is left as llama.cpp has it;
answers that differ when only ``parallel`` does; and the price, in rounds in turns, as medians.
Without ``--model`` that is a bundled reader, with the bundled questions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.answering.prompts import blocks_of, question_prompt
from pytest_raq.config import DatasetSettings, ModelDefinition
from pytest_raq.datasets import load_questions
from pytest_raq.engines import open_engine
from pytest_raq.records import Answer

if TYPE_CHECKING:
    from pytest_raq.records import Question

ROOT = Path(__file__).parents[2]
PARALLEL = (1, 4, 16, 32)
ROUNDS = 3
PROMPT = "{passage}\nQuestion: {question}\nAnswer:"

SWITCHES = {
    "all as they should be": "",
    "extra buffers on": "extra",
    "tiled products on": "tiled",
    "one cache for all sequences": "unified",
    "flash attention on": "flash",
    "a token may be alone": "single",
}

TRIAL = """
import ctypes, json, os, sys
file, switch, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.environ["GGML_CPU_TILED_MM"] = str(int(switch == "tiled"))
import llama_cpp as llama
quiet = llama.llama_log_callback(lambda *_: None)
llama.llama_log_set(quiet, ctypes.c_void_p(0))
llama.llama_backend_init()
from pytest_raq.engines.llamacpp.worker.model import Model
from pytest_raq.engines.llamacpp.worker.self_test import self_test
load, make = llama.llama_model_load_from_file, llama.llama_init_from_model

def load_with(path, params):
    params.use_extra_bufts = switch == "extra"
    return load(path, params)

def make_with(model, params):
    params.kv_unified = switch == "unified"
    if switch == "flash":
        params.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_ENABLED
    return make(model, params)

llama.llama_model_load_from_file, llama.llama_init_from_model = load_with, make_with
order = {"file": file, "context_length": 1024, "threads": 2, "parallel": most, "chat": False}
model = Model(llama, {**order, "reproducible": True}, lambda: None)
if switch == "single":
    model.fill_up = lambda: None
    model.least = 1
print(json.dumps(self_test(model)))
"""


@dataclass(frozen=True)
class Run:
    """Texts by question; tokens a second of prompts and answers, and seconds for all of them."""

    texts: dict[str, str]
    prefill: float
    decode: float
    whole: float


def ask(model: ModelDefinition, questions: tuple[Question, ...]) -> Run:
    """Ask all questions of a model that is loaded for it."""
    by_name = {question.id: question for question in questions}
    with open_engine(model) as engine:
        blocks = enumerate(blocks_of(questions, engine.block_questions))
        prompts = [
            replace(question_prompt(model, by_name[name]), block=number)
            for number, block in blocks
            for name in block
        ]
        started = time.perf_counter()
        answers = [item for item in engine.answers(prompts) if isinstance(item, Answer)]
        whole = time.perf_counter() - started
    times = [answer.timing for answer in answers]
    read, reading = sum(t.prefilled_tokens for t in times), sum(t.prefill_seconds for t in times)
    made, making = sum(t.generated_tokens - 1 for t in times), sum(t.decode_seconds for t in times)
    texts = {answer.question_id: answer.text for answer in answers}
    return Run(texts, read / reading, made / making if making else 0.0, whole)


def tell_switches(file: Path) -> None:
    """Print what the self-test finds where one switch is on."""
    print("| | what the self-test finds |\n|---|---|")
    for name, switch in SWITCHES.items():
        command = [sys.executable, "-c", TRIAL, str(file), switch, "16"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        print(f"| {name} | {', '.join(json.loads(done.stdout)) or '–'} |", flush=True)


def tell_changes(model: ModelDefinition, questions: tuple[Question, ...]) -> None:
    """Print how many answers differ between numbers of sequences, usual and reproducible."""
    print("| answers that differ | usual | reproducible |\n|---|---|---|")
    found = {
        (kind, parallel): ask(
            model.model_copy(update={"reproducible": kind, "parallel": parallel}), questions
        ).texts
        for kind in (False, True)
        for parallel in PARALLEL
    }
    for one, other in combinations(PARALLEL, 2):
        cells = [
            str(sum(found[kind, one][name] != text for name, text in found[kind, other].items()))
            for kind in (False, True)
        ]
        print(f"| {one} and {other} sequences | {' | '.join(cells)} |", flush=True)


def tell_price(model: ModelDefinition, questions: tuple[Question, ...], rounds: int) -> None:
    """Print what it costs, in turns."""
    runs: dict[bool, list[Run]] = {False: [], True: []}
    for number in range(rounds):
        for kind in (False, True) if number % 2 == 0 else (True, False):
            runs[kind].append(ask(model.model_copy(update={"reproducible": kind}), questions))
    print("| | prefill tokens/s | decode tokens/s | all questions, s |\n|---|---|---|---|")
    for kind, name in ((False, "usual"), (True, "reproducible")):
        figures = [[run.prefill, run.decode, run.whole] for run in runs[kind]]
        cells = [f"{median(column):.4g}" for column in zip(*figures, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")
    pairs = list(zip(runs[False], runs[True], strict=True))
    ratios = (
        [now.prefill / before.prefill for before, now in pairs],
        [now.decode / before.decode if before.decode else 1.0 for before, now in pairs],
        [now.whole / before.whole for before, now in pairs],
    )
    print(f"| ratio | {' | '.join(f'×{median(column):.2f}' for column in ratios)} |", flush=True)


def main(arguments: list[str]) -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, default=ROOT / "models/reader-llama-f16.gguf")
    parser.add_argument("--questions", type=Path, default=ROOT / "suites/mini.json")
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--max-tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=("switches", "changes", "price"))
    options = parser.parse_args(arguments)
    settings = DatasetSettings(source=str(options.questions.absolute()), sample=options.sample)
    questions = load_questions(settings, Path()).questions
    file = options.model.absolute()
    model = ModelDefinition(
        name=file.stem, path=file, file=str(file), prompt=PROMPT, max_tokens=options.max_tokens
    )
    print(f"{file.name}, {len(questions)} questions of {options.questions.name}")
    if options.only in {None, "switches"}:
        tell_switches(file)
    if options.only in {None, "changes"}:
        tell_changes(model, questions)
    if options.only in {None, "price"}:
        tell_price(model, questions, options.rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
