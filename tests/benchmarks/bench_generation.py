"""Questions a second on a model of 180 million random weights, prompts shaped like SQuAD's.

Three sides, in turns in one run, medians:

- the original's way: ``llama_cpp.Llama`` called once for each question, questions shuffled;
- our engine: the questions of a passage together, sixteen at once;
- the ceiling: the tokens that our engine must evaluate, at the best tokens a second that
  llama.cpp reaches here for prompts and for batches of that many sequences.

``--threads``, ``--passages``, ``--parallel`` and ``--tokens`` change the shape, ``--model`` takes
another GGUF file.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import llama_cpp
from random_model import QUESTIONS_EACH, prompts, write_random_model

from pytest_raq.answering.prompts import blocks_of
from pytest_raq.config import ModelDefinition
from pytest_raq.engines import open_engine
from pytest_raq.records import Answer, Prompt, Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.engines import Engine

KEPT = Path(tempfile.gettempdir()) / "pytest-raq-bench"
CONTEXT = 1024
PROMPT_TOKENS, PREFIX_TOKENS, STEPS = 512, 200, 24
ROUNDS = 3


@dataclass(frozen=True)
class Shape:
    """What is asked, and of what."""

    model: Path
    passages: int
    tokens: int
    parallel: int
    threads: int

    def definition(self) -> ModelDefinition:
        """Return the model as a suite would define it."""
        return ModelDefinition(
            name="bench",
            path=self.model.with_suffix(".toml"),
            file=self.model.name,
            context_length=CONTEXT,
            max_tokens=self.tokens,
            parallel=self.parallel,
            threads=self.threads,
            prompt="{passage}{question}",
        )


def ask_engine(engine: Engine, asked: Sequence[tuple[str, str]]) -> tuple[float, list[Answer]]:
    """Return the seconds that our engine takes, and its answers."""
    texts = dict(asked)
    questions = [Question(name, "", "", name.partition("-")[0], ()) for name in texts]
    by_passage = [Question(q.id, "", q.question, "", ()) for q in questions]
    blocks = blocks_of(by_passage, engine.block_questions)
    ordered = [
        Prompt(name, texts[name], block=number)
        for number, block in enumerate(blocks)
        for name in block
    ]
    start = time.perf_counter()
    outcomes = list(engine.answers(ordered))
    seconds = time.perf_counter() - start
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    assert len(answers) == len(asked), outcomes
    return seconds, answers


def ask_original(
    llama: llama_cpp.Llama, asked: Sequence[tuple[str, str]], tokens: int
) -> tuple[float, dict[str, str]]:
    """Return the seconds of one call for each question, and what was said."""
    shuffled = random.Random(0).sample(list(asked), len(asked))
    start = time.perf_counter()
    said = {
        name: llama.create_completion(text, max_tokens=tokens, temperature=0)["choices"][0]["text"]
        for name, text in shuffled
    }
    return time.perf_counter() - start, said


class Rates:
    """Best tokens a second of llama.cpp itself, through its low-level API."""

    def __init__(self, shape: Shape) -> None:
        llama_cpp.llama_log_set(_SILENT, None)
        params = llama_cpp.llama_model_default_params()
        self._model = llama_cpp.llama_model_load_from_file(str(shape.model).encode(), params)
        context = llama_cpp.llama_context_default_params()
        context.n_ctx = 4096
        context.n_batch = context.n_ubatch = PROMPT_TOKENS
        context.n_seq_max = 32
        context.kv_unified = True
        context.n_threads = context.n_threads_batch = shape.threads
        self._context = llama_cpp.llama_init_from_model(self._model, context)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(PROMPT_TOKENS, 0, 1)

    def prompt(self) -> float:
        """Return prompt tokens a second, in a batch of 512."""
        llama_cpp.llama_memory_clear(self._memory, True)
        self._fill([(3 + i % 250, i, 0) for i in range(PROMPT_TOKENS)])
        return PROMPT_TOKENS / self._decode()

    def decode(self, sequences: int) -> float:
        """Return generated tokens a second of so many sequences that share a passage."""
        llama_cpp.llama_memory_clear(self._memory, True)
        self._fill([(3 + i % 250, i, 0) for i in range(PREFIX_TOKENS)])
        self._decode()
        for sequence in range(1, sequences):
            llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)
        seconds = 0.0
        for step in range(STEPS):
            position = PREFIX_TOKENS + step
            self._fill([(3 + (step + s) % 250, position, s) for s in range(sequences)])
            seconds += self._decode()
        return sequences * STEPS / seconds

    def _fill(self, tokens: Sequence[tuple[int, int, int]]) -> None:
        batch = self._batch
        batch.n_tokens = len(tokens)
        for place, (token, position, sequence) in enumerate(tokens):
            batch.token[place], batch.pos[place] = token, position
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, sequence
            batch.logits[place] = sequence > 0 or place == len(tokens) - 1

    def _decode(self) -> float:
        start = time.perf_counter()
        assert llama_cpp.llama_decode(self._context, self._batch) == 0
        llama_cpp.llama_synchronize(self._context)
        return time.perf_counter() - start


_SILENT = llama_cpp.llama_log_callback(lambda *_: None)


def measure(shape: Shape, rounds: int) -> None:
    """Print the figures of all sides."""
    asked = prompts(shape.passages)
    engine = open_engine(shape.definition())
    rates = Rates(shape)
    llama = llama_cpp.Llama(str(shape.model), n_ctx=CONTEXT, verbose=False)
    ours, theirs, shares, speeds = [], [], [], []
    differing = 0
    for _ in range(rounds):
        prompt, single = rates.prompt(), rates.decode(1)
        eight, full = rates.decode(8), rates.decode(shape.parallel)
        seconds, answers = ask_engine(engine, asked)
        other_seconds, said = ask_original(llama, asked, shape.tokens)
        prefilled = sum(answer.timing.prefilled_tokens for answer in answers)
        decoded = sum(answer.timing.generated_tokens - 1 for answer in answers)
        ours.append(len(asked) / seconds)
        theirs.append(len(asked) / other_seconds)
        shares.append((prefilled / prompt + decoded / max(full, single)) / seconds)
        speeds.append((single, eight, full, prompt))
        differing = sum(said[answer.question_id].strip() != answer.text for answer in answers)
    engine.close()
    single, eight, full, prompt = (median(column) for column in zip(*speeds, strict=True))
    print(
        f"llama.cpp here: single decode {single:.0f}, 8 sequences {eight:.0f},"
        f" {shape.parallel} sequences {full:.0f}, prompt {prompt:.0f} tokens/s"
    )
    print(
        f"{len(asked)} questions, {QUESTIONS_EACH} a passage: ours {median(ours):.2f} questions/s,"
        f" the original's way {median(theirs):.2f}, ratio {median(ours) / median(theirs):.2f}"
    )
    print(f"share of the ceiling: {median(shares):.2f}; texts that differ: {differing}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the shape that the arguments give."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--passages", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--parallel", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args(arguments)
    KEPT.mkdir(exist_ok=True)
    model = given.model or write_random_model(KEPT / "random-180m-q4_k_m.gguf")
    shape = Shape(model.absolute(), given.passages, given.tokens, given.parallel, given.threads)
    measure(shape, given.rounds)


if __name__ == "__main__":
    main()
