"""Evidence as text: one line each, figures with a typographic minus sign."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.config import GateSettings
    from pytest_raq.records import F1Evidence, Interval, QualityEvidence


def quality(evidence: QualityEvidence) -> str:
    """Return the evidence of the quality test."""
    return (
        f"{_changes(evidence)}; {_net_preference(evidence)},"
        f" {_interval(evidence.interval)}, {_p_value(evidence.adjusted_p, evidence.tests)}"
    )


def _changes(evidence: QualityEvidence) -> str:
    worse, better, questions = evidence.worse, evidence.better, evidence.questions
    of = f"of {_count(questions, 'question')}"
    if worse:
        told = f"answers worse than the accepted ones on {worse} {of}, better on {better}"
        return f"{told} ({evidence.failed} without an answer today)" if evidence.failed else told
    if better:
        return f"answers better than the accepted ones on {better} {of}, worse on none"
    return f"{questions} of {_count(questions, 'answer')} tied with the accepted ones"


def _net_preference(evidence: QualityEvidence) -> str:
    told = f"net preference {_number(evidence.net_preference)}"
    if evidence.judge_accuracy == 1 or math.isnan(evidence.raw_net_preference):
        return told
    return (
        f"{told} ({_number(evidence.raw_net_preference)} before correction for a judge that is"
        f" right on at least {_percent(round(evidence.judge_accuracy, 3))} of pairs)"
    )


def _p_value(value: float, tests: int) -> str:
    adjusted = f" (Holm, {tests} tests)" if tests > 1 else ""
    if math.isnan(value):
        return "p undefined"
    return f"p {'< 0.001' if value < 0.001 else f'= {value:.3f}'}{adjusted}"


def unchanged(evidence: QualityEvidence) -> str:
    """Return what is the same as in the accepted state: everything."""
    return (
        "same file, engine, prompt and options as accepted, and the same"
        f" {_count(evidence.questions, 'answer')}"
    )


def ruled_out(settings: GateSettings) -> str:
    """Return what a pass says."""
    return f"a loss of more than {settings.margin:.2f} is ruled out"


def possible(evidence: QualityEvidence) -> str:
    """Return which loss an inconclusive run leaves possible."""
    if math.isnan(evidence.interval.low):
        return "a loss of any size is possible"
    return f"a loss up to {max(0.0, -evidence.interval.low):.2f} is possible"


def below_zero(evidence: QualityEvidence) -> str:
    """Return why a loss is likely: the interval."""
    return (
        f"a loss is likely, though not significant: the whole {_interval(evidence.interval)}"
        " is below 0"
    )


def few_passages(evidence: QualityEvidence) -> str:
    """Return why a loss is likely that no test by passages can prove."""
    moved = evidence.moved_passages
    return (
        f"a loss is likely: {evidence.worse} answers worse and {evidence.better} better, all in"
        f" {_count(moved, 'passage')}; from so few passages no p below"
        f" {2.0**-moved:.3g} is possible, but answers that change for no reason get better as"
        " often as worse"
    )


def since_anchor(text: str) -> str:
    """Return a reason as one about the anchor."""
    return f"since the anchor: {text}"


def f1(evidence: F1Evidence) -> Iterator[str]:
    """Yield the evidence of the F1 test, if F1 changed."""
    if evidence.now != evidence.before:
        yield (
            f"F1 {evidence.before:.3f} → {evidence.now:.3f}, difference"
            f" {_number(evidence.difference, 3)}, {_interval(evidence.interval, 3)},"
            f" {_p_value(evidence.adjusted_p, 1)}"
        )


def undecided(evidence: QualityEvidence, settings: GateSettings) -> Iterator[str]:
    """Yield why a run cannot decide, and what would help."""
    if math.isnan(evidence.interval.low):
        yield (
            f"{_count(evidence.passages, 'passage')} cannot show whether a change is chance:"
            " ask questions about more passages"
        )
        return
    if evidence.adjusted_p <= settings.alpha and evidence.worse > evidence.better:
        yield (
            f"the loss is significant but below min_effect ({settings.min_effect:g}),"
            f" and a loss of {settings.margin:g} (margin) cannot be ruled out"
        )
    else:
        yield f"a loss of {settings.margin:g} (margin) cannot be ruled out"
    if math.isnan(evidence.detectable):
        yield (
            f"with {_count(evidence.passages, 'passage')} no loss can be significant:"
            " ask questions about more passages"
        )
    else:
        chance = (
            ""
            if math.isnan(evidence.pass_chance)
            else f", and an unchanged model passes in {_percent(round(evidence.pass_chance, 2))}"
        )
        yield (
            f"a run like this finds a loss of {evidence.detectable:.2f} in 80 % of cases{chance};"
            " more questions find smaller losses"
        )


def missing(expected: int, answered: int, ranked: int, settings: GateSettings) -> Iterator[str]:
    """Yield a reason if more than ``max_missing``, or everything, is missing."""
    if expected < 1:
        yield "there are no questions"
    elif answered < 1:
        yield f"none of {_count(expected, 'question')} has an answer"
    elif _exceeds(expected - answered, expected, settings):
        yield _share("no answer", expected - answered, expected, settings)
    elif ranked < 1:
        yield f"none of {_count(expected, 'question')} has a ranking"
    elif _exceeds(expected - ranked, expected, settings):
        yield _share("no answer or no ranking", expected - ranked, expected, settings)


def uncompared(expected: int, compared: int, settings: GateSettings) -> Iterator[str]:
    """Yield a reason if too few questions could be compared with the baseline."""
    if _exceeds(expected - compared, expected, settings):
        yield _share("no ranking with an accepted answer", expected - compared, expected, settings)


def _exceeds(number: int, expected: int, settings: GateSettings) -> bool:
    return number > settings.max_missing * expected + 1e-9


def _share(what: str, number: int, expected: int, settings: GateSettings) -> str:
    verb = "has" if number == 1 else "have"
    tolerated = f"max_missing tolerates {_percent(settings.max_missing)}"
    return f"{number} of {_count(expected, 'question')} {verb} {what}; {tolerated}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def f1_drop(evidence: F1Evidence, settings: GateSettings) -> str:
    """Return why a loss of F1 makes a model suspect."""
    return (
        f"F1 lost more than max_f1_drop ({settings.max_f1_drop:g}): it fell from"
        f" {evidence.before:.3f} to {evidence.now:.3f}, {_interval(evidence.interval, 3)}"
    )


def f1_fell(evidence: F1Evidence, settings: GateSettings) -> str:
    """Return why a loss of F1 prevents a pass."""
    return (
        f"F1 fell from {evidence.before:.3f} to {evidence.now:.3f},"
        f" {_p_value(evidence.adjusted_p, 1)}: a loss of more than max_f1_drop"
        f" ({settings.max_f1_drop:g}) is likely"
    )


def _interval(interval: Interval, digits: int = 2) -> str:
    if math.isnan(interval.low) or math.isnan(interval.high):
        return "interval undefined"
    return f"interval {_number(interval.low, digits)} to {_number(interval.high, digits)}"


def _number(value: float, digits: int = 2) -> str:
    """Return a figure; one that is not 0 keeps its sign, in more digits if needed."""
    if math.isnan(value):
        return "undefined"
    text = f"{value:.{digits}f}"
    if not float(text):
        text = f"{value:.{digits + 1}f}"
    return f"{0:.{digits}f}" if not float(text) else text.replace("-", "−")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
