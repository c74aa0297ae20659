"""A run as plain data for ``--raq-json``."""

from __future__ import annotations

import math
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_raq.records import ModelSummary, QuestionResult, SuiteResult, Verdict

Json = dict[str, object]


def suite_to_json(result: SuiteResult) -> Json:
    """Return one suite of a run; undefined numbers are None, keys are strings."""
    tests = result.tests
    return {
        "models": {name: _model(model) for name, model in result.models.items()},
        "tests": {} if tests is None else plain(tests),
        "verdicts": {name: _verdict(verdict) for name, verdict in result.verdicts.items()},
        "standing": plain(result.standing),
        "questions": {item.question.id: _question(item) for item in result.questions},
        "passages": result.passages,
        "speeds": plain(result.speeds),
        "baseline": _baseline(result),
        "notes": list(result.notes),
        "provenance": plain(result.provenance),
    }


def _model(model: ModelSummary) -> object:
    table = asdict(model)
    del table["model"]
    return plain(table)


def _verdict(verdict: Verdict) -> Json:
    quality = verdict.quality
    return {
        "verdict": verdict.decision.value,
        "net_preference": None if quality is None else plain(quality.net_preference),
        "interval": None if quality is None else plain(quality.interval),
        "p_value": None if quality is None else plain(quality.adjusted_p),
        "reasons": list(verdict.reasons),
        "quality": plain(quality),
        "speed": plain(verdict.speed),
    }


def _question(item: QuestionResult) -> Json:
    return {
        "title": item.question.title,
        "passage": item.question.passage,
        "group": item.question.group,
        "question": item.question.question,
        "references": list(item.question.references),
        "answerable": item.question.answerable,
        "answers": dict(item.answers),
        "baseline_answers": dict(item.baseline_answers),
        "failures": dict(item.failures),
        "ranks": dict(item.ranks),
        "preferences": dict(item.preferences),
        "missing": item.missing,
    }


def _baseline(result: SuiteResult) -> Json | None:
    if result.baseline is None:
        return {"problem": result.baseline_problem} if result.baseline_problem else None
    return {
        "accepted_at": result.baseline.accepted_at,
        "reason": result.baseline.reason,
        "problem": result.baseline_problem,
        "models": {name: _model(model) for name, model in result.baseline.models.items()},
        "tests": plain(result.baseline.tests),
        "provenance": plain(result.baseline.provenance),
    }


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
