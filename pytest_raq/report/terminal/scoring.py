"""Scores of texts as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.text import columns, number, p_text, safe_text, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records.scoring import ScoredFile, Scoring

WORST = 5
"""Texts that are shown: those with the most bits per byte."""


def scoring_lines(scoring: Scoring) -> list[str]:
    """Return what was scored as a table, and the least likely texts of the last file."""
    return [*_heading(scoring), *_table(scoring), *_conclusion(scoring), *_worst(scoring)]


def _heading(scoring: Scoring) -> Iterator[str]:
    against = f"; against {scoring.against}" if scoring.against else ""
    yield (
        f"{safe_text(scoring.model)} on {scoring.suite}: {scoring.questions} questions in"
        f" {scoring.passages} passages, nothing generated{against}"
    )


def _table(scoring: Scoring) -> Iterator[str]:
    header = ("file", "size", "scored", "bits/byte", "change", "interval", "p (Holm)", "flips",
              "seconds", "the truth is")  # fmt: skip
    yield from columns([header, *map(_row, scoring.files)])
    for each in scoring.files:
        if each.problem:
            yield f"{safe_text(each.name)}: {safe_text(each.problem, 400)}"


def _row(each: ScoredFile) -> tuple[str, ...]:
    found = each.evidence
    drift = found.drift if found else None
    return (
        safe_text(each.name),
        size_text(each.bytes) if each.bytes else "–",
        str(each.scored),
        number(each.bits_per_byte, 3),
        number(found.difference, 3, sign=True) if found else "–",
        f"{number(found.interval.low, 3)} to {number(found.interval.high, 3)}" if found else "–",
        p_text(found.adjusted_p) if found else "–",
        f"{100 * drift.flips:.0f} %" if drift else "–",
        number(each.seconds, 1),
        each.word or "–",
    )


def _conclusion(scoring: Scoring) -> Iterator[str]:
    if len(scoring.files) > 1:
        margin = f"within the margin ({scoring.margin:g} bits per byte)"
        yield f"the smallest file {margin}: {scoring.smallest or 'none'}"
        yield "a broken template or stop string does not show here: raq ladder asks for answers"


def _worst(scoring: Scoring) -> Iterator[str]:
    texts = scoring.files[-1].texts
    if not texts:
        return
    yield f"least likely for {safe_text(scoring.files[-1].name)}, bits per byte:"
    worst = sorted(texts, key=lambda item: -item.likelihood.bits_per_byte)[:WORST]
    for item in worst:
        bits = number(item.likelihood.bits_per_byte, 2)
        yield f"  {bits}  {safe_text(item.question_id)}  {safe_text(item.text)}"
