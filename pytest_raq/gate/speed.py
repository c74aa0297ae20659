"""The rules of the gate for speed.

A regression where a gated measure (decode, prefill) is slower by more than ``max_slowdown``:
the test of a ratio of 1 − ``max_slowdown`` has, after Holm over models and measures, a p of at
most half of ``alpha``. So one model's 95 % interval is then below that ratio, with the usual
``alpha``. A pass where the intervals of both are above it; otherwise inconclusive. What is not
known, or not decided, is reported and does not change the verdict on quality.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.records import Decision, SpeedReference
from pytest_raq.stats.speed import GATED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.config import GateSettings
    from pytest_raq.records import Interval, SpeedEvidence

ROUNDING = 1e-9

NOT_MEASURED = "speed not measured"
UNCHANGED = "speed unchanged"


@dataclass(frozen=True, slots=True)
class SpeedFinding:
    """What is decided about speed: ``summary`` in a few words, the decisive reason first."""

    decision: Decision
    summary: str
    reasons: tuple[str, ...] = ()


def weigh_speed(
    speed: Sequence[SpeedEvidence],
    settings: GateSettings,
    *,
    is_unchanged: bool = False,
    obstacle: str = "",
) -> SpeedFinding:
    """Return what is decided about the speed of one model.

    ``is_unchanged`` says that file, engine and settings are the accepted ones, ``obstacle`` why
    there is nothing to compare.
    """
    if not speed:
        return _without_figures(is_unchanged=is_unchanged, obstacle=obstacle)
    gated = sorted(
        (item for item in speed if item.measure in GATED), key=lambda i: GATED.index(i.measure)
    )
    found = [(_weigh_one(item, settings), item) for item in gated]
    worst = _worst([decision for decision, _ in found])
    deciding = next((item for decision, item in found if decision is worst), None)
    summary = _summary(deciding or speed[0])
    if deciding is None:
        return SpeedFinding(worst, summary, (f"speed: {_all(speed)}; nothing of it is gated",))
    if worst is Decision.PASS:
        return SpeedFinding(worst, summary, (f"speed kept: {_all(speed)}{_against(deciding)}",))
    told = [_one(item, decision, settings) for decision, item in found if decision is worst]
    return SpeedFinding(worst, summary, tuple(told))


def _without_figures(*, is_unchanged: bool, obstacle: str) -> SpeedFinding:
    if is_unchanged:
        return SpeedFinding(Decision.UNCHANGED, UNCHANGED)
    if obstacle:
        return SpeedFinding(
            Decision.INCONCLUSIVE, "speed not compared", (f"speed not compared: {obstacle}",)
        )
    return SpeedFinding(Decision.NOT_MEASURED, NOT_MEASURED)


def _weigh_one(item: SpeedEvidence, settings: GateSettings) -> Decision:
    if item.adjusted_p <= settings.alpha / 2:
        return Decision.REGRESSION
    if item.interval.low >= 1 - settings.max_slowdown - ROUNDING:
        return Decision.PASS
    return Decision.INCONCLUSIVE


def _worst(decisions: Sequence[Decision]) -> Decision:
    for decision in (Decision.REGRESSION, Decision.INCONCLUSIVE):
        if decision in decisions:
            return decision
    return Decision.PASS if decisions else Decision.INCONCLUSIVE


def unable_to_fail(settings: GateSettings) -> Iterator[str]:
    """Yield why a setting makes the gate for speed unable to fail."""
    if settings.max_slowdown >= 1:
        yield (
            f"max_slowdown = {settings.max_slowdown:g}: no loss of speed can fail this suite;"
            " set max_slowdown = 0.10"
        )


def _one(item: SpeedEvidence, decision: Decision, settings: GateSettings) -> str:
    limit = f"{100 * settings.max_slowdown:g} % (max_slowdown)"
    told = f"{_name(item)} {_change(item)}speed {_ratio(item)}{_against(item)}"
    if decision is Decision.REGRESSION:
        return f"slower by more than {limit}: {told}"
    if math.isnan(item.interval.low):
        return f"speed is inconclusive: {told}; there are too few rounds for an interval"
    return f"speed is inconclusive: {told}; a loss of {limit} cannot be ruled out"


def _change(item: SpeedEvidence) -> str:
    if math.isnan(item.now) or math.isnan(item.before):
        return ""
    return f"{item.before:.4g} → {item.now:.4g}, "


def _against(item: SpeedEvidence) -> str:
    if item.against is SpeedReference.ACCEPTED:
        count = f", {item.processes} pairs of processes" if item.processes else ""
        return f" (in turns with the accepted model{count})"
    if item.against is SpeedReference.YARDSTICK:
        return " (as a multiple of the yardstick model)"
    return " (a server, at another time)"


def _summary(item: SpeedEvidence) -> str:
    return f"{_short(item)} {_ratio(item, interval=', ')}"


def _all(speed: Sequence[SpeedEvidence]) -> str:
    return ", ".join(f"{_short(item)} {_ratio(item)}" for item in speed)


def _ratio(item: SpeedEvidence, interval: str = ", interval ") -> str:
    return f"×{item.ratio:.2f}{interval}{_interval(item.interval)}"


def _interval(interval: Interval) -> str:
    if math.isnan(interval.low) or math.isnan(interval.high):
        return "undefined"
    return f"{interval.low:.2f} to {interval.high:.2f}"


def _name(item: SpeedEvidence) -> str:
    return item.measure.replace("_", " ")


def _short(item: SpeedEvidence) -> str:
    return {
        "decode_tokens_per_second": "decode",
        "prefill_tokens_per_second": "prefill",
    }.get(item.measure, _name(item))
