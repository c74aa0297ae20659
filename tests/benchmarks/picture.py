"""The picture of docs/statistics.md: intervals of simulated runs and their verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.records import Decision

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.records import Verdict

WIDTH, LEFT, RIGHT, STEP = 760, 150, 30, 11
LOW, HIGH = -0.35, 0.20
COLOURS = {
    Decision.PASS: "#2a7f3f",
    Decision.INCONCLUSIVE: "#b7791f",
    Decision.SUSPECT: "#8e3b8e",
    Decision.REGRESSION: "#c0262d",
}


def draw(groups: Sequence[tuple[str, Sequence[Verdict]]], *, margin: float) -> str:
    """Return an SVG: one line an interval, in the colour of its verdict, one block a group."""
    blocks, top = [], 50
    for name, verdicts in groups:
        blocks += list(_block(name, verdicts, top))
        top += STEP * len(verdicts) + 30
    height = top + 40
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="sans-serif" font-size="12" role="img">'
    )
    title = "<title>Intervals of the net preference in simulated runs, by verdict</title>"
    paper = f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    return "\n".join((head, title, paper, *_legend(), *_axis(top, margin), *blocks, "</svg>\n"))


def _x(value: float) -> float:
    inside = min(max(value, LOW), HIGH)
    return round(LEFT + (inside - LOW) / (HIGH - LOW) * (WIDTH - LEFT - RIGHT), 1)


def _block(name: str, verdicts: Sequence[Verdict], top: int) -> Iterator[str]:
    yield f'<text x="10" y="{top + 12}" font-weight="bold" fill="#222">{name}</text>'
    for row, verdict in enumerate(verdicts):
        quality, y = verdict.quality, top + 8 + row * STEP
        if quality is None:
            continue
        colour = COLOURS[verdict.decision]
        ends = f'x1="{_x(quality.interval.low)}" x2="{_x(quality.interval.high)}"'
        yield f'<line {ends} y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
        yield f'<circle cx="{_x(quality.net_preference)}" cy="{y}" r="3.5" fill="{colour}"/>'


def _legend() -> Iterator[str]:
    for index, (decision, colour) in enumerate(COLOURS.items()):
        x = LEFT + index * 120
        yield f'<circle cx="{x}" cy="22" r="5" fill="{colour}"/>'
        yield f'<text x="{x + 10}" y="26" fill="#222">{decision.value}</text>'


def _axis(bottom: int, margin: float) -> Iterator[str]:
    for value, dash in ((0.0, "none"), (-margin, "4 3")):
        ends = f'x1="{_x(value)}" x2="{_x(value)}" y1="40" y2="{bottom}"'
        yield f'<line {ends} stroke="#888" stroke-dasharray="{dash}"/>'
    labels = {0.0: "no change", -margin: "−margin"} | {
        value: f"{value:.1f}".replace("-", "−") for value in (-0.3, -0.2, 0.1)
    }
    for value, label in labels.items():
        place = f'x="{_x(value)}" y="{bottom + 14}" text-anchor="middle"'
        yield f'<text {place} fill="#222">{label}</text>'
    place = f'x="{WIDTH - RIGHT}" y="{bottom + 32}" text-anchor="end"'
    told = "net preference: better answers minus worse ones, per question →"
    yield f'<text {place} fill="#222">{told}</text>'
