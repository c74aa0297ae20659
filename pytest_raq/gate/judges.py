"""Whether a judge is believed, by how it ranked answers of known order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_raq.gate.words import percent

if TYPE_CHECKING:
    from pytest_raq.config import GateSettings
    from pytest_raq.records import JudgeCheck, Proportion, Trend

ROUNDING = 1e-9

POSITION_TAU = 0.5
"""Kendall's tau between rank and place in the prompt from which a judge reads places."""
POSITION_P = 0.001
"""p up to which that is no chance."""

MOST_MISSING = 0.5
"""Share of sentinels without a verdict from which a judge is not measured."""


def judge_problem(check: JudgeCheck, settings: GateSettings) -> str:
    """Return why a judge is not believed, on one line; empty when it is.

    A judge that ranks by place is refused where its verdicts rest on one
    order of the answers; where they are read in two, its ranks level out,
    and its accuracy says what is left.
    """
    if not settings.min_judge_accuracy:
        return ""
    unmeasured = why_unmeasured(check)
    if unmeasured:
        return unmeasured
    head = f"judge {check.judge!r} is not believed: "
    biased = reads_places(check.position)
    if check.accuracy.share < settings.min_judge_accuracy - ROUNDING:
        of = " of built-in questions (the suite makes none)" if check.are_spare else ""
        more = f"; {_place(check)}" if biased else ""
        return head + _too_low(check.accuracy, of, settings) + more
    if biased and check.orders < 2:
        return f"{head}{_place(check)}; orders = 2 in its [judge] table asks in both orders"
    return ""


def why_unmeasured(check: JudgeCheck) -> str:
    """Return why nothing can be said of a judge; empty when something can."""
    if not check.cases:
        return f"judge {check.judge!r} cannot be checked: there are no cases of known order"
    if check.missing > MOST_MISSING * check.cases:
        return (
            f"judge {check.judge!r} cannot be checked: it gave no ranking of {check.missing} of"
            f" {check.cases} cases of known order: {check.reason}"
        )
    return ""


def reads_places(position: Trend) -> bool:
    """Whether ranks undeniably go with the place in the prompt."""
    defined = not math.isnan(position.tau + position.p_value)
    return defined and abs(position.tau) >= POSITION_TAU and position.p_value <= POSITION_P


def _too_low(accuracy: Proportion, of: str, settings: GateSettings) -> str:
    low, high = accuracy.interval.low, accuracy.interval.high
    return (
        f"it ranked {accuracy.count} of {accuracy.total} pairs of known order{of} rightly"
        f" ({percent(accuracy.share)}, interval {percent(low)} to {percent(high)});"
        f" min_judge_accuracy is {percent(settings.min_judge_accuracy)}"
    )


def _place(check: JudgeCheck) -> str:
    which = "first" if check.position.tau > 0 else "last"
    tau = f"{check.position.tau:.2f}".replace("-", "−")
    return f"it prefers what it reads {which} (Kendall's tau {tau}, p < {POSITION_P:g})"
