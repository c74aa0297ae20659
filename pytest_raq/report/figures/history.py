"""One measure over all runs as an SVG line chart for a page."""

from __future__ import annotations

import html
import math
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.report.words import LETTERS, change_text, value_text
from pytest_raq.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_raq.records.history import Measure, SuiteHistory, Trend, TrendChange, TrendPoint

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 22, 26
MOST_POINTS = 240
"""Points of a line: of more runs each is the median of its share."""
STYLES = 8
"""Lines that differ in color and dashes; more models use them again."""
_DATES = 5


class Scale:
    """From runs and values to the places of a chart."""

    def __init__(self, runs: int, values: Sequence[float], *, least: float) -> None:
        self.runs = runs
        low, high = min(values), max(values)
        room = max(0.08 * (high - low), (least - (high - low)) / 2)
        self.low, self.high = low - room, high + room

    def x(self, run: float) -> float:
        """Return where a run is."""
        share = run / (self.runs - 1) if self.runs > 1 else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return where a value is."""
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def ticks(self) -> list[float]:
        """Return four to eight round values inside the scale."""
        step = 10 ** math.floor(math.log10(self.high - self.low))
        for divisor in (1, 2, 5, 10):
            first = math.ceil(self.low / (step / divisor))
            last = math.floor(self.high / (step / divisor))
            if last - first >= 3:
                return [number * step / divisor for number in range(first, last + 1)]
        return [self.low, self.high]


def trend_chart(history: SuiteHistory, measure: Measure, models: Mapping[str, int]) -> str:
    """Return the chart of a measure, or nothing where no run has it.

    ``models`` gives each model the number of its style.
    """
    trends = [trend for trend in history.trends if trend.measure == measure]
    values = [p.value for trend in trends for points in trend.series for p in points]
    if not values:
        return ""
    scale = Scale(len(history.runs), values, least=_least_span(measure, values))
    opening = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" tabindex="0" class="chart"'
        f' aria-label="{_description(measure, trends)}">'
    )
    changes = [change for change in history.changes if change.measure == measure]
    return "\n".join(
        [
            opening,
            *_frame(scale),
            *_dates(history, scale),
            *_marks(history, scale),
            *(part for trend in trends for part in _lines(trend, scale, models[trend.model])),
            *(_change(change, history, scale, models[change.model]) for change in changes),
            f'<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="-9" x2="-9"/>',
            "</svg>",
        ]
    )


def _least_span(measure: Measure, values: Sequence[float]) -> float:
    """Return what a chart spans at least, so that what is not worth a word stays small."""
    scale = max(map(abs, values)) if measure.relative else 1.0
    return 5 * measure.smallest * (scale or 1.0)


def _description(measure: Measure, trends: Sequence[Trend]) -> str:
    parts = (
        f"{safe_text(trend.model)} {value_text(trend.current[0].value, measure)}"
        f" to {value_text(trend.current[-1].value, measure)}"
        for trend in trends
    )
    return html.escape(f"{measure.label} over runs: {', '.join(parts)}")


def _frame(scale: Scale) -> Iterator[str]:
    ticks = scale.ticks()
    decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    for value in ticks:
        y = f"{scale.y(value):.1f}"
        text = f"{value:.{min(decimals, 6)}f}".replace("-", "−")
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="tick end" x="{LEFT - 6}" y="{y}" dy="0.32em">{text}</text>'


def _dates(history: SuiteHistory, scale: Scale) -> Iterator[str]:
    last = len(history.runs) - 1
    count = min(_DATES, len(history.runs))
    places = sorted({round(number * last / max(1, count - 1)) for number in range(count)})
    for place in places:
        anchor = "" if place == last == 0 else " start" if place == 0 else " end" * (place == last)
        date = html.escape(history.runs[place].time[:10])
        yield f'<text class="tick{anchor}" x="{scale.x(place):.1f}" y="{HEIGHT - 8}">{date}</text>'


def _marks(history: SuiteHistory, scale: Scale) -> Iterator[str]:
    """Yield a line and its letter for each mark, letters no closer than they are wide."""
    room = -math.inf
    for run, marks in sorted(history.marks.items()):
        x = scale.x(run)
        kinds = {mark.kind.value for mark in marks}
        letters = "".join(letter for kind, letter in LETTERS.items() if kind in kinds)
        text = html.escape("; ".join(safe_text(mark.text) for mark in marks))
        yield f'<g class="mark"><title>{text}</title>'
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{HEIGHT - BOTTOM}"/>'
        if x - room >= 7 * len(letters):
            yield f'<text x="{x:.1f}" y="{TOP - 8}">{letters}</text>'
            room = x + 3.5 * len(letters)
        yield "</g>"


def _lines(trend: Trend, scale: Scale, style: int) -> Iterator[str]:
    for points in trend.series:
        places = [(scale.x(run), scale.y(value)) for run, value in thin(points, scale.runs)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        if len(places) > 1:
            yield f'<polyline class="line s{style}" points="{drawn}"/>'
        if len(places) == 1 or len(places) <= 12:
            yield from (f'<circle class="dot s{style}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
                        for x, y in places)  # fmt: skip


def thin(points: Sequence[TrendPoint], runs: int) -> list[tuple[float, float]]:
    """Return places and values of a line; of many runs the medians of neighbours."""
    size = max(1, math.ceil(runs / MOST_POINTS))
    groups = (list(group) for _, group in groupby(points, key=lambda point: point.run // size))
    return [
        (median(point.run for point in group), median(point.value for point in group))
        for group in groups
    ]


def _change(change: TrendChange, history: SuiteHistory, scale: Scale, style: int) -> str:
    x, y = scale.x(change.run), scale.y(change.after)
    way = 1 if change.after < change.before else -1
    shape = f"M{x:.1f} {y:.1f}l-6 {-way * 10}h12z"
    kind = "worse" if change.is_worse else "better"
    text = html.escape(change_text(change, history))
    return f'<path class="change {kind} s{style}" d="{shape}"><title>{text}</title></path>'
