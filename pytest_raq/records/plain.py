"""Converts records to plain data, and plain data back to outcomes."""

from __future__ import annotations

import math
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from pytest_raq.records.answers import (
    Answer,
    Failure,
    FinishReason,
    Timing,
    answer_from_reply,
)
from pytest_raq.records.likelihood import Likelihood, Scores
from pytest_raq.text import well_formed

if TYPE_CHECKING:
    from pytest_raq.records.answers import Outcome
    from pytest_raq.records.likelihood import ScoreOutcome


Json = dict[str, object]


def plain(value: object) -> object:
    """Return dataclasses, enums and tuples as JSON data; NaN and infinities as None."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def outcome_from(row: dict[str, Any]) -> Outcome:
    """Return the outcome from a table made by ``dataclasses.asdict``."""
    if "reason" in row:
        return Failure(**row)
    timing, reason = Timing(**row["timing"]), FinishReason(row["finish_reason"])
    text = well_formed(row["text"])
    if "reasoning" not in row:  # of an earlier version
        return answer_from_reply(row["question_id"], row["model"], text, reason, timing)
    return Answer(**{**row, "text": text, "timing": timing, "finish_reason": reason})


def scores_from(row: dict[str, Any]) -> ScoreOutcome:
    """Return the scores of a question from a table made by ``dataclasses.asdict``."""
    if "reason" in row:
        return Failure(**row)
    texts = {text: Likelihood(**table) for text, table in row["texts"].items()}
    return Scores(row["question_id"], row["model"], texts, row["problems"])
