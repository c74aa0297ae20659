"""Words and letters for figures, marks and changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.records.history import MarkKind
from pytest_raq.text import number, safe_text

if TYPE_CHECKING:
    from pytest_raq.records import ModelSummary, RunRecord, Verdict
    from pytest_raq.records.history import Measure, SuiteHistory, TrendChange


_DIGITS = 6
_COMMIT = re.compile(r"([0-9a-f]{7,64})(-dirty)?")

LETTERS = {
    MarkKind.ACCEPTED.value: "A",
    MarkKind.MACHINE.value: "M",
    MarkKind.BUILD.value: "B",
    MarkKind.FILE.value: "F",
    MarkKind.PROMPT.value: "P",
    MarkKind.JUDGE.value: "J",
    MarkKind.QUESTIONS.value: "Q",
    MarkKind.SWAP.value: "S",
}
"""The letter below a sparkline for each kind of mark, the most important first."""


def change_text(change: TrendChange, history: SuiteHistory) -> str:
    """Return e.g. ``m: decode speed fell 12 % at the run of 3f2a1c on 2026-11-20 (…)``."""
    measure = change.measure
    verb = "fell" if change.after < change.before else "rose"
    run = history.runs[change.run]
    unit = f" {measure.unit}" if measure.unit else ""
    before, after = value_text(change.before, measure), value_text(change.after, measure)
    return (
        f"{safe_text(change.model)}: {measure.said} {verb} {_amount(change)}"
        f" at the {run_text(run)} ({before} → {after}{unit})"
    )


def _amount(change: TrendChange) -> str:
    measure, step = change.measure, abs(change.after - change.before)
    if measure.relative and change.before:
        share = 100 * step / abs(change.before)
        return f"{share:.0f} %" if share >= 1 else f"{share:.1f} %"
    return f"by {number(step, measure.decimals)}"


def value_text(value: float | None, measure: Measure, *, sign: bool = False) -> str:
    """Return a value with as many decimals as its measure is shown with."""
    return number(value, measure.decimals, sign=sign)


def run_text(run: RunRecord) -> str:
    """Return e.g. ``run of 3f2a1c on 2026-11-20``; its time where no commit is known."""
    commit = commit_text(run.commit)
    return f"run of {commit} on {run.time[:10]}" if commit else f"run of {when_text(run)}"


def when_text(run: RunRecord) -> str:
    """Return when a run ended, to the minute: ``2026-11-20 14:03``."""
    return run.time[:16].replace("T", " ")


def commit_text(commit: str) -> str:
    """Return the first digits of a commit; a plus where files differed from it."""
    match = _COMMIT.fullmatch(commit)
    if not match:
        return safe_text(commit, 12)
    return f"{match[1][:_DIGITS]}{'+' if match[2] else ''}"


def verdict_text(run: RunRecord) -> str:
    """Return the verdicts of a run in one word, or a count of each."""
    found = [figures.verdict for figures in run.models.values()]
    counts = {verdict: found.count(verdict) for verdict in dict.fromkeys(found)}
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def reasoning_text(model: ModelSummary) -> str:
    """Return how long a model reasons before an answer: ``412 tok, 3.1 s``; – if it does not."""
    tokens, seconds = model.reasoning_tokens, model.reasoning_seconds
    parts = [] if tokens is None else [f"{number(tokens, 0)} tok"]
    parts += [] if seconds is None else [f"{number(seconds, 1)} s"]
    return ", ".join(parts) or "–"


_SAYS_SPEED = {Decision.PASS, Decision.UNCHANGED, Decision.INCONCLUSIVE}


def verdict_words(verdict: Verdict, *, loud: bool = False) -> str:
    """Return a decision, and what is known of the speed where the build does not fail anyway.

    ``pass (speed not measured)``, ``pass (decode ×1.02, 0.99 to 1.05)``.
    """
    word = verdict.decision.value.upper() if loud else verdict.decision.value
    return word + speed_words(verdict)


def speed_words(verdict: Verdict) -> str:
    """Return e.g. `` (speed not measured)``; empty where the build fails anyway."""
    shown = verdict.speed_summary and verdict.decision in _SAYS_SPEED
    return f" ({verdict.speed_summary})" if shown else ""


def decode_text(model: ModelSummary) -> str:
    """Return the decoded tokens per second of a model, with a mark if it is an estimate."""
    text = number(model.decode_tokens_per_second, 0)
    return f"~{text}" if model.decode_is_estimate else text
