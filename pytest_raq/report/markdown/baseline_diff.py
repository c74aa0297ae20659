"""Two baselines beside each other: what changed, as Markdown for a pull request and as JSON."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from pytest_raq.records import SpeedReference
from pytest_raq.report.markdown.markup import cell, code, folded, html_code, table
from pytest_raq.text import number, p_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.records import SpeedEvidence
    from pytest_raq.records.command_results import BaselineAnswerChange, BaselineDiff, Change


_DECIMALS = {
    "mean_rank": 2,
    "exact_match": 3,
    "f1": 3,
    "words": 1,
    "words_per_second": 1,
    "decode_tokens_per_second": 0,
    "prefill_tokens_per_second": 0,
    "time_to_first_token": 3,
    "contains": 3,
    "reasoning_tokens": 0,
    "reasoning_seconds": 2,
    "time_to_first_answer": 3,
    "instructions_per_token": 0,
}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COLUMNS = ("mean_rank", "exact_match", "f1", "contains", "words", "words_per_second")


def diff_lines(diff: BaselineDiff, *, limit: int) -> list[str]:
    """Return a diff as Markdown; at most ``limit`` answers of each model are listed.

    Answers, names and reasons are in code spans: they cannot become markup.
    """
    return [
        *_heading(diff),
        *_models(diff),
        *_answers(diff, limit),
        *_standing(diff),
        *_speed(diff),
        *_provenance(diff),
    ]


def _heading(diff: BaselineDiff) -> Iterator[str]:
    suites = dict.fromkeys(code(side.suite) for side in (diff.old, diff.new))
    yield f"## Baseline {' → '.join(suites)}"
    yield ""
    for label, side in (("old", diff.old), ("new", diff.new)):
        reason = f": {code(side.reason)}" if side.reason.strip() else ""
        yield f"- {label}: {code(side.name)}, accepted {code(side.accepted_at)}{reason}"
    if diff.unfair:
        yield ""
        yield f"**The figures of the two cannot be compared:** {code(diff.unfair, 600)}"
    for what, names in (
        ("models added", diff.models_added),
        ("models removed", diff.models_removed),
        ("questions added", diff.questions_added),
        ("questions removed", diff.questions_removed),
    ):
        if names:
            yield f"- {what}: {len(names)} ({_some(names)})"
    yield ""


def _some(names: Sequence[str], most: int = 10) -> str:
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(code(name) for name in names[:most]) + more


def _models(diff: BaselineDiff) -> list[str]:
    if not diff.models:
        return ["No model is in both.", ""]
    header = ("model", "answers changed", "ranks changed", "mean rank", "EM", "F1", "contains",
              "words", "words/s")  # fmt: skip
    rows = [
        (
            cell(name),
            f"{len(model.answers)} of {model.compared}",
            f"{model.reranked} of {model.compared}",
            *(_arrow(model.figures[key], _DECIMALS[key]) for key in _COLUMNS),
        )
        for name, model in diff.models.items()
    ]
    return [*table(header, rows), ""]


def _arrow(change: Change, decimals: int) -> str:
    before, now = number(change.before, decimals), number(change.now, decimals)
    return now if before == now else f"{before} → {now}"


def _answers(diff: BaselineDiff, limit: int) -> Iterator[str]:
    yield "### Answers"
    yield ""
    changed = {name: model for name, model in diff.models.items() if model.answers}
    if not changed:
        yield "No answer changed."
        yield ""
    for name, model in changed.items():
        summary = f"{html_code(name)}: {len(model.answers)} of {model.compared} answers changed"
        yield from folded(summary, _answer_list(model.answers, limit))


def _answer_list(answers: Sequence[BaselineAnswerChange], limit: int) -> Iterator[str]:
    for item in answers[:limit]:
        yield f"- {code(item.question_id, 80)}, rank {_arrow(item.rank, 1)}"
        yield f"  - old: {code(item.before)}"
        yield f"  - new: {code(item.now)}"
    if len(answers) > limit:
        yield f"- and {len(answers) - limit} more"


def _standing(diff: BaselineDiff) -> Iterator[str]:
    if not diff.pairs:
        return
    yield "### Differences between models"
    yield ""
    for change in diff.standing:
        before, now = _better(change.better_before), _better(change.better_now)
        yield (
            f"- {code(change.first)} – {code(change.second)}: {before} → {now}"
            f" ({change.test}, p = {p_text(change.p_before)} → {p_text(change.p_now)})"
        )
    if not diff.standing:
        yield "No pair changed."
    yield ""
    tests = list(diff.pairs[0].p_values)
    rows = [
        (f"{cell(pair.first)} – {cell(pair.second)}", *map(_p_arrow, pair.p_values.values()))
        for pair in diff.pairs
    ]
    yield from folded("p-values, corrected by Holm", table(("pair", *tests), rows))


def _better(model: str) -> str:
    return f"{code(model)} better" if model else "not separable"


def _p_arrow(change: Change) -> str:
    before, now = (
        p_text(math.nan if value is None else value) for value in (change.before, change.now)
    )
    return now if before == now else f"{before} → {now}"


def _speed(diff: BaselineDiff) -> Iterator[str]:
    if not diff.speeds:
        return
    yield "### Speed"
    yield ""
    if not diff.same_machine:
        yield "The machines differ: the ratios say nothing about the models."
        yield ""
    rows = [
        (
            cell(model),
            item.measure.replace("_", " "),
            _speed_figure(item, item.before),
            _speed_figure(item, item.now),
            f"×{number(item.ratio)} ({number(item.interval.low)} to {number(item.interval.high)})",
        )
        for model, items in diff.speeds.items()
        for item in items
    ]
    yield from table(("model", "measure", "old", "new", "speed (95 % interval)"), rows)
    yield ""


def _speed_figure(item: SpeedEvidence, value: float) -> str:
    if item.against is SpeedReference.YARDSTICK:
        return f"{number(value, 3)} × yardstick"
    return number(value, _DECIMALS[item.measure])


def _provenance(diff: BaselineDiff) -> Iterator[str]:
    yield "### Provenance"
    yield ""
    if not diff.provenance:
        yield "Nothing changed."
    for change in diff.provenance:
        yield f"- {code(change.field)}: {_value(change.before)} → {_value(change.now)}"


def _value(text: str) -> str:
    if _SHA256.fullmatch(text):
        return code(text[:12])
    return code(text, 120) if text else "absent"
