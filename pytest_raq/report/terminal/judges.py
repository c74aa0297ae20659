"""What is known of judges as lines of a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_raq.text import columns, number, p_text, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records import (
        Agreement,
        HumanAgreement,
        JudgeCheck,
        JudgeReport,
        LengthPreference,
        Proportion,
        Trend,
    )

KINDS = {
    "reworded": "a reworded reference above another question's answer",
    "other answer": "a reference above another question's answer in a long text",
    "empty": "a reference above an empty answer",
    "truncated": "a reference above a part of it",
    "buried": "a reference in a long text above another question's answer",
    "instruction": "a reference above an order to the judge",
}
"""What each kind of pair tests."""


def judge_lines(report: JudgeReport | None) -> list[str]:
    """Return what a run knows of its judges, a line each; nothing for a judge that is free."""
    if report is None:
        return []
    lines = [_in_short(check) for check in report.checks.values()]
    return lines + (list(_agreement(report.agreement)) if report.agreement else [])


def _in_short(check: JudgeCheck) -> str:
    parts = [f"{_share(check.accuracy)} pairs of known order ranked correctly"]
    if not math.isnan(check.position.tau):
        parts.append(f"place in the prompt {_trend(check.position)}")
    if check.are_spare:
        parts.append("built-in questions: the suite makes no answers of known order")
    if check.missing:
        parts.append(f"{check.missing} of {check.cases} cases without a ranking")
    return f"judge {safe_text(check.judge)}: {', '.join(parts)}"


def _agreement(agreement: Agreement) -> Iterator[str]:
    yield (
        f"judges {safe_text(', '.join(agreement.judges))} on"
        f" {agreement.questions} question{'s' * (agreement.questions != 1)}:"
        f" Kendall's W {number(agreement.kendall_w)} (by chance {number(agreement.chance)}),"
        f" Krippendorff's α {number(agreement.alpha)}"
    )
    for pair in agreement.pairs:
        names = f"{safe_text(pair.first)} – {safe_text(pair.second)}"
        yield f"  {names}: tau {number(pair.tau)}, {_counted(pair.same)} pairs alike"


def check_lines(check: JudgeCheck) -> list[str]:
    """Return all figures of a check."""
    rows = [
        (kind, f"{item.count}", f"of {item.total}", KINDS.get(kind, ""))
        for kind, item in check.kinds.items()
    ]
    spare = " of built-in questions, as the suite makes none" if check.are_spare else ""
    return [
        f"judge {safe_text(check.judge)}: {check.cases} cases{spare}"
        + (
            f", {check.missing} without a ranking: {safe_text(check.reason)}"
            if check.missing
            else ""
        ),
        f"accuracy     {_share(check.accuracy)} pairs of known order",
        *(f"  {line}" for line in columns(rows)),
        f"consistency  {_share(check.consistency)} cases ranked the same each time",
        f"ties         {_share(check.level)} pairs of equally right wordings tied",
        f"position     {_position(check)}",
        f"length       {_length(check.length)}",
        f"F1           {_trend(check.f1)}, Spearman {number(check.f1_spearman)}",
    ]


def human_lines(found: HumanAgreement) -> list[str]:
    """Return how far a judge agrees with people."""
    count = f"{found.rankings} ranking{'s' * (found.rankings != 1)}"
    alike = f"tau {number(found.tau)}, {_share(found.same)} pairs alike"
    lines = [f"people       {count}: {alike}"]
    if found.missing:
        lines.append(f"             {found.missing} of them without a ranking by the judge")
    return lines


def _position(check: JudgeCheck) -> str:
    if not check.position.pairs:
        return "not known: the judge is not shown the answers in an order"
    return f"{_trend(check.position)} (positive: what is read first ranks better)"


def _length(found: LengthPreference) -> str:
    p_value = "" if math.isnan(found.p_value) else f" ({_p(found.p_value)})"
    return (
        "of two answers with the same meaning, the longer ranked higher"
        f" {found.longer} times, the shorter {found.shorter}, tied {found.level}{p_value}"
    )


def _trend(found: Trend) -> str:
    if math.isnan(found.tau):
        return "tau –"
    return f"tau {number(found.tau)}, {_p(found.p_value)}"


def _p(value: float) -> str:
    text = p_text(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _counted(found: Proportion) -> str:
    return f"{found.count} of {found.total}"


def _share(found: Proportion) -> str:
    if not found.total:
        return "none of 0"
    low, high = (f"{100 * bound:.0f} %" for bound in (found.interval.low, found.interval.high))
    return f"{_counted(found)} ({100 * found.share:.0f} %, interval {low} to {high})"
