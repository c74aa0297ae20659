"""The rules of the gate.

Quality: a regression where the adjusted p is at most ``alpha`` and the net
preference at most −``min_effect``; suspect where that much was lost and the interval is below 0, or
too few passages changed for any p to be small enough while the changed questions speak of a
loss, or where the whole interval of F1 is below −``max_f1_drop``; a pass
where the interval is above −``margin``, unless F1 fell significantly and by more than
``max_f1_drop``; otherwise inconclusive. A model of which nothing changed,
no text and nothing that makes texts, is unchanged. The same is asked about the anchor, and the
worse answer counts. A regression of speed (`pytest_raq.gate.speed`) is a regression.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.gate import reasons as words
from pytest_raq.gate.speed import weigh_speed
from pytest_raq.records import Decision, Verdict
from pytest_raq.stats.exact import smallest_p

if TYPE_CHECKING:
    from pytest_raq.config import GateSettings
    from pytest_raq.records import F1Evidence, QualityEvidence, SpeedEvidence

ROUNDING = 1e-9
"""Slack for limits: a loss of exactly 0.02 must not be 0.020000000000000018."""


@dataclass(frozen=True, slots=True)
class GateInput:
    """The figures of one model from which its verdict follows.

    ``expected`` counts the questions of the suite, even if only a selection
    ran, ``answered`` those with a new answer, ``ranked`` those with an
    answer and a complete ranking. ``judge_problems`` says why judges are not
    trusted. ``is_unchanged`` says that file, engine, prompt, options and all texts are those of
    the accepted state. ``anchor`` and ``anchor_f1`` compare with the anchor, None where it
    is the accepted state itself; ``anchor_problem`` says why that is not possible.
    ``is_speed_unchanged`` says that nothing that makes speed has changed,
    ``speed_obstacle`` why speed cannot be compared, ``times_speed`` that speed belongs to the
    verdict at all: answers in a file have none.
    """

    model: str
    expected: int
    answered: int
    ranked: int
    quality: QualityEvidence | None = None
    baseline_problem: str = ""
    is_unchanged: bool = False
    f1: F1Evidence | None = None
    anchor: QualityEvidence | None = None
    anchor_f1: F1Evidence | None = None
    anchor_problem: str = ""
    speed: tuple[SpeedEvidence, ...] = ()
    is_speed_unchanged: bool = False
    speed_obstacle: str = ""
    times_speed: bool = True
    judge_problems: tuple[str, ...] = ()


Finding = tuple[Decision, list[str]]

_SEVERITY = (
    Decision.UNCHANGED,
    Decision.PASS,
    Decision.INCONCLUSIVE,
    Decision.SUSPECT,
    Decision.REGRESSION,
)
"""What can be decided about a comparison, best first."""


def decide(gate_input: GateInput, settings: GateSettings) -> Verdict:
    """Return the verdict of one model; its first reason is the decisive one."""
    decision, reasons = _decide_quality(gate_input, settings)
    if decision in _SEVERITY:
        decision, reasons = _hold_to_anchor(decision, reasons, gate_input, settings)
    pace = weigh_speed(
        gate_input.speed,
        settings,
        is_unchanged=gate_input.is_speed_unchanged,
        obstacle=gate_input.speed_obstacle,
    )
    told = list(pace.reasons)
    slower = pace.decision is Decision.REGRESSION
    if slower and decision in _SEVERITY and decision is not Decision.REGRESSION:
        decision, reasons = Decision.REGRESSION, told + reasons
    else:
        reasons = reasons + told
    return Verdict(
        gate_input.model,
        decision,
        tuple(reasons),
        gate_input.quality,
        gate_input.speed,
        gate_input.f1,
        gate_input.anchor,
        gate_input.anchor_f1,
        speed_summary=pace.summary if gate_input.times_speed else "",
    )


def is_failure(verdict: Verdict, settings: GateSettings, *, updating: bool = False) -> bool:
    """Return whether a verdict fails the build; while accepting, only NOT_MEASURED does."""
    if updating:
        return verdict.decision is Decision.NOT_MEASURED
    if verdict.decision is Decision.INCONCLUSIVE:
        return settings.inconclusive == "fail"
    if verdict.decision is Decision.SUSPECT:
        return settings.suspect == "fail"
    return verdict.decision not in {Decision.UNCHANGED, Decision.PASS}


def _decide_quality(given: GateInput, settings: GateSettings) -> Finding:
    missing = list(words.missing(given.expected, given.answered, given.ranked, settings))
    if given.judge_problems or min(given.answered, given.ranked) < 1:
        problems = [*given.judge_problems, *missing, *filter(None, [given.baseline_problem])]
        return Decision.NOT_MEASURED, problems
    if given.baseline_problem:
        return Decision.NO_BASELINE, [given.baseline_problem, *missing]
    if missing:
        return Decision.NOT_MEASURED, missing
    return _decide_compared(given, settings)


def _decide_compared(given: GateInput, settings: GateSettings) -> Finding:
    if given.quality is None or given.quality.questions < 1:
        return Decision.NOT_MEASURED, ["no question has an accepted answer to compare with"]
    uncompared = list(words.uncompared(given.expected, given.quality.questions, settings))
    if uncompared:
        return Decision.NOT_MEASURED, uncompared
    if given.is_unchanged:
        return Decision.UNCHANGED, [words.unchanged(given.quality)]
    return _weigh(given.quality, given.f1, settings)


def _hold_to_anchor(
    decision: Decision, reasons: list[str], given: GateInput, settings: GateSettings
) -> Finding:
    """Compare with the anchor too: the worse finding counts.

    What is unchanged since it was accepted is not inconclusive for the anchor's sake: whoever
    accepted it has seen that.
    """
    if given.anchor_problem:
        return Decision.NO_BASELINE, [given.anchor_problem, *reasons]
    if given.anchor is None:
        return decision, reasons
    if given.anchor.questions < 1:
        return Decision.NO_BASELINE, ["no question has an answer in the anchor", *reasons]
    since, told = _weigh(given.anchor, given.anchor_f1, settings)
    told = [words.since_anchor(text) for text in told]
    excused = decision is Decision.UNCHANGED and since is Decision.INCONCLUSIVE
    if _SEVERITY.index(since) > _SEVERITY.index(decision) and not excused:
        return since, told + reasons
    return decision, reasons + told


def _weigh(quality: QualityEvidence, f1: F1Evidence | None, settings: GateSettings) -> Finding:
    evidence = words.quality(quality)
    shown = [] if f1 is None else list(words.f1(f1))
    is_large = (
        quality.net_preference <= ROUNDING - settings.min_effect and quality.worse > quality.better
    )
    if quality.adjusted_p <= settings.alpha and is_large:
        return Decision.REGRESSION, [evidence, *shown]
    suspicion = _suspicion(quality, f1, settings, is_large=is_large)
    if suspicion:
        return Decision.SUSPECT, [*suspicion, evidence, *shown]
    tested = not math.isnan(quality.adjusted_p + quality.net_preference)
    if tested and quality.interval.low > ROUNDING - settings.margin:
        if f1 is not None and fell(f1, settings):
            return Decision.INCONCLUSIVE, [words.f1_fell(f1, settings), evidence, *shown]
        return Decision.PASS, [words.ruled_out(settings), evidence, *shown]
    return Decision.INCONCLUSIVE, [
        words.possible(quality), evidence, *shown, *words.undecided(quality, settings)
    ]  # fmt: skip


def _suspicion(
    quality: QualityEvidence,
    f1: F1Evidence | None,
    settings: GateSettings,
    *,
    is_large: bool,
) -> list[str]:
    """Return why a loss is likely that is not proven."""
    level = settings.alpha / max(1, quality.tests)
    is_hopeless = smallest_p(quality.moved_passages) > level
    found = []
    # The sign test over questions as well: alone, an interval of few passages is too short.
    speaks_of_loss = is_large and quality.sparse_p <= level
    if speaks_of_loss and is_hopeless:
        found.append(words.few_passages(quality))
    elif speaks_of_loss and quality.interval.high < 0:
        found.append(words.below_zero(quality))
    if f1 is not None and f1.interval.high < -settings.max_f1_drop - ROUNDING:
        found.append(words.f1_drop(f1, settings))
    return found


def fell(f1: F1Evidence, settings: GateSettings) -> bool:
    """Whether F1 fell significantly and by more than ``max_f1_drop``, though that is not shown."""
    return f1.adjusted_p <= settings.alpha and -f1.difference > settings.max_f1_drop + ROUNDING
