"""What is known of judges as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.report.plain import Json, plain

if TYPE_CHECKING:
    from pytest_raq.records import (
        Agreement,
        HumanAgreement,
        JudgeCheck,
        JudgeHabits,
        JudgeReport,
        PairOfJudges,
        Proportion,
    )


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
        "f1": {**_table(check.f1), "spearman": plain(check.f1_spearman)},
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
        "f1": {**_table(habits.f1), "spearman": plain(habits.f1_spearman)},
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


def _table(value: object) -> Json:
    table = plain(value)
    assert isinstance(table, dict)
    return table
