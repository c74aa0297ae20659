"""The picture of a ladder: size, speed and net preference of each file."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.report.figures.plot_file import save_picture
from pytest_raq.text import size_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from pytest_raq.records.command_results import Ladder, Rung

_COLOURS = {
    Decision.PASS: "#2a7f3f",
    Decision.UNCHANGED: "#2a7f3f",
    Decision.SUSPECT: "#c0262d",
    Decision.INCONCLUSIVE: "#b7791f",
    Decision.REGRESSION: "#c0262d",
}
_OTHER = "#666666"
_SPEEDS = (
    ("decode_tokens_per_second", "decode", "o"),
    ("prefill_tokens_per_second", "prefill", "s"),
)


def draw_ladder(ladder: Ladder, path: Path) -> None:
    """Write a picture of a ladder in the format of the name; StoreError when that fails.

    One row a file, the largest on top: its size, its speed, and its net
    preference against the top with interval, in the color of its verdict.
    """
    from matplotlib.figure import Figure

    rungs = [ladder.top, *(rung for rung in ladder.rungs if rung.bytes)]
    figure = Figure(figsize=(11, 1.6 + 0.45 * len(rungs)), layout="constrained")
    sizes, speeds, preferences = figure.subplots(1, 3, sharey=True, width_ratios=(2, 3, 4))
    _draw_sizes(sizes, rungs)
    _draw_speeds(speeds, rungs)
    _draw_preferences(preferences, ladder, rungs)
    title = (
        f"{ladder.model} on {ladder.suite}: {ladder.questions} questions in"
        f" {ladder.passages} passages, judge {ladder.provenance.judge.name}"
    )
    figure.suptitle(title, parse_math=False)
    save_picture(figure, path)


def _draw_sizes(axes: Axes, rungs: Sequence[Rung]) -> None:
    rows = range(len(rungs))
    bars = axes.barh(rows, [rung.bytes / 1e6 for rung in rungs], color="#8aa4c8", height=0.6)
    axes.bar_label(bars, [size_text(rung.bytes) for rung in rungs], padding=3, fontsize=8)
    axes.set_yticks(rows, [rung.kind for rung in rungs])
    axes.invert_yaxis()
    axes.set_xlabel("size, MB")
    axes.margins(x=0.35)


def _draw_speeds(axes: Axes, rungs: Sequence[Rung]) -> None:
    for measure, name, marker in _SPEEDS:
        timed = [(row, rung) for row, rung in enumerate(rungs) if rung.samples.get(measure)]
        if timed:
            values = [median(rung.samples[measure]) for _, rung in timed]
            axes.plot(values, [row for row, _ in timed], marker=marker, linewidth=1, label=name)
    axes.set_xlabel("tokens per second (median, in turns)")
    axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)


def _draw_preferences(axes: Axes, ladder: Ladder, rungs: Sequence[Rung]) -> None:
    axes.axvline(0, color="#888888", linewidth=1)
    axes.axvline(
        -ladder.margin, color="#888888", linewidth=1, linestyle="--", label=f"−{ladder.margin:g}"
    )
    seen = set()
    for row, rung in enumerate(rungs):
        quality = rung.verdict.quality if rung.verdict else None
        if rung.verdict is None or quality is None:
            continue
        decision = rung.verdict.decision
        low, high, middle = quality.interval.low, quality.interval.high, quality.net_preference
        axes.errorbar(
            middle,
            row,
            xerr=[[middle - low], [high - middle]],
            fmt="o",
            capsize=4,
            color=_COLOURS.get(decision, _OTHER),
            label=None if decision in seen else decision.value,
        )
        seen.add(decision)
    axes.set_xlabel(f"net preference against {ladder.top.kind}, with interval")
    _spread_out(axes, ladder.margin)
    axes.grid(axis="x", alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    labels = [f"margin ({text})" if text.startswith("−") else text for text in labels]
    axes.legend(handles, labels, fontsize=8, loc="upper right")


def _spread_out(axes: Axes, margin: float) -> None:
    """Keep small differences legible beside a file that is broken."""
    low, high = axes.get_xlim()
    if low > -4 * margin:
        return
    axes.set_xscale("symlog", linthresh=2 * margin, linscale=1)
    ticks = [-1.0, -0.5, -2 * margin, -margin, 0.0, margin, 2 * margin, 0.5, 1.0]
    shown = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(shown, [f"{tick:g}".replace("-", "−") for tick in shown])
    axes.minorticks_off()
