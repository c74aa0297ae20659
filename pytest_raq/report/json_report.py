"""A run as plain data for ``--raq-json``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pytest_raq.report.judge_json import judges_to_json
from pytest_raq.report.plain import Json, plain

if TYPE_CHECKING:
    from pytest_raq.records import ModelSummary, QuestionResult, SuiteResult, Verdict

__all__ = ["Json", "plain", "suite_to_json"]


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
        "judge": judges_to_json(result.judges),
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
        "orders_agreed": item.orders_agreed,
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
