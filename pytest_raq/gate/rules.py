"""The rules of the gate.

Quality: a regression where the adjusted p is at most ``alpha`` and the net
preference at most −``min_effect``; a pass where the interval is above
−``margin``; otherwise inconclusive. A loss of F1 beyond ``max_f1_drop``
prevents a pass: F1 is not tested, so it never makes a regression.
Speed: a regression where a whole interval is beyond ``max_slowdown``, also
compared with what the machine itself has lost. Unknown
speed is reported and does not change the verdict on quality.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.gate import reasons as words
from pytest_raq.records import Decision, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.config import GateSettings
    from pytest_raq.records import QualityEvidence, SpeedEvidence

ROUNDING = 1e-9
"""Slack for limits: a loss of exactly 0.02 must not be 0.020000000000000018."""


@dataclass(frozen=True, slots=True)
class GateInput:
    """The figures of one model from which its verdict follows.

    ``expected`` counts the questions of the suite, even if only a selection
    ran, ``answered`` those with a new answer, ``ranked`` those with an
    answer and a complete ranking. ``judge_problems`` says why judges are not
    trusted. ``f1_now`` and ``f1_before`` are means over
    the same questions. ``same_machine`` is None if it is not known,
    ``machine`` compares the speed of that machine now and at the baseline,
    ``models`` is the number of models in Holm's correction.
    """

    model: str
    expected: int
    answered: int
    ranked: int
    quality: QualityEvidence | None = None
    baseline_problem: str = ""
    f1_now: float | None = None
    f1_before: float | None = None
    speed: tuple[SpeedEvidence, ...] = ()
    same_machine: bool | None = None
    machine: SpeedEvidence | None = None
    models: int = 1
    judge_problems: tuple[str, ...] = ()


Finding = tuple[Decision, list[str]]


def decide(gate_input: GateInput, settings: GateSettings) -> Verdict:
    """Return the verdict of one model; its first reason is the decisive one."""
    decision, reasons = _decide_quality(gate_input, settings)
    if gate_input.speed:
        pace, told = _weigh_speed(
            gate_input.speed, settings, gate_input.same_machine, gate_input.machine
        )
        slower = pace is Decision.REGRESSION
        if slower and decision in {Decision.PASS, Decision.INCONCLUSIVE}:
            decision, reasons = Decision.REGRESSION, told + reasons
        else:
            reasons = reasons + told
    return Verdict(gate_input.model, decision, tuple(reasons), gate_input.quality, gate_input.speed)


def decide_speed(
    model: str,
    speed: Sequence[SpeedEvidence],
    settings: GateSettings,
    *,
    same_machine: bool | None,
    machine: SpeedEvidence | None = None,
) -> Verdict:
    """Return the verdict on speed alone; without any figure it is ``NOT_MEASURED``."""
    if not speed:
        return Verdict(model, Decision.NOT_MEASURED, ("no speed was measured",))
    decision, reasons = _weigh_speed(speed, settings, same_machine, machine)
    return Verdict(model, decision, tuple(reasons), speed=tuple(speed))


def is_failure(verdict: Verdict, settings: GateSettings, *, updating: bool = False) -> bool:
    """Return whether a verdict fails the build; while accepting, only NOT_MEASURED does."""
    if updating:
        return verdict.decision is Decision.NOT_MEASURED
    if verdict.decision is Decision.INCONCLUSIVE:
        return settings.inconclusive == "fail"
    return verdict.decision is not Decision.PASS


def _decide_quality(given: GateInput, settings: GateSettings) -> Finding:
    missing = list(words.missing(given.expected, given.answered, given.ranked, settings))
    if given.judge_problems or min(given.answered, given.ranked) < 1:
        problems = [*given.judge_problems, *missing, *filter(None, [given.baseline_problem])]
        return Decision.NOT_MEASURED, problems
    if given.baseline_problem:
        return Decision.NO_BASELINE, [given.baseline_problem, *missing]
    if missing:
        return Decision.NOT_MEASURED, missing
    if given.quality is None or given.quality.questions < 1:
        return Decision.NOT_MEASURED, ["no question has an accepted answer to compare with"]
    uncompared = list(words.uncompared(given.expected, given.quality.questions, settings))
    if uncompared:
        return Decision.NOT_MEASURED, uncompared
    decision, reasons = _weigh(given.quality, settings, given.models)
    return _hold_back(decision, reasons, given, settings)


def _weigh(quality: QualityEvidence, settings: GateSettings, models: int) -> Finding:
    evidence = words.quality(quality, models)
    if (
        quality.adjusted_p <= settings.alpha
        and quality.net_preference <= ROUNDING - settings.min_effect
        and quality.worse > quality.better
    ):
        return Decision.REGRESSION, [evidence]
    tested = not math.isnan(quality.adjusted_p + quality.net_preference)
    if tested and quality.interval.low > ROUNDING - settings.margin:
        return Decision.PASS, [evidence]
    return Decision.INCONCLUSIVE, [evidence, *words.undecided(quality, settings)]


def _hold_back(
    decision: Decision, reasons: list[str], given: GateInput, settings: GateSettings
) -> Finding:
    """Add the reason about F1; a loss beyond ``max_f1_drop`` turns a pass into inconclusive."""
    if given.f1_now is None or given.f1_before is None:
        return decision, reasons
    if given.f1_before - given.f1_now <= settings.max_f1_drop + ROUNDING:
        return decision, reasons
    loss = words.f1_drop(given.f1_before, given.f1_now, settings)
    if decision is Decision.PASS:
        return Decision.INCONCLUSIVE, [loss, *reasons]
    return decision, [*reasons, loss]


def _weigh_speed(
    speed: Sequence[SpeedEvidence],
    settings: GateSettings,
    same_machine: bool | None,
    machine: SpeedEvidence | None = None,
) -> Finding:
    if not same_machine:
        return Decision.INCONCLUSIVE, [words.other_machine(known=same_machine is not None)]
    found = [(_weigh_one(item, settings), item) for item in speed]
    if machine is not None and machine.interval.high < 1:
        excused = [item for one, item in found if one is Decision.REGRESSION]
        if excused and not any(_is_slower_than(machine, item, settings) for item in excused):
            return Decision.INCONCLUSIVE, [words.slower_machine(machine, excused[0], settings)]
    for decision in (Decision.REGRESSION, Decision.INCONCLUSIVE):
        reasons = [words.speed(item, decision, settings) for one, item in found if one is decision]
        if reasons:
            return decision, reasons
    return Decision.PASS, [words.speed_kept(speed)]


def _is_slower_than(machine: SpeedEvidence, item: SpeedEvidence, settings: GateSettings) -> bool:
    """Whether a model lost more than the tolerance, compared with the machine's own loss."""
    return item.interval.high / machine.ratio < 1 - settings.max_slowdown - ROUNDING


def _weigh_one(item: SpeedEvidence, settings: GateSettings) -> Decision:
    limit = 1 - settings.max_slowdown
    if item.interval.high < limit - ROUNDING:
        return Decision.REGRESSION
    return Decision.PASS if item.interval.low >= limit - ROUNDING else Decision.INCONCLUSIVE
