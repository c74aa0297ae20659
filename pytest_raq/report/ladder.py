"""A ladder of quantizations as lines of a terminal and as JSON."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.report.json_report import plain
from pytest_raq.report.terminal import STYLES, Line, Style
from pytest_raq.report.text import LONGEST_NOTE, columns, number, p_text, safe_text, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records.trials import Ladder, Rung
    from pytest_raq.report.json_report import Json

SPEEDS = ("decode_tokens_per_second", "prefill_tokens_per_second")


def ladder_lines(ladder: Ladder) -> list[Line]:
    """Return a ladder as a table, largest file first, with what is to be said of it."""
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
        "file", "size", "of top", "decode tok/s", "prefill tok/s", "EM", "F1", "words",
        "net preference", "interval", "p (Holm)", "verdict",
    )  # fmt: skip
    rungs = (ladder.top, *ladder.rungs)
    head, *lines = columns([header, *(_row(rung, ladder.top) for rung in rungs)])
    yield Line(head)
    for line, rung in zip(lines, rungs, strict=True):
        yield Line(line, STYLES[rung.verdict.decision] if rung.verdict else Style.PLAIN)


def _row(rung: Rung, top: Rung) -> tuple[str, ...]:
    summary = rung.summary
    quality = rung.verdict.quality if rung.verdict else None
    return (
        rung.kind,
        size_text(rung.bytes) if rung.bytes else "–",
        f"{100 * rung.bytes / top.bytes:.0f} %" if rung.bytes else "–",
        *(_speed(rung, measure) for measure in SPEEDS),
        *(
            (number(summary.exact_match), number(summary.f1), number(summary.words, 1))
            if summary
            else ("–",) * 3
        ),
        number(quality.net_preference, sign=True) if quality else "–",
        f"{number(quality.interval.low)} to {number(quality.interval.high)}" if quality else "–",
        p_text(quality.adjusted_p) if quality else "–",
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
    loud = decision in (Decision.REGRESSION, Decision.NOT_MEASURED, Decision.NO_BASELINE)
    return decision.value.upper() if loud else decision.value


def _conclusion(ladder: Ladder) -> Iterator[Line]:
    yield Line("")
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


def _details(ladder: Ladder) -> Iterator[Line]:
    for rung in ladder.rungs:
        if rung.problem:
            yield Line(f"{rung.kind}: {safe_text(rung.problem, 400)}", Style.RED)
        elif rung.verdict and rung.verdict.decision is not Decision.PASS:
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


def ladder_to_json(ladder: Ladder) -> Json:
    """Return a ladder as plain data; undefined numbers are None."""
    table = plain(ladder)
    assert isinstance(table, dict)
    return {"format": 1, "ladder": table}
