"""The project's own time in the worker: what a step takes beside llama.cpp's evaluation.

The smallest bundled reader decodes sixteen sequences; the questions are those of the bundled
suite, asked again and again as other passages, so that all steps are full.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import TYPE_CHECKING

import llama_cpp

from pytest_raq.config import DatasetSettings, load_model
from pytest_raq.datasets import load_questions
from pytest_raq.engines.llamacpp.worker.block import Block
from pytest_raq.engines.llamacpp.worker.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent.parent
READER, PARALLEL, TOKENS = "reader-mistral", 16, 24


def main(_arguments: Sequence[str] = ()) -> None:
    """Print the share of the wall time of decoding that is not llama.cpp's."""
    silent = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    definition = load_model(ROOT / "models", READER)
    order = {
        "file": str(definition.file_path),
        "context_length": definition.context_length,
        "threads": 2,
        "parallel": PARALLEL,
        "chat": definition.uses_chat,
    }
    model = Model(llama_cpp, order, lambda: None)
    evaluated = [0.0]
    evaluate = model.evaluate

    def timed() -> None:
        start = time.perf_counter()
        evaluate()
        evaluated[0] += time.perf_counter() - start

    model.evaluate = timed  # type: ignore[method-assign]
    questions = load_questions(DatasetSettings(source="mini.json"), ROOT / "suites").questions
    orders = [
        {
            "request": number,
            "text": definition.render(item.passage, item.question),
            "chat": definition.uses_chat,
            "max_tokens": TOKENS,
            "temperature": 0.0,
            "seed": 0,
            "stop": [],
        }
        for number, item in enumerate(questions)
    ]
    block = Block(model, [model.question(item) for item in orders], PARALLEL)
    wall = own = 0.0
    tokens = 0
    while not block.is_done:
        evaluated[0], start = 0.0, time.perf_counter()
        list(block.step())
        seconds = time.perf_counter() - start
        if model.batch.size == PARALLEL:
            wall += seconds
            own += seconds - evaluated[0]
            tokens += PARALLEL
    print(
        f"{READER}, {PARALLEL} sequences: own time {1e6 * own / tokens:.0f} µs a token,"
        f" {100 * own / wall:.1f} % of the wall time"
    )


if __name__ == "__main__":
    main()
