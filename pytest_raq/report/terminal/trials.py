"""Ladders and engines on trial as lines."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.report.terminal.suite import STYLES, Line, Style, bits_text, suite_lines
from pytest_raq.text import LONGEST_NOTE, columns, number, p_text, safe_text, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records import SpeedEvidence, SuiteResult
    from pytest_raq.records.command_results import EngineTrial, Ladder, Rung


SPEEDS = ("decode_tokens_per_second", "prefill_tokens_per_second")

SHOWN = 5
"""Answers shown of each model that differ."""


def ladder_lines(ladder: Ladder) -> list[Line]:
    """Return a ladder as a table, largest file first, with its notes."""
    return [*_heading(ladder), *_table(ladder), *_conclusion(ladder), *_details(ladder)]


def _heading(ladder: Ladder) -> Iterator[Line]:
    yield Line(
        f"{safe_text(ladder.model)} on {ladder.suite}: {ladder.questions} questions in"
        f" {ladder.passages} passages, judge {ladder.provenance.judge.name}; each file against"
        f" {ladder.top.kind}",
        Style.BOLD,
    )


def _table(ladder: Ladder) -> Iterator[Line]:
    header = (
        "file", "size", "of top", "decode tok/s", "prefill tok/s", "EM", "F1", "contains", "words",
        "net preference", "interval", "p (Holm)", "bits/byte", "p (Holm)", "verdict",
    )  # fmt: skip
    rungs = (ladder.top, *ladder.rungs)
    rows = [header, *(_row(rung, ladder.top) for rung in rungs)]
    if all(rung.summary is None or rung.summary.reference_bits_per_byte is None for rung in rungs):
        rows = [(*row[:-3], row[-1]) for row in rows]
    head, *lines = columns(rows)
    yield Line(head)
    for line, rung in zip(lines, rungs, strict=True):
        yield Line(line, STYLES[rung.verdict.decision] if rung.verdict else Style.PLAIN)


def _row(rung: Rung, top: Rung) -> tuple[str, ...]:
    summary = rung.summary
    quality = rung.verdict.quality if rung.verdict else None
    likelihood = rung.verdict.likelihood if rung.verdict else None
    return (
        rung.kind,
        size_text(rung.bytes) if rung.bytes else "–",
        f"{100 * rung.bytes / top.bytes:.0f} %" if rung.bytes else "–",
        *(_speed(rung, measure) for measure in SPEEDS),
        *(
            (
                number(summary.exact_match),
                number(summary.f1),
                number(summary.contains),
                number(summary.words, 1),
            )
            if summary
            else ("–",) * 4
        ),
        number(quality.net_preference, sign=True) if quality else "–",
        f"{number(quality.interval.low)} to {number(quality.interval.high)}" if quality else "–",
        p_text(quality.adjusted_p) if quality else "–",
        bits_text(summary, rung.verdict) if summary else "–",
        p_text(likelihood.adjusted_p) if likelihood else "–",
        _word(rung, top),
    )


def _speed(rung: Rung, measure: str) -> str:
    values = rung.samples.get(measure)
    if not values:
        return "–"
    ratio = next((f" (×{s.ratio:.2f})" for s in rung.speed if s.measure == measure), "")
    return f"{median(values):.0f}{ratio}"


def _word(rung: Rung, top: Rung) -> str:
    if rung.verdict is None:
        return "the top" if rung is top else "NOT MADE"
    decision = rung.verdict.decision
    loud = not decision.is_good and decision is not Decision.INCONCLUSIVE
    return decision.value.upper() if loud else decision.value


def _conclusion(ladder: Ladder) -> Iterator[Line]:
    yield Line("")
    yield from _by_likelihood(ladder)
    margin = f"within the margin ({ladder.margin:g})"
    if not ladder.smallest:
        yield Line(f"no smaller file is shown to be not worse {margin}", Style.YELLOW)
        return
    rung = next(item for item in ladder.rungs if item.kind == ladder.smallest)
    share = f"{100 * rung.bytes / ladder.top.bytes:.0f} %"
    yield Line(
        f"the smallest file that is not worse {margin}: {rung.kind}, {size_text(rung.bytes)},"
        f" {share} of {ladder.top.kind}: {safe_text(rung.file, 300)}",
        Style.GREEN,
    )


def _by_likelihood(ladder: Ladder) -> Iterator[Line]:
    if any(rung.verdict and rung.verdict.likelihood for rung in ladder.rungs):
        margin = f"{ladder.likelihood_margin:g} bits per byte"
        yield Line(
            "the smallest file by the likelihood of the references"
            f" ({margin}): {ladder.smallest_by_likelihood or 'none'}"
        )


def _details(ladder: Ladder) -> Iterator[Line]:
    for rung in ladder.rungs:
        if rung.problem:
            yield Line(f"{rung.kind}: {safe_text(rung.problem, 400)}", Style.RED)
        elif rung.verdict and not rung.verdict.decision.is_good:
            word = rung.verdict.decision.value
            for index, reason in enumerate(rung.verdict.reasons):
                yield Line(f"{rung.kind}: {word}: {reason}" if not index else f"  {reason}")
    notes: dict[str, list[str]] = {}
    for rung in (ladder.top, *ladder.rungs):
        for note in rung.notes:
            notes.setdefault(note, []).append(rung.kind)
    for note, kinds in notes.items():
        yield Line(f"note: {', '.join(kinds)}: {safe_text(note, LONGEST_NOTE)}")
    for note in ladder.notes:
        yield Line(f"note: {safe_text(note, LONGEST_NOTE)}")


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
    """Return a result without what is shown above: answers side by side, and the builds."""
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
