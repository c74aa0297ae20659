"""A run as Markdown: short, the table first, the worst questions folded.

For the summary of a CI job and a comment of a pull request. Whatever a model
said stands in code spans, so it cannot become markup, a link or a mention.
"""

from __future__ import annotations

import math
from itertools import combinations, compress
from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.report.gate_settings import HEAD, setting_rows
from pytest_raq.report.markdown.markup import cell, code, folded, html_code, table
from pytest_raq.report.origins import from_store_text, keys_text
from pytest_raq.report.repeatability import repeatability_lines
from pytest_raq.report.terminal.suite import (
    bits_text,
    mean_rank_text,
    net_preference_text,
    rank_change_text,
)
from pytest_raq.report.words import decode_text, reasoning_text, speed_words
from pytest_raq.text import LONGEST_NOTE, number, p_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.records import QuestionResult, SuiteResult, Verdict

MARKER = "<!-- pytest-raq -->"
"""The first line: by it a job finds its comment of an earlier run."""

MOST_LETTERS = 60_000
"""A comment of GitHub holds 65,536 letters."""

_QUESTIONS = (10, 3, 0)
"""How many questions of each model are listed; fewer where the text would be too long."""

_SIGNS = {
    Decision.PASS: "✅ pass",
    Decision.UNCHANGED: "✅ unchanged",
    Decision.SUSPECT: "❌ **suspect**",
    Decision.REGRESSION: "❌ **regression**",
    Decision.INCONCLUSIVE: "⚠️ inconclusive",
    Decision.NO_BASELINE: "❌ **no baseline**",
    Decision.NOT_MEASURED: "❌ **not measured**",
}


def run_markdown(results: Sequence[SuiteResult]) -> str:
    """Return suites as Markdown of at most `MOST_LETTERS` letters where that is possible."""
    text = ""
    for limit in _QUESTIONS:
        lines = [MARKER, *(line for result in results for line in _suite(result, limit))]
        if not results:
            lines.append("No suite was run.")
        text = "\n".join(lines) + "\n"
        if len(text) <= MOST_LETTERS:
            break
    return text


def _suite(result: SuiteResult, limit: int) -> Iterator[str]:
    count, passages = len(result.questions), result.passages
    yield f"### {_headline(result)}"
    yield ""
    yield from _changes(result)
    yield from _models(result)
    yield ""
    yield (
        f"{count} question{'s' * (count != 1)} in {passages} passage{'s' * (passages != 1)},"
        f" judge {code(result.provenance.judge.name)}"
        f"{f', {told}' if (told := from_store_text(result)) else ''}"
        f"{f', {code(told)}' if (told := keys_text(result.provenance)) else ''}"
    )
    yield ""
    yield from _repeatability(result)
    for verdict in result.verdicts.values():
        if not verdict.decision.is_good:
            yield from _reasons(verdict)
    for model in result.verdicts:
        yield from _worst(model, result, limit)
    yield from _significance(result)
    yield from _settings(result)
    yield from _notes(result)


def _changes(result: SuiteResult) -> Iterator[str]:
    """Yield what this change does to the files that the gate rests on: a reviewer reads it."""
    yield from (f"- ⚠️ {code(change, 600)}" for change in result.changes)
    if result.changes:
        yield ""


def _settings(result: SuiteResult) -> Iterator[str]:
    rows = [tuple(map(cell, row)) for row in setting_rows(result)]
    if rows:
        yield from folded("Settings of the gate", table(HEAD, rows))


def _repeatability(result: SuiteResult) -> Iterator[str]:
    lines = list(repeatability_lines(result, result.models))
    yield from (f"- {code(names, 400)}: {code(told, 600)}" for names, told in lines)
    if lines:
        yield ""


def _headline(result: SuiteResult) -> str:
    decisions = [verdict.decision for verdict in result.verdicts.values()]
    parts = [f"{decisions.count(item)} {item.value}" for item in Decision if item in decisions]
    return f"{code(result.suite)}: {', '.join(parts) or 'no verdict'}"


def _models(result: SuiteResult) -> list[str]:
    header = ("model", "verdict", "net preference", "p", "since the anchor", "mean rank", "change",
              "EM", "F1", "contains", "bits/byte", "reasoning", "words/s", "tok/s")  # fmt: skip
    rows = []
    for name, model in result.models.items():
        verdict = result.verdicts.get(name)
        quality = verdict.quality if verdict else None
        rows.append(
            (
                cell(name),
                _SIGNS[verdict.decision] if verdict else "–",
                net_preference_text(quality),
                p_text(quality.adjusted_p) if quality else "–",
                net_preference_text(verdict.since_anchor if verdict else None),
                mean_rank_text(model),
                rank_change_text(model, result),
                number(model.exact_match),
                number(model.f1),
                number(model.contains),
                bits_text(model, verdict),
                reasoning_text(model),
                number(model.words_per_second, 1),
                decode_text(model),
            )
        )
    has_anchor = any(verdict.since_anchor for verdict in result.verdicts.values())
    has_bits = any(item.reference_bits_per_byte is not None for item in result.models.values())
    reasons = any(reasoning_text(item) != "–" for item in result.models.values())
    unknown = {"since the anchor": has_anchor, "bits/byte": has_bits, "reasoning": reasons}
    kept = [unknown.get(name, True) for name in header]
    return table(list(compress(header, kept)), [list(compress(row, kept)) for row in rows])


def _reasons(verdict: Verdict) -> Iterator[str]:
    yield f"{_SIGNS[verdict.decision]} {code(verdict.model)}{speed_words(verdict)}"
    yield ""
    yield from (f"- {code(reason, 600)}" for reason in verdict.reasons)
    yield ""


def _worst(model: str, result: SuiteResult, limit: int) -> Iterator[str]:
    worse = [item for item in result.questions if item.preferences.get(model, 0) < 0]
    if not worse or not limit:
        return
    # The sort is stable: of equal ranks the first question comes first.
    worse.sort(key=lambda item: -item.ranks.get(model, 0.0))
    summary = f"{html_code(model)}: {len(worse)} question{'s' * (len(worse) != 1)} got worse"
    yield from folded(summary, _questions(model, worse, limit))


def _questions(model: str, worse: Sequence[QuestionResult], limit: int) -> Iterator[str]:
    for item in worse[:limit]:
        yield f"- {code(item.question.question or item.question.id, 160)}"
        yield f"  - reference: {code(' | '.join(item.question.references), 160)}"
        yield f"  - accepted: {code(item.baseline_answers.get(model, ''), 160)}"
        yield f"  - today: {code(item.answers.get(model, ''), 160)}"
    if len(worse) > limit:
        yield f"- and {len(worse) - limit} more"


def _significance(result: SuiteResult) -> Iterator[str]:
    tests = result.tests
    if tests is None or len(tests.models) < 2:
        return
    rows = [
        (
            f"{cell(first)} – {cell(second)}",
            *(
                p_text(matrix[first][second])
                for matrix in (tests.dunn_holm, tests.conover_holm, tests.permutation_holm)
            ),
        )
        for first, second in combinations(tests.models, 2)
    ]
    lines = table(("p, Holm-corrected", "Dunn", "Conover", "permutation"), rows)
    if not math.isnan(tests.friedman.p_value):
        lines += ["", f"Friedman: p {p_text(tests.friedman.p_value)}"]
    yield from folded("Differences between the models", lines)


def _notes(result: SuiteResult) -> Iterator[str]:
    if result.notes:
        notes = [f"- {code(note, LONGEST_NOTE)}" for note in result.notes]
        yield from folded(f"{len(notes)} note{'s' * (len(notes) != 1)}", notes)
