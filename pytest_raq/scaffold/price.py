"""What reproducible answers cost: the file of a new model, timed in both ways."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.answering.prompts import question_prompt
from pytest_raq.config import ModelDefinition
from pytest_raq.engines import open_engine
from pytest_raq.errors import RaqError
from pytest_raq.records import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_raq.engines import Engine
    from pytest_raq.records import Prompt, Question

WORTH_IT = 4 / 3
"""More than this share of the usual time is too much to be written without being asked for."""
SMALLEST, LARGEST = 20_000_000, 1_000_000_000
"""Bytes of a file that is timed: below, time hardly matters; above, it takes too long."""
_ROUNDS = 3
_TOKENS = 16
_PATIENCE = 20.0
"""Seconds for one round; a model that needs more is not timed."""
_ENOUGH = 20.0
"""Seconds of all rounds after which no other one begins: long rounds vary less."""


@dataclass(frozen=True, slots=True)
class Price:
    """The time that reproducible answers take, as a multiple of the usual time."""

    ratio: float

    @property
    def is_low(self) -> bool:
        """Whether it is less than a third more."""
        return self.ratio < WORTH_IT


def can_be_timed(file: Path) -> bool:
    """Whether llama.cpp is here, and the file is neither too small nor too large."""
    return SMALLEST <= file.stat().st_size <= LARGEST and find_spec("llama_cpp") is not None


def measure_price(file: Path, questions: Sequence[Question], context_length: int) -> Price | None:
    """Ask a few questions in both ways in turns, and compare the times.

    None if the model does not load, does not answer or is too slow.
    """
    usual = ModelDefinition(
        name="usual",
        path=file,
        file=str(file),
        context_length=context_length,
        max_tokens=_TOKENS,
        prompt="{passage}\nQuestion: {question}\nAnswer:",
    )
    ways = usual, usual.model_copy(update={"name": "reproducible", "reproducible": True})
    prompts = [question_prompt(usual, question) for question in questions]
    try:
        with ExitStack() as stack:
            engines = [stack.enter_context(open_engine(way)) for way in ways]
            return _compare(engines, prompts)
    except RaqError:
        return None


def _compare(engines: Sequence[Engine], prompts: Sequence[Prompt]) -> Price | None:
    ratios: list[float] = []
    spent = 0.0
    for number in range(_ROUNDS):
        order = engines if number % 2 == 0 else engines[::-1]
        seconds = {id(engine): _time(engine, prompts) for engine in order}
        usual, reproducible = (seconds[id(engine)] for engine in engines)
        if not usual or not reproducible or max(usual, reproducible) > _PATIENCE:
            return None
        ratios.append(reproducible / usual)
        spent += usual + reproducible
        if spent > _ENOUGH:
            break
    return Price(median(ratios))


def _time(engine: Engine, prompts: Sequence[Prompt]) -> float:
    """Return the seconds that all prompts take; 0 if one of them has no answer."""
    started = time.perf_counter()
    outcomes = list(engine.answers(prompts))
    is_whole = all(isinstance(outcome, Answer) for outcome in outcomes)
    return time.perf_counter() - started if is_whole else 0.0
