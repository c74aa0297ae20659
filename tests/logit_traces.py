"""The logits behind each token that a model chooses, to be compared bit for bit."""

from __future__ import annotations

from collections import defaultdict

import llama_cpp

from pytest_raq.engines.llamacpp.worker.block import Block
from pytest_raq.engines.llamacpp.worker.model import Model
from pytest_raq.engines.llamacpp.worker.streams import StreamBlock


class Recording(Block):
    """Keeps all logits of which a token was chosen."""

    def _choose(self, reading, place):
        self.logits[reading.question.request].append(self._model.logits.row(place))
        return super()._choose(reading, place)


class RecordingStreams(Recording, StreamBlock):
    """The same of the schedule of a reproducible model."""


def load(path, *, parallel=16, threads=1, reproducible=True):
    order = {
        "file": str(path), "context_length": 1024, "threads": threads, "parallel": parallel,
        "chat": False, "reproducible": reproducible, "extra_buffers": False,
    }  # fmt: skip
    return Model(llama_cpp, order, lambda: None)


def trace(model, prompts, parallel, tokens=6):
    """Answer prompts as one block; return the logits behind each token, by question."""
    options = {"chat": False, "max_tokens": tokens, "temperature": 0, "seed": 0, "stop": ()}
    questions = [
        model.question({"request": p.question_id, "text": p.text, **options}) for p in prompts
    ]
    block = (RecordingStreams if model.reproducible else Recording)(model, questions, parallel)
    block.logits = defaultdict(list)
    replies = {}
    while not block.is_done:
        replies |= dict(block.step())
    return dict(block.logits), {name: reply["text"] for name, reply in replies.items()}
