"""From the JSON of a run back to its results."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING

from pytest_raq.records import Question, SuiteResult

if TYPE_CHECKING:
    from collections.abc import Mapping

Table = dict[str, object]
_QUESTION = tuple(item.name for item in fields(Question))


def suite_from_json(name: str, table: Mapping[str, object]) -> SuiteResult:
    """Return the result that `suite_to_json` wrote.

    The accepted answers stand with the questions, so the questions and the
    speed samples of the baseline are left out. ValueError, which for a wrong
    type is pydantic's with the place, when it is no such result.
    """
    from pydantic import TypeAdapter

    given = {**table, "suite": name}
    for key in ("models", "verdicts", "questions"):
        given[key] = _named(given, key)
    asked = [item for _, item in _items(given, "questions")]
    given["questions"] = [_question(item) for item in asked]
    given["tests"] = _undefined(given.get("tests") or None)
    given["verdicts"] = {key: _verdict(item) for key, item in _items(given, "verdicts")}
    given["standing"] = _undefined(given.get("standing") or [])
    given.setdefault("passages", len({str(_table(q).get("passage")) for q in asked}))
    given["models"] = {key: _model(item) for key, item in _items(given, "models")}
    baseline = _table(given.get("baseline") or {})
    given["baseline_problem"] = baseline.get("problem") or ""
    given["baseline"] = _baseline(name, baseline) if "models" in baseline else None
    return TypeAdapter(SuiteResult).validate_python(given)


def _items(table: Mapping[str, object], key: str) -> list[tuple[str, object]]:
    return list(_table(table[key]).items())


def _named(table: Mapping[str, object], key: str) -> Table:
    """Return an object by name with each name also inside; ValueError when it is none."""
    found = table.get(key)
    if not isinstance(found, dict):
        raise ValueError(f"{key}: is missing")  # noqa: TRY004 - told as other wrong values are
    inner = {"models": "model", "verdicts": "model", "questions": "id"}[key]
    return {
        str(name): {**item, inner: name} if isinstance(item, dict) else item
        for name, item in found.items()
    }


def _table(value: object) -> Table:
    return value if isinstance(value, dict) else {}


def _question(item: object) -> object:
    """Return what pydantic reads as a `QuestionResult`."""
    if not isinstance(item, dict):
        return item
    known = {key: item[key] for key in _QUESTION if key in item}
    return {**item, "question": known}


def _model(item: object) -> object:
    if not isinstance(item, dict):
        return item
    return {**item, "interval": _undefined(item.get("interval"))}


def _verdict(item: object) -> object:
    if not isinstance(item, dict):
        return item
    return {
        "model": item["model"],
        "decision": item.get("verdict"),
        "reasons": item.get("reasons", []),
        "quality": _undefined(item.get("quality")),
        "speed": _undefined(item.get("speed") or []),
    }


def _baseline(suite: str, table: Table) -> Table:
    models = _named(table, "models")
    return {
        **table,
        "suite": suite,
        "models": {key: _model(item) for key, item in models.items()},
        "tests": _undefined(table.get("tests")),
        "speeds": {},
        "questions": {},
    }


def _undefined(value: object) -> object:
    """Return what is below a value with NaN where JSON has null."""
    if isinstance(value, dict):
        return {key: math.nan if item is None else _undefined(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_undefined(item) for item in value]
    return value
