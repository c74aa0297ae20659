"""The JSON of a run: written, and read back to its results."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError
from pytest_raq.files import show_path
from pytest_raq.records import Question, SuiteResult
from pytest_raq.records.plain import Json, plain
from pytest_raq.records.reasoning import split_reasoning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_raq.records import (
        Agreement,
        Baseline,
        HumanAgreement,
        JudgeCheck,
        JudgeHabits,
        JudgeReport,
        ModelSummary,
        PairOfJudges,
        Proportion,
        QuestionResult,
        Verdict,
    )


Table = dict[str, object]
_QUESTION = tuple(item.name for item in fields(Question))

JSON_FORMAT = 1
"""The number of the layout; another one is refused."""


def suite_from_json(name: str, table: Mapping[str, object]) -> SuiteResult:
    """Return the result that `suite_to_json` wrote.

    The accepted answers stand with the questions, so the questions and the
    speed samples of the baseline are left out. ValueError, which for a wrong
    type is pydantic's with the place, when it is not such a result.
    """
    from pydantic import TypeAdapter

    given = {**table, "suite": name}
    for key in ("models", "verdicts", "questions"):
        given[key] = _named(given, key)
    asked = [item for _, item in _items(given, "questions")]
    given["questions"] = [_question_from_json(item) for item in asked]
    given["tests"] = _undefined(given.get("tests") or None)
    given["verdicts"] = {key: _verdict_from_json(item) for key, item in _items(given, "verdicts")}
    given["standing"] = _undefined(given.get("standing") or [])
    given.setdefault("passages", len({str(_table(q).get("passage")) for q in asked}))
    given["models"] = {key: _model_from_json(item) for key, item in _items(given, "models")}
    baseline = _table(given.get("baseline") or {})
    given["baseline_problem"] = baseline.get("problem") or ""
    given["baseline"] = _baseline_from_json(name, baseline) if "models" in baseline else None
    anchor = _table(given.get("anchor") or {})
    given["anchor"] = _baseline_from_json(name, anchor) if "models" in anchor else None
    return TypeAdapter(SuiteResult).validate_python(given)


def _items(table: Mapping[str, object], key: str) -> list[tuple[str, object]]:
    return list(_table(table[key]).items())


def _named(table: Mapping[str, object], key: str) -> Table:
    """Return an object by name with each name also inside; ValueError when it is not one."""
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


def _question_from_json(item: object) -> object:
    """Return what pydantic reads as a `QuestionResult`."""
    if not isinstance(item, dict):
        return item
    known = {key: item[key] for key in _QUESTION if key in item}
    given = item if "reasoning" in item else _with_reasoning_apart(item)
    return {**given, "question": known}


def _with_reasoning_apart(item: Table) -> Table:
    """Return a question of an earlier version, which left reasoning in front of answers."""
    found = {model: split_reasoning(str(text)) for model, text in _items(item, "answers")}
    before = _items(item, "baseline_answers") if "baseline_answers" in item else []
    return {
        **item,
        "answers": {model: parts.text for model, parts in found.items()},
        "baseline_answers": {model: split_reasoning(str(text)).text for model, text in before},
        "reasoning": {model: parts.reasoning for model, parts in found.items() if parts.reasoning},
        "unfinished": [model for model, parts in found.items() if parts.is_open],
    }


def _model_from_json(item: object) -> object:
    if not isinstance(item, dict):
        return item
    return {**item, "interval": _undefined(item.get("interval"))}


def _verdict_from_json(item: object) -> object:
    if not isinstance(item, dict):
        return item
    return {
        "model": item["model"],
        "decision": item.get("verdict"),
        "reasons": item.get("reasons", []),
        "quality": _undefined(item.get("quality")),
        "speed": _undefined(item.get("speed") or []),
        "speed_summary": item.get("speed_summary", ""),
        "f1": _undefined(item.get("f1")),
        "since_anchor": _undefined(_table(item.get("anchor")).get("quality")),
        "f1_since_anchor": _undefined(_table(item.get("anchor")).get("f1")),
        "likelihood": _likelihood_from_json(item.get("likelihood")),
        "likelihood_since_anchor": _likelihood_from_json(item.get("likelihood_since_anchor")),
    }


def _likelihood_from_json(item: object) -> object:
    if not isinstance(item, dict):
        return None
    drift = item.get("drift")
    table = {key: value for key, value in item.items() if key != "drift"}
    return {**_table(_undefined(table)), "drift": _undefined(drift) if drift else None}


def _baseline_from_json(suite: str, table: Table) -> Table:
    models = _named(table, "models")
    return {
        **table,
        "suite": suite,
        "models": {key: _model_from_json(item) for key, item in models.items()},
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


def judges_to_json(report: JudgeReport | None) -> Json | None:
    """Return what a run knows of its judges; undefined numbers are None."""
    if report is None:
        return None
    agreement = report.agreement
    return {
        "judges": list(report.judges),
        "problems": list(report.problems),
        "check": {name: check_to_json(check) for name, check in report.checks.items()},
        "habits": {name: _habits(habits) for name, habits in report.habits.items()},
        "agreement": None if agreement is None else _agreement(agreement),
        "ranks": plain(report.ranks),
        "orders_agreed": dict(report.agreed),
    }


def check_to_json(check: JudgeCheck) -> Json:
    """Return how a judge ranked sentinels."""
    return {
        "cases": check.cases,
        "built_in_questions": check.are_spare,
        "missing": check.missing,
        "reason": check.reason,
        "orders": check.orders,
        "accuracy": _proportion(check.accuracy),
        "kinds": {kind: _proportion(item) for kind, item in check.kinds.items()},
        "level": _proportion(check.level),
        "consistency": _proportion(check.consistency),
        "position": plain(check.position),
        "length": plain(check.length),
        "f1": {**_judges_table(check.f1), "spearman": plain(check.f1_spearman)},
    }


def humans_to_json(found: HumanAgreement) -> Json:
    """Return how far a judge agrees with people."""
    return {
        "rankings": found.rankings,
        "missing": found.missing,
        "tau": plain(found.tau),
        "same": _proportion(found.same),
    }


def _habits(habits: JudgeHabits) -> Json:
    return {
        "ranked": habits.ranked,
        "missing": habits.missing,
        "orders_agreed": _proportion(habits.agreed),
        "position": plain(habits.position),
        "length": plain(habits.length),
        "f1": {**_judges_table(habits.f1), "spearman": plain(habits.f1_spearman)},
    }


def _agreement(agreement: Agreement) -> Json:
    return {
        "judges": list(agreement.judges),
        "questions": agreement.questions,
        "kendall_w": plain(agreement.kendall_w),
        "kendall_w_by_chance": plain(agreement.chance),
        "kendall_w_by_question": plain(dict(agreement.by_question)),
        "krippendorff_alpha": plain(agreement.alpha),
        "pairs": [_pair(item) for item in agreement.pairs],
    }


def _pair(pair: PairOfJudges) -> Json:
    return {
        "first": pair.first,
        "second": pair.second,
        "tau": plain(pair.tau),
        "same": _proportion(pair.same),
    }


def _proportion(value: Proportion) -> Json:
    return {
        "count": value.count,
        "total": value.total,
        "share": plain(value.share),
        "interval": plain(value.interval),
    }


def _judges_table(value: object) -> Json:
    table = plain(value)
    assert isinstance(table, dict)
    return table


def suite_to_json(result: SuiteResult) -> Json:
    """Return one suite of a run; undefined numbers are None, keys are strings."""
    tests = result.tests
    return {
        "models": {name: _model_to_json(model) for name, model in result.models.items()},
        "tests": {} if tests is None else plain(tests),
        "verdicts": {name: _verdict_to_json(verdict) for name, verdict in result.verdicts.items()},
        "margin": result.margin,
        "gate": dict(result.gate),
        "changes": list(result.changes),
        "standing": plain(result.standing),
        "questions": {item.question.id: _question_to_json(item) for item in result.questions},
        "passages": result.passages,
        "speeds": plain(result.speeds),
        "accepted_speeds": plain(dict(result.accepted_speeds)),
        "baseline": _baseline_to_json(result.baseline, result.baseline_problem),
        "anchor": _baseline_to_json(result.anchor),
        "judge": judges_to_json(result.judges),
        "notes": list(result.notes),
        "repeatability": plain(dict(result.repeatability)),
        "from_store": dict(result.from_store),
        "provenance": plain(result.provenance),
    }


def _model_to_json(model: ModelSummary) -> object:
    table = asdict(model)
    del table["model"]
    return plain(table)


def _verdict_to_json(verdict: Verdict) -> Json:
    quality = verdict.quality
    return {
        "verdict": verdict.decision.value,
        "net_preference": None if quality is None else plain(quality.net_preference),
        "interval": None if quality is None else plain(quality.interval),
        "p_value": None if quality is None else plain(quality.adjusted_p),
        "reasons": list(verdict.reasons),
        "quality": plain(quality),
        "speed": plain(verdict.speed),
        "speed_summary": verdict.speed_summary,
        "likelihood": plain(verdict.likelihood),
        "likelihood_since_anchor": plain(verdict.likelihood_since_anchor),
        "f1": plain(verdict.f1),
        "anchor": _anchor_to_json(verdict),
    }


def _anchor_to_json(verdict: Verdict) -> Json | None:
    """Return the comparison with the anchor; None where it is the accepted state itself."""
    quality = verdict.since_anchor
    if quality is None:
        return None
    return {
        "net_preference": plain(quality.net_preference),
        "interval": plain(quality.interval),
        "p_value": plain(quality.adjusted_p),
        "quality": plain(quality),
        "f1": plain(verdict.f1_since_anchor),
    }


def _question_to_json(item: QuestionResult) -> Json:
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
        "reference_bits": dict(item.reference_bits),
        "baseline_reference_bits": dict(item.baseline_reference_bits),
        "answer_bits": dict(item.answer_bits),
        "likelihoods": plain(item.likelihoods),
        "reasons": dict(item.reasons),
        "baseline_reasons": dict(item.baseline_reasons),
        "reasoning": dict(item.reasoning),
        "unfinished": list(item.unfinished),
    }


def _baseline_to_json(baseline: Baseline | None, problem: str = "") -> Json | None:
    if baseline is None:
        return {"problem": problem} if problem else None
    return {
        "accepted_at": baseline.accepted_at,
        "reason": baseline.reason,
        "problem": problem,
        "models": {name: _model_to_json(model) for name, model in baseline.models.items()},
        "tests": plain(baseline.tests),
        "gate": dict(baseline.gate),
        "provenance": plain(baseline.provenance),
    }


def read_suites(path: Path) -> dict[str, object]:
    """Return the suites of a result file; ConfigError when it is not such a file."""
    where = show_path(path)
    try:
        table = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise ConfigError(f"{where}: cannot be read: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{where}: is not JSON: {exc}") from exc
    suites = table.get("suites") if isinstance(table, dict) else None
    if not isinstance(suites, dict):
        raise ConfigError(f"{where}: suites: is missing; expected a file of --raq-json")
    if table.get("format") != JSON_FORMAT:
        raise ConfigError(
            f"{where}: format is {table.get('format')!r}, this version reads {JSON_FORMAT};"
            " write the file again with --raq-json"
        )
    return suites


def read_result(where: str, suite: str, table: object) -> SuiteResult:
    """Return the result of a suite; ConfigError, which names the place, when it is not one."""
    from pydantic import ValidationError

    if not isinstance(table, dict):
        raise ConfigError(
            f"{where}: suites.{suite}: is not an object; write the file again with --raq-json"
        )
    try:
        return suite_from_json(suite, table)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        place = ".".join(str(part) for part in ("suites", suite, *first["loc"]))
        told = f"{place}: {first['msg'][0].lower()}{first['msg'][1:]}"
    except ValueError as exc:
        told = f"suites.{suite}.{exc}"
    raise ConfigError(f"{where}: {told}; write the file again with --raq-json")
