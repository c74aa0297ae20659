"""What reproducible answers cost and give, and which switch does what: the tables of the page.

    make bench BENCH=reproducible
    .venv/bin/python tests/benchmarks/bench_reproducible.py --model FILE --questions SQUAD.json \\
        --swap OTHER_QUANTIZATION --suite 200=SQUAD.json --engine VENV --write docs/reproducible.md

``changes``: answers that differ when only ``parallel`` does. ``loss``: what a suite finds of other
quantizations of the first model. ``switches``: what the self-test finds where one switch is left
as llama.cpp has it. ``price``: the time, in rounds in turns, as medians, of each engine.
With ``--write`` the tables replace those between the marks of a page. Without ``--model`` a
bundled reader is asked the bundled questions.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.answering.prompts import blocks_of, question_prompt
from pytest_raq.config import DatasetSettings, GateSettings, ModelDefinition
from pytest_raq.datasets import load_questions
from pytest_raq.engines import open_engine
from pytest_raq.engines.llamacpp.environment import find_environment
from pytest_raq.engines.llamacpp.instruction_sets import arithmetic_of
from pytest_raq.gate import GateInput, decide
from pytest_raq.judging import ReferenceJudge, rank_contestants
from pytest_raq.machine import describe_machine
from pytest_raq.records import Answer
from pytest_raq.stats.quality import QualityPlan, preferences, quality_evidence
from pytest_raq.text import p_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.records import Question

ROOT = Path(__file__).parents[2]
PARALLEL = (1, 4, 16, 32)
ACCEPTED, TODAY = 16, 4
"""Sequences of a baseline, and of the run that is compared with it."""
WAYS = {False: "usual", True: "reproducible"}
PROMPT = "{passage}\nQuestion: {question}\nAnswer:"
LINE = ("\n",)
"""An answer of one line, where it is compared with a reference."""
THREADS = 2

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
from pytest_raq.engines.llamacpp.worker import self_test as trial
trial._QUICK = trial._SLOW = 1e9  # try everything, also on a busy machine
self_test = trial.self_test
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


@dataclass(frozen=True)
class Plan:
    """What is measured: models, other quantizations of the first, engines by name, questions."""

    models: tuple[ModelDefinition, ...]
    swaps: tuple[ModelDefinition, ...]
    engines: dict[str, Path | None]
    questions: tuple[Question, ...]
    suites: tuple[tuple[Question, ...], ...]
    rounds: int


def ask(model: ModelDefinition, questions: Sequence[Question], **changes: object) -> Run:
    """Ask all questions of a model that is loaded for it."""
    model = model.model_copy(update=changes)
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


def changed(one: dict[str, str], other: dict[str, str]) -> int:
    """Return how many answers differ."""
    return sum(one[name] != text for name, text in other.items())


def tell_changes(plan: Plan) -> Iterator[str]:
    """Yield how many answers differ between numbers of sequences."""
    yield f"Of {len(plan.questions)} greedy answers, so many differ:"
    yield ""
    heads = [f"{model.name}, {way}" for model in plan.models for way in WAYS.values()]
    yield from header(["only this differs", *heads])
    found = [
        {number: ask(model, plan.questions, reproducible=kind, parallel=number).texts
         for number in PARALLEL}
        for model in plan.models
        for kind in WAYS
    ]  # fmt: skip
    for one, other in combinations(PARALLEL, 2):
        cells = [str(changed(texts[one], texts[other])) for texts in found]
        yield row([f"{one} or {other} sequences", *cells])


def tell_loss(plan: Plan) -> Iterator[str]:
    """Yield what suites of several sizes find of other quantizations of the first model."""
    base = plan.models[0]
    yield (
        f"{base.name} is accepted with {ACCEPTED} sequences; then the file, or another"
        f" quantization of it, is asked with {TODAY}:"
    )
    yield ""
    heads = ("answers changed", "net preference", "p", "verdict")
    yield from header(["questions", "file", "answers", *heads])
    for questions in plan.suites:
        found = {}
        for kind in WAYS:
            way = {"reproducible": kind, "stop": LINE}
            accepted = ask(base, questions, parallel=ACCEPTED, **way).texts
            for model in (base, *plan.swaps):
                texts = ask(model, questions, parallel=TODAY, **way).texts
                found[model.name, kind] = list(compare(accepted, texts, questions))
        for model in (base, *plan.swaps):
            name = "the same" if model is base else model.name
            for kind, told in WAYS.items():
                yield row([str(len(questions)), name, told, *found[model.name, kind]])


def compare(
    accepted: dict[str, str], texts: dict[str, str], questions: Sequence[Question]
) -> Iterator[str]:
    """Yield how many answers changed, the net preference, its p-value and the verdict."""
    items = [
        (question, {"now": texts[question.id], "then": accepted[question.id]})
        for question in questions
    ]
    rankings = rank_contestants(ReferenceJudge(), items)
    signs = preferences(rankings, {"m": "now"}, {"m": "then"})
    clusters = {question.id: question.cluster for question in questions}
    settings, count = GateSettings(), len(questions)
    plan = QualityPlan(min_effect=settings.min_effect, margin=settings.margin)
    quality = quality_evidence(signs, clusters, plan)["m"]
    others = sum(texts[item.id] != accepted[item.id] for item in questions)
    given = GateInput("m", count, count, count, quality=quality, is_unchanged=not others)
    verdict = decide(given, settings)
    yield str(others)
    low, high = quality.interval.low, quality.interval.high
    yield f"{quality.net_preference:.2f} ({low:.2f} to {high:.2f})".replace("-", "−")
    yield p_text(quality.adjusted_p)
    yield verdict.decision.value


def tell_switches(plan: Plan) -> Iterator[str]:
    """Yield what the self-test finds where one switch is on."""
    sides = [
        (f"{model.name}, {name}", model, python)
        for name, python in plan.engines.items()
        for model in plan.models
    ]
    yield from header(["", *(head for head, _, _ in sides)])
    for name, switch in SWITCHES.items():
        yield row([name, *(find(model, switch, python) for _, model, python in sides)])


def find(model: ModelDefinition, switch: str, python: Path | None) -> str:
    """Return what the self-test finds, as a cell."""
    interpreter = str(find_environment(python).python) if python else sys.executable
    command = [interpreter, "-c", TRIAL, str(model.file_path), switch, "16"]
    # Waiting threads sleep soon, as in the worker.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GOMP_SPINCOUNT": "1000"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode < 0:
        return "the process is killed"
    return ", ".join(json.loads(done.stdout)) or "–"


def tell_price(plan: Plan) -> Iterator[str]:
    """Yield what it costs, in turns."""
    yield (
        f"{len(plan.questions)} questions, 16 sequences, {THREADS} threads, medians of"
        f" {plan.rounds} rounds in turns; ratios are those of the pairs:"
    )
    yield ""
    yield from header(["model", "engine", "", "prefill tokens/s", "decode tokens/s",
                       "all questions, s"])  # fmt: skip
    for model in plan.models:
        for name, python in plan.engines.items():
            chosen = model.model_copy(update={"python": str(python) if python else None})
            yield from _price_rows(chosen, name, plan)


def _price_rows(model: ModelDefinition, engine: str, plan: Plan) -> Iterator[str]:
    runs: dict[bool, list[Run]] = {False: [], True: []}
    for number in range(plan.rounds):
        for kind in (False, True) if number % 2 == 0 else (True, False):
            runs[kind].append(ask(model, plan.questions, reproducible=kind))
    for kind, name in WAYS.items():
        figures = [[run.prefill, run.decode, run.whole] for run in runs[kind]]
        cells = [f"{median(column):.4g}" for column in zip(*figures, strict=True)]
        yield row([model.name, engine, name, *cells])
    pairs = list(zip(runs[False], runs[True], strict=True))
    ratios = (
        [now.prefill / before.prefill for before, now in pairs],
        [now.decode / before.decode if before.decode else 1.0 for before, now in pairs],
        [now.whole / before.whole for before, now in pairs],
    )
    yield row(["", "", "ratio", *(f"×{median(column):.2f}" for column in ratios)])


def header(cells: Sequence[str]) -> Iterator[str]:
    """Yield the first two lines of a table in Markdown."""
    yield row(cells)
    yield "|---" * len(cells) + "|"


def row(cells: Sequence[str]) -> str:
    """Return a line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


TABLES = {
    "changes": tell_changes,
    "loss": tell_loss,
    "switches": tell_switches,
    "price": tell_price,
}


def replace_block(text: str, name: str, lines: Sequence[str]) -> str:
    """Return a page with other lines between the marks of a table; ValueError without marks."""
    begin, end = (f"<!-- reproducible {name}: {mark} -->" for mark in ("begin", "end"))
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the page has no line {begin}")
    body = "\n".join(lines)
    return pattern.sub(lambda _found: f"{begin}\n\n{body}\n\n{end}", text)


def read_plan(options: argparse.Namespace) -> Plan:
    """Return what the options ask for."""

    def define(file: Path) -> ModelDefinition:
        return ModelDefinition(
            name=file.stem,
            path=file.absolute(),
            file=str(file.absolute()),
            prompt=PROMPT,
            threads=THREADS,
            max_tokens=options.max_tokens,
        )

    def read(source: Path, sample: int) -> tuple[Question, ...]:
        settings = DatasetSettings(source=str(source.absolute()), sample=sample)
        return load_questions(settings, Path()).questions

    suites = [text.split("=", 1) for text in options.suite] or [("60", options.questions)]
    engines: dict[str, Path | None] = {arithmetic_of(): None}
    for text in options.engine:
        path = Path(text)
        engines[arithmetic_of(find_environment(path).python)] = path
    return Plan(
        models=tuple(map(define, options.model or [ROOT / "models/reader-llama-f16.gguf"])),
        swaps=tuple(map(define, options.swap)),
        engines=engines,
        questions=read(options.questions, options.sample),
        suites=tuple(read(Path(file), int(size)) for size, file in suites),
        rounds=options.rounds,
    )


def main(arguments: list[str]) -> None:
    """Measure, print the tables, and write them into a page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, action="append", default=[])
    parser.add_argument("--swap", type=Path, action="append", default=[])
    parser.add_argument("--engine", action="append", default=[], metavar="VENV")
    parser.add_argument("--questions", type=Path, default=ROOT / "suites/mini.json")
    parser.add_argument("--suite", action="append", default=[], metavar="SIZE=FILE")
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--max-tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=TABLES, action="append")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    options = parser.parse_args(arguments)
    plan = read_plan(options)
    where = f"Measured on {describe_machine()['processor']}, llama.cpp compiled for"
    for name in options.only or TABLES:
        engines = plan.engines if name in {"switches", "price"} else [arithmetic_of()]
        lines = [f"{where} {' and for '.join(engines)}.", ""]
        for line in lines:
            print(line)
        for line in TABLES[name](plan):
            print(line, flush=True)
            lines.append(line)
        if options.write:
            page = options.write.read_text(encoding="utf-8")
            options.write.write_text(replace_block(page, name, lines), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
