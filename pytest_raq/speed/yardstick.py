"""The yardstick: a small model that comes with the package and never changes.

A machine that is busy, or another one of its kind, slows a model and the yardstick alike;
their ratio moves much less than seconds do.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pytest_raq.config import ModelDefinition
from pytest_raq.files import hash_file
from pytest_raq.records import Prompt

FILE = Path(__file__).with_name("yardstick.gguf")

TOKENS = 64
"""Tokens of an answer: the file has no token that ends one."""

_TEXT = (
    "The mill of Orsund stands at the river Lenne. It was built in 1714 by the brothers Hask and"
    " Jon Velder, and it burned down in 1802. Ten years later the town built it again, of stone."
    " Until 1931 it ground the corn of eleven villages. Today it is a museum with a small café."
)


def yardstick_model(python: str | None, threads: int | None) -> ModelDefinition:
    """Return the yardstick under the engine and with the threads of a model."""
    return ModelDefinition(
        name="yardstick",
        path=FILE,
        file=str(FILE),
        python=python,
        python_allowed=python is not None,  # as that of the model beside it
        threads=threads,
        context_length=512,
        max_tokens=TOKENS,
        parallel=1,
        prompt="{question}",
    )


def yardstick_prompt(question_id: str) -> Prompt:
    """Return what the yardstick is asked, whatever the question is."""
    return Prompt(question_id, _TEXT)


@cache
def yardstick_sha256() -> str:
    """Return the identity of the yardstick: ratios to another one cannot be compared."""
    return hash_file(FILE)
