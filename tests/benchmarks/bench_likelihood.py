"""The likelihood of references: how fast it is measured, how exactly, and what it finds.

    make bench BENCH=likelihood                       a bundled reader: speed and exactness
    python tests/benchmarks/bench_likelihood.py --model FILE.gguf --questions FILE.json
        [--to Q8_0,Q5_K_M] [--prompt chat] [--sample N]   a table of its quantizations

The table holds each file against the file itself, by answers and by likelihood,
and needs some minutes. Its command and result stand in docs/statistics.md.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.config import load_model
from pytest_raq.engines import open_engine
from pytest_raq.records import Answer, Prompt, ScorePrompt, Scores
from pytest_raq.running import Session, SessionOptions
from pytest_raq.stats.likelihood import winsorise
from pytest_raq.stats.resampling import sum_by_passage
from pytest_raq.trials.ladder import LadderClimber

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.records import SuiteResult

ROOT = Path(__file__).parents[2]
PROMPT = "{passage}\\nQuestion: {question}\\nAnswer:"
KINDS = "Q8_0,Q5_K_M,Q3_K_M,Q4_0"
ROUNDS = 3


class Silent:
    """Shows nothing."""

    def show(self, text: str) -> None:
        """Show nothing."""


def bundled() -> tuple[Path, list[dict[str, object]]]:
    """Return the folder of models, and the questions of the bundled suite."""
    data = json.loads((ROOT / "suites/mini.json").read_text())
    asked = [
        {"passage": p["context"], "question": q["question"], "answers": q["answers"]}
        for article in data["data"]
        for p in article["paragraphs"]
        for q in p["qas"]
    ]
    return ROOT / "models", asked


def measure_speed(engine: object, prompts: Sequence[Prompt], texts: Sequence[str]) -> None:
    """Time answers and scores in turns, and hold scores against those of single texts."""
    asked = [ScorePrompt(p, (t,)) for p, t in zip(prompts, texts, strict=True)]
    answering, scoring, tokens = [], [], 0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answers = [item for item in engine.answers(prompts) if isinstance(item, Answer)]
        answering.append(time.perf_counter() - started)
        tokens = sum(item.timing.generated_tokens for item in answers)
        started = time.perf_counter()
        found = {item.question_id: item for item in engine.scores(asked)}
        scoring.append(time.perf_counter() - started)
    ratio = median(a / s for a, s in zip(answering, scoring, strict=True))
    print(
        f"{len(prompts)} questions: answers {median(answering):.2f} s ({tokens} tokens), scores"
        f" {median(scoring):.2f} s: {ratio:.1f} times as fast"
    )
    differences = []
    for each in asked[:20]:
        (alone,) = engine.scores([each])
        (text,) = each.continuations
        one, together = alone.texts[text], found[each.question_id].texts[text]
        differences.append((one.log_p - together.log_p) / one.tokens)
    print(
        f"together and alone: nats per token differ by {max(map(abs, differences)):.2g} at most,"
        f" {fmean(differences):+.2g} on average"
    )


def measure_sharing(engine: object, prompts: Sequence[Prompt], texts: Sequence[str]) -> None:
    """Time answers and scores that share a prefill, in turns with the same one after the other.

    What is scored is a text and the answer itself, as when a suite is asked for the first time.
    """
    asked = [replace(p, beside=(t,)) for p, t in zip(prompts, texts, strict=True)]
    ratios, alone, shared = [], {}, {}
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answers = {each.question_id: each for each in engine.answers(prompts)}
        wanted = [
            ScorePrompt(p, tuple(dict.fromkeys([*p.beside, answers[p.question_id].text])))
            for p in asked
        ]
        alone = {each.question_id: each for each in engine.scores(wanted)}
        apart = time.perf_counter() - started
        started = time.perf_counter()
        found = list(engine.answers_and_scores(asked))
        ratios.append((time.perf_counter() - started) / apart)
        shared = {each.question_id: each for each in found if isinstance(each, Scores)}
        said = {each.question_id: each.text for each in found if isinstance(each, Answer)}
        assert said == {name: each.text for name, each in answers.items()}
    pairs = [
        (one, shared[name].texts[text])
        for name, scores in alone.items()
        for text, one in scores.texts.items()
        if text in shared[name].texts
    ]
    differences = [(one.log_p - two.log_p) / one.tokens for one, two in pairs]
    bits = [two.bits_per_byte - one.bits_per_byte for one, two in pairs]
    print(
        f"with one prefill: {median(ratios):.2f} of the time of answers and then scores"
        f" ({min(ratios):.2f} to {max(ratios):.2f}); of {len(pairs)} texts nats per token differ"
        f" by {fmean(map(abs, differences)):.2g} on average, {max(map(abs, differences)):.2g} at"
        f" most; bits per byte by {fmean(bits):+.2g} in the mean"
    )


def measure_reader() -> None:
    """Measure a bundled reader."""
    folder, asked = bundled()
    definition = load_model(folder, "reader-llama")
    prompts = [
        Prompt(str(n), definition.render(item["passage"], item["question"]))
        for n, item in enumerate(asked)
    ]
    texts = [item["answers"][0]["text"] for item in asked]
    for reproducible in (False, True):
        changes = {"max_tokens": 64, "stop": (), "reproducible": reproducible}
        with open_engine(definition.model_copy(update=changes)) as engine:
            print("reproducible" if reproducible else "usual kernels")
            measure_speed(engine, prompts, texts)
            measure_sharing(engine, prompts, texts)


def project(options: argparse.Namespace, folder: Path) -> SessionOptions:
    """Write a suite and a definition for a model and questions from elsewhere."""
    for name in ("suites", "models", "baselines"):
        (folder / name).mkdir()
    sample = f"sample = {options.sample}\n" if options.sample else ""
    prompt = options.prompt or PROMPT
    (folder / "suites/real.toml").write_text(
        f'models = ["real"]\n[dataset]\nsource = "{options.questions.absolute()}"\n{sample}'
    )
    (folder / "models/real.toml").write_text(
        f'file = "{options.model.absolute()}"\ncontext_length = 1024\nmax_tokens = 64\n'
        f'threads = {options.threads}\nstop = ["\\n"]\nprompt = "{prompt}"\n'
    )
    return SessionOptions(
        suites_folder=folder / "suites",
        models_folder=folder / "models",
        baselines_folder=folder / "baselines",
        store_path=folder / "store.db",
        suites=("real",),
        start=folder,
    )


class Climber(LadderClimber):
    """Keeps the run of the rungs, and times nothing."""

    def _timed(self, _suite, _above, below, top, rungs):
        self.result = below.result()
        return top, rungs


def measure_table(options: argparse.Namespace) -> None:
    """Print how each quantization differs from the file, by answers and by likelihood."""
    with TemporaryDirectory() as name:
        given = project(options, Path(name))
        with closing(Session(given)) as session:
            definition = session.contestants.named(session.suite("real"), "real")
            asked = session.build(session.suite("real"), {"real": definition}).questions
            prompts = [
                Prompt(item.id, definition.render(item.passage, item.question),
                       chat=definition.uses_chat)
                for item in asked[: options.timed]
            ]  # fmt: skip
            texts = [item.references[0] for item in asked[: options.timed]]
            for reproducible in (False, True) if prompts else ():
                changes = {"stop": (), "reproducible": reproducible}
                with open_engine(definition.model_copy(update=changes)) as engine:
                    print("reproducible" if reproducible else "usual kernels")
                    measure_speed(engine, prompts, texts)
                    measure_sharing(engine, prompts, texts)
            climber = Climber(session, Silent(), kept=options.keep)
            ladder = climber.climb("real", "real", options.to.split(","))
            show(ladder, climber.result)


def show(ladder, result: SuiteResult) -> None:
    """Print the rungs as a Markdown table."""
    print(
        f"{ladder.questions} questions in {ladder.passages} passages, against {ladder.top.kind}\n"
    )
    print("| file | net preference, p | ΔF1, p | Δ bits per byte, p | flips | same answers"
          " | verdict | passages for 80 % |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for rung in ladder.rungs:
        if rung.verdict is None:
            print(f"| {rung.kind} | {rung.problem} |")
            continue
        verdict, found = rung.verdict, rung.verdict.likelihood
        texts = [
            item.answers.get(rung.kind) == item.baseline_answers.get(rung.kind)
            for item in result.questions
        ]
        needed = " / ".join(map(shown, passages_needed(rung.kind, result)))
        f1 = verdict.f1
        print(
            f"| {rung.kind} | {verdict.quality.net_preference:+.3f}, {verdict.quality.p_value:.4f}"
            f" | {f1.difference:+.3f}, {f1.p_value:.4f} | {found.difference:+.4f},"
            f" {found.p_value:.5f} | {found.drift.flips:.1%} | {fmean(texts):.0%}"
            f" | {verdict.decision.value} | {needed} |"
        )


def passages_needed(model: str, result: SuiteResult) -> tuple[float, float]:
    """Return how many passages find what was seen with 80 % power: by answers, by likelihood.

    By the normal approximation, one-sided at 5 %: n = ((1.645 + 0.842) · s / mean)².
    """
    clusters = {item.question.id: item.question.cluster for item in result.questions}
    answers = {
        item.question.id: -item.preferences[model]
        for item in result.questions
        if model in item.preferences
    }
    bits = {
        item.question.id: item.reference_bits[model] - item.baseline_reference_bits[model]
        for item in result.questions
        if model in item.reference_bits
    }
    return _needed(answers, clusters, cut=False), _needed(bits, clusters, cut=True)


def _needed(values: dict[str, float], clusters: dict[str, str], *, cut: bool) -> float:
    column = np.array(list(values.values()), dtype=float)
    column = winsorise(column) if cut else column
    table = sum_by_passage(list(values), column[:, None], clusters)
    sums = table.sums[:, 0]
    mean = float(sums.mean())
    return (2.487 * float(sums.std(ddof=1)) / mean) ** 2 if mean > 0 else math.nan


def shown(value: float) -> str:
    """Return a number of passages; a dash where nothing was lost."""
    return "–" if math.isnan(value) else f"{math.ceil(value):,}"


def main(arguments: list[str] | None = None) -> None:
    """Measure the bundled reader, or a model and questions from elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--to", default=KINDS)
    parser.add_argument("--prompt", default="")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timed", type=int, default=1_000_000, help="questions that are timed")
    parser.add_argument("--keep", type=Path, help="keep the files there")
    options = parser.parse_args(arguments)
    if options.model is None:
        measure_reader()
    else:
        measure_table(options)


if __name__ == "__main__":
    main()
