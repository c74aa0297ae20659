"""Two engines side by side, as lines of a terminal and as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.report.json_report import plain, suite_to_json
from pytest_raq.report.terminal import Line, Style, suite_lines
from pytest_raq.report.text import LONGEST_NOTE, columns, number, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records import SpeedEvidence, SuiteResult
    from pytest_raq.records.trials import EngineTrial
    from pytest_raq.report.json_report import Json

SHOWN = 5
"""Answers shown of each model that differ."""


def trial_lines(trial: EngineTrial) -> list[Line]:
    """Return a trial as lines: engines, answers that differ, speed, and the gate's words."""
    return [
        *_engines(trial),
        *_answers(trial),
        *_speeds(trial),
        Line(""),
        *suite_lines(_without_examples(trial.result)),
        *(Line(f"note: {safe_text(note, LONGEST_NOTE)}") for note in trial.notes),
    ]


def _without_examples(result: SuiteResult) -> SuiteResult:
    """Return a result without what stands above already: answers side by side, and the builds."""
    questions = tuple(replace(item, preferences={}) for item in result.questions)
    return replace(result, questions=questions, notes=())


def _engines(trial: EngineTrial) -> Iterator[Line]:
    for name, builds in (("today", trial.before), ("tried", trial.now)):
        for build in dict.fromkeys(builds.values()):
            yield Line(f"{name}: llama-cpp-python {safe_text(build, 300)}", Style.BOLD)


def _answers(trial: EngineTrial) -> Iterator[Line]:
    questions = trial.result.questions
    texts = {item.question.id: item.question for item in questions}
    for model, changes in trial.changes.items():
        both = sum(model in item.answers and model in item.baseline_answers for item in questions)
        told = f"{len(changes)} of {both} answers differ" if both else "no answers to compare"
        yield Line("")
        yield Line(f"{safe_text(model)}: {told}")
        for change in changes[:SHOWN]:
            question = texts[change.question_id]
            yield Line(f"  {safe_text(question.id)}  {safe_text(question.question)}")
            yield Line(f"    reference  {safe_text(' | '.join(question.references))}")
            yield Line(f"    today      {safe_text(change.before)}")
            yield Line(f"    tried      {safe_text(change.now)}")
        if len(changes) > SHOWN:
            yield Line(f"  and {len(changes) - SHOWN} more; --json has all")


def _speeds(trial: EngineTrial) -> Iterator[Line]:
    rows = [
        _speed_row(model, evidence)
        for model, verdict in trial.result.verdicts.items()
        for evidence in verdict.speed
    ]
    if rows:
        yield Line("")
        header = ("speed, measured in turns", "", "today", "tried", "×", "interval", "")
        yield from map(Line, columns([header, *rows], left=2))


def _speed_row(model: str, evidence: SpeedEvidence) -> tuple[str, ...]:
    decimals = 4 if evidence.measure == "time_to_first_token" else 0
    return (
        safe_text(model),
        evidence.measure.replace("_", " "),
        number(evidence.before, decimals),
        number(evidence.now, decimals),
        number(evidence.ratio),
        f"{number(evidence.interval.low)} to {number(evidence.interval.high)}",
        "",
    )


def trial_to_json(trial: EngineTrial) -> Json:
    """Return a trial as plain data."""
    return {
        "format": 1,
        "engines": {"today": dict(trial.before), "tried": dict(trial.now)},
        "changes": plain(dict(trial.changes)),
        "notes": list(trial.notes),
        "suites": {trial.result.suite: suite_to_json(trial.result)},
    }
