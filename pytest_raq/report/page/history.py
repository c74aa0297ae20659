"""The history of suites as one page that needs nothing else: charts, changes, runs."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.records.history import MEASURES
from pytest_raq.report.figures.history import (
    HEIGHT,
    LEFT,
    MOST_POINTS,
    RIGHT,
    STYLES,
    WIDTH,
    trend_chart,
)
from pytest_raq.report.words import LETTERS, change_text, commit_text, value_text, when_text
from pytest_raq.text import number, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_raq.records import RunRecord
    from pytest_raq.records.history import Measure, SuiteHistory

_ASSETS = Path(__file__).parent / "assets"
_TEXT_LIMIT = 300
OPEN_RUNS = 60
"""Rows of the table of runs that are shown without being asked for."""


def trend_page(histories: Sequence[SuiteHistory]) -> str:
    """Return a page as HTML; it asks no host for anything, and shows all text as text."""
    script, style = _asset("trends.js"), _asset("trends.css")
    title = f"History of {', '.join(safe_text(history.suite) for history in histories)}"
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">',
            f"<title>{_text(title)}</title>",
            f"<style>{style}</style></head><body><main>",
            f"<h1>{_text(title)}</h1>",
            *(line for place, item in enumerate(histories) for line in _suite(item, place)),
            f"</main><script>{script}</script></body></html>\n",
        ]
    )


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _text(text: str, limit: int = _TEXT_LIMIT) -> str:
    return html.escape(safe_text(text, limit))


def _suite(history: SuiteHistory, place: int) -> Iterator[str]:
    models = dict.fromkeys(trend.model for trend in history.trends)
    styles = {model: number % STYLES for number, model in enumerate(models)}
    count = len(history.runs)
    yield f'<section class="suite" aria-labelledby="suite-{place}">'
    yield f'<h2 id="suite-{place}">{_text(history.suite)}</h2>'
    yield (
        f"<p>{count} run{'s' * (count != 1)} from {_text(history.runs[0].time[:10])} to"
        f" {_text(history.runs[-1].time[:10])}, kept in {_text(history.place)}</p>"
    )
    yield from _changes(history)
    yield from _legend(history, styles)
    yield from _charts(history, styles)
    yield from _runs(history, list(models))
    yield f'<script type="application/json">{_data(history, list(models))}</script>'
    yield "</section>"


def _changes(history: SuiteHistory) -> Iterator[str]:
    yield "<h3>Changes</h3>"
    if not history.changes:
        yield "<p>No change of level.</p>"
        return
    yield '<ul class="changes">'
    by_run = groupby(reversed(history.changes), key=lambda change: change.run)
    for run, changes in by_run:
        yield "<li><ul>"
        for change in changes:
            kind, word = ("worse", "Worse") if change.is_worse else ("better", "Better")
            text = _text(change_text(change, history))
            yield f'<li class="{kind}"><strong>{word}</strong> {text}</li>'
        marks = history.marks.get(run, ())
        yield "".join(f'<li class="note">in that run: {_text(mark.text)}</li>' for mark in marks)
        yield "</ul></li>"
    yield "</ul>"


def _legend(history: SuiteHistory, styles: Mapping[str, int]) -> Iterator[str]:
    yield '<ul class="legend" aria-label="Models">'
    for model, style in styles.items():
        yield (
            '<li><svg viewBox="0 0 34 8" aria-hidden="true" width="34" height="8">'
            f'<line class="line s{style}" x1="0" x2="34" y1="4" y2="4"/></svg> {_text(model)}</li>'
        )
    yield "</ul>"
    kinds = {mark.kind.value for marks in history.marks.values() for mark in marks}
    told = [f"<b>{letter}</b> {kind}" for kind, letter in LETTERS.items() if kind in kinds]
    parts = [f"Marked runs: {', '.join(told)}."] if told else []
    if history.changes:
        parts.append("A triangle is a change of level.")
    size = -(-len(history.runs) // MOST_POINTS)
    if size > 1:
        parts.append(f"Each point of a line is the median of {size} runs.")
    yield f'<p class="note">{" ".join(parts)}</p>'


def _charts(history: SuiteHistory, styles: Mapping[str, int]) -> Iterator[str]:
    yield '<div class="charts">'
    for measure in MEASURES:
        if chart := trend_chart(history, measure, styles):
            better = "higher" if measure.higher_is_better else "lower"
            yield f'<figure data-measure="{measure.name}"><figcaption>{_title(measure)}'
            yield f' <span class="note">({better} is better)</span></figcaption>{chart}'
            yield '<output class="readout"></output></figure>'
    yield "</div>"


def _title(measure: Measure) -> str:
    return html.escape(measure.label[0].upper() + measure.label[1:])


def _runs(history: SuiteHistory, models: Sequence[str]) -> Iterator[str]:
    is_open = " open" if len(history.runs) <= OPEN_RUNS else ""
    yield f"<details{is_open}><summary><h3>Runs</h3></summary>"
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Runs"><table><thead><tr>'
    yield '<th scope="col">when (UTC)</th><th scope="col">commit</th>'
    yield "".join(f'<th scope="col">{_text(model, 60)}</th>' for model in models)
    yield '<th scope="col">marks</th></tr></thead><tbody>'
    for place in reversed(range(len(history.runs))):
        yield _run(history, place, models)
    yield "</tbody></table></div></details>"


def _run(history: SuiteHistory, place: int, models: Sequence[str]) -> str:
    run = history.runs[place]
    state = "" if run.state.value == "complete" else f" ({run.state.value})"
    marks = "; ".join(_text(mark.text) for mark in history.marks.get(place, ()))
    cells = "".join(f"<td>{_verdict(run, model)}</td>" for model in models)
    return (
        f'<tr><th scope="row">{_text(when_text(run))}{state}</th>'
        f"<td><code>{_text(commit_text(run.commit)) or '–'}</code></td>{cells}<td>{marks}</td></tr>"
    )


def _verdict(run: RunRecord, model: str) -> str:
    figures = run.models.get(model)
    if figures is None:
        return "–"
    kind = figures.verdict.replace(" ", "-") if figures.verdict.replace(" ", "").isalpha() else ""
    word = f'<span class="{kind}">{_text(figures.verdict)}</span>'
    parts = [f"F1 {number(figures.f1)}", f"rank {number(figures.mean_rank)}"]
    return f"{word} <span class='note'>{', '.join(parts)}</span>"


def _data(history: SuiteHistory, models: Sequence[str]) -> str:
    """Return what the script reads out: a label a run, and the values of each measure."""
    runs = len(history.runs)
    values: dict[str, dict[str, list[str]]] = {}
    for trend in history.trends:
        row = values.setdefault(trend.measure.name, {}).setdefault(trend.model, [""] * runs)
        for points in trend.series:
            for point in points:
                row[point.run] = value_text(point.value, trend.measure)
    labels = [
        safe_text(f"{when_text(run)} {commit_text(run.commit)}".strip()) for run in history.runs
    ]
    marks = {
        place: safe_text("; ".join(mark.text for mark in marks), _TEXT_LIMIT)
        for place, marks in history.marks.items()
    }
    table = {
        "left": LEFT / WIDTH,
        "right": 1 - RIGHT / WIDTH,
        "width": WIDTH,
        "height": HEIGHT,
        "runs": labels,
        "marks": marks,
        "models": [safe_text(model) for model in models],
        "values": {
            name: [rows.get(model, []) for model in models] for name, rows in values.items()
        },
    }
    # Nothing in a script element may look like its end.
    return json.dumps(table, separators=(",", ":")).replace("<", "\\u003c")
