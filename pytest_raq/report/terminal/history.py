"""Trends as lines and sparklines."""

from __future__ import annotations

from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.report.words import (
    LETTERS,
    change_text,
    commit_text,
    value_text,
    verdict_text,
    when_text,
)
from pytest_raq.text import columns, number, safe_text, shorten, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_raq.records import RunRecord
    from pytest_raq.records.history import RunMark, SuiteHistory, Trend, TrendPoint


_BLOCKS = "▁▂▃▄▅▆▇█"
_LEVEL = "▄"

WIDTH = 80
SHOWN_RUNS = 10
_SPARK = 30
_VERDICT = 50


def sparkline(points: Iterable[TrendPoint], runs: int, width: int) -> str:
    """Return the values over all runs of a history, at most ``width`` characters.

    Where runs are more than that, each character is the median of its share of
    them; a blank where none has a value. The lowest value is the lowest block.
    """
    buckets: list[list[float]] = [[] for _ in range(min(width, runs))]
    for point in points:
        buckets[point.run * len(buckets) // runs].append(point.value)
    middles = [median(bucket) if bucket else None for bucket in buckets]
    known = [value for value in middles if value is not None]
    low, span = (min(known), max(known) - min(known)) if known else (0.0, 0.0)
    return "".join(_block(value, low, span) for value in middles).rstrip()


def _block(value: float | None, low: float, span: float) -> str:
    if value is None:
        return " "
    if span <= 1e-12 * max(1.0, abs(low)):
        return _LEVEL
    return _BLOCKS[min(len(_BLOCKS) - 1, int((value - low) / span * len(_BLOCKS)))]


def mark_line(
    marks: Mapping[int, tuple[RunMark, ...]], letters: Mapping[str, str], runs: int, width: int
) -> str:
    """Return a letter below each share of the runs in which something was marked.

    Of several the first in the order of ``letters`` is shown.
    """
    size = min(width, runs)
    found: list[set[str]] = [set() for _ in range(size)]
    for run, some in marks.items():
        found[run * size // runs].update(mark.kind.value for mark in some)
    return "".join(
        next((letter for kind, letter in letters.items() if kind in kinds), " ") for kinds in found
    ).rstrip()


def trend_lines(history: SuiteHistory) -> list[str]:
    """Return trends with sparklines, named changes, and the last runs with their marks."""
    return [*_heading(history), *_trends(history), *_changes(history), *_runs(history)]


def _heading(history: SuiteHistory) -> Iterator[str]:
    first, last, count = history.runs[0], history.runs[-1], len(history.runs)
    runs = f"{count} run{'s' * (count != 1)}"
    dates = f"from {first.time[:10]} to {last.time[:10]}" if count > 1 else f"of {last.time[:10]}"
    yield from wrap(f"{safe_text(history.suite)}: {runs} {dates}, in {history.place}", WIDTH)


def _trends(history: SuiteHistory) -> Iterator[str]:
    if not history.trends:
        yield "no run measured a model in full"
        return
    count = len(history.runs)
    marked = mark_line(history.marks, LETTERS, count, _SPARK)
    rows = [_row(trend, count) for trend in history.trends]
    heading, *lines = columns(
        [("", "first", "last", "change", "trend"), *rows, ("marks", "", "", "", marked)]
    )
    yield heading
    for place, trend in enumerate(history.trends):
        if place == 0 or history.trends[place - 1].model != trend.model:
            yield shorten(safe_text(trend.model), WIDTH)
        yield lines[place]
    if marked:
        yield lines[-1]
        used = {kind: letter for kind, letter in LETTERS.items() if letter in marked}
        yield from wrap(", ".join(f"{letter} {kind}" for kind, letter in used.items()), WIDTH)
    yield from _incomparable(history)


def _row(trend: Trend, runs: int) -> tuple[str, str, str, str, str]:
    measure, points = trend.measure, trend.current
    first, last = points[0].value, points[-1].value
    return (
        f"  {measure.label}",
        value_text(first, measure),
        value_text(last, measure),
        _difference(trend) if len(points) > 1 else "–",
        sparkline(points, runs, _SPARK),
    )


def _difference(trend: Trend) -> str:
    measure, points = trend.measure, trend.current
    first, last = points[0].value, points[-1].value
    if measure.relative and first:
        return f"{number(_rounded(100 * (last - first) / first, 1), 1, sign=True)} %"
    return value_text(_rounded(last - first, measure.decimals), measure, sign=True)


def _rounded(value: float, decimals: int) -> float:
    """Round, and leave no sign to a zero."""
    return round(value, decimals) + 0.0


def _incomparable(history: SuiteHistory) -> Iterator[str]:
    """Report how many runs are not in the sparklines because they cannot be compared."""
    for is_speed, why in ((False, "other questions, judge or models"), (True, "another machine")):
        counts = [
            sum(map(len, trend.series[:-1]))
            for trend in history.trends
            if trend.measure.is_speed == is_speed and trend.measure.name != "net_preference"
        ]
        if most := max(counts, default=0):
            what = "speed" if is_speed else "quality"
            runs = f"{most} run{'s' * (most != 1)}"
            yield from wrap(f"not in the trend of {what}: {runs} with {why}", WIDTH)


def _changes(history: SuiteHistory) -> Iterator[str]:
    yield ""
    yield "changes:" if history.changes else "no change of level"
    for run, changes in groupby(history.changes, key=lambda change: change.run):
        for change in changes:
            yield from wrap(change_text(change, history), WIDTH, first="  ", others="    ")
        for mark in history.marks.get(run, ()):
            yield from wrap(
                f"in that run: {safe_text(mark.text)}", WIDTH, first="    ", others="      "
            )


def _runs(history: SuiteHistory) -> Iterator[str]:
    count = len(history.runs)
    marked = sorted(history.marks)[-SHOWN_RUNS:]
    places = sorted({*range(count)[-SHOWN_RUNS:], *marked})
    rows = [_run_cells(history.runs[place]) for place in places]
    yield ""
    yield "runs:" if count == len(places) else f"runs: the last, and those marked, of {count}"
    for line, place in zip(columns(rows, left=3), places, strict=True):
        yield f"  {line}"
        for mark in history.marks.get(place, ()):
            yield from wrap(safe_text(mark.text), WIDTH, first="    ", others="      ")


def _run_cells(run: RunRecord) -> tuple[str, str, str]:
    return when_text(run), commit_text(run.commit) or "–", shorten(_state(run), _VERDICT)


def _state(run: RunRecord) -> str:
    state = "" if run.state.value == "complete" else f" ({run.state.value})"
    return f"{safe_text(verdict_text(run))}{state}"
