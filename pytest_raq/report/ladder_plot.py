"""The picture of a ladder: net preference and speed over the size of the file."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError, StoreError
from pytest_raq.records import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from pytest_raq.records.trials import Ladder, Rung

FORMATS = (".png", ".svg", ".pdf")

_COLOURS = {
    Decision.PASS: "#2a7f3f",
    Decision.INCONCLUSIVE: "#b7791f",
    Decision.REGRESSION: "#c0262d",
}
_OTHER = "#666666"
_SPEEDS = (
    ("decode_tokens_per_second", "decode", "o"),
    ("prefill_tokens_per_second", "prefill", "s"),
)


def require_plot(path: Path) -> None:
    """ConfigError, before anything is measured, when a picture could not be drawn there."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"--plot {path}: write a name that ends with {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise ConfigError(f"--plot {path}: {path.parent} is no folder")
    try:
        import matplotlib  # noqa: F401, ICN001 - only whether it is there
    except ImportError as exc:
        raise ConfigError(
            f"--plot {path}: pictures need matplotlib: pip install 'pytest-raq[plot]'"
        ) from exc


def draw_ladder(ladder: Ladder, path: Path) -> None:
    """Write a picture of a ladder in the format of the name; StoreError when that fails."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    rungs = [rung for rung in ladder.rungs if rung.bytes]
    _draw_preferences(upper, ladder, rungs)
    _draw_speeds(lower, [ladder.top, *rungs])
    figure.suptitle(
        f"{ladder.model} on {ladder.suite}: {ladder.questions} questions in"
        f" {ladder.passages} passages, judge {ladder.provenance.judge.name}"
    )
    try:
        figure.savefig(path, dpi=150)
    except OSError as exc:
        raise StoreError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def _draw_preferences(axes: Axes, ladder: Ladder, rungs: Sequence[Rung]) -> None:
    axes.axhline(0, color="#888888", linewidth=1)
    axes.axhline(-ladder.margin, color="#888888", linewidth=1, linestyle="--")
    axes.annotate(
        f"−margin ({ladder.margin:g})",
        (0.005, -ladder.margin),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        color="#666666",
        fontsize=8,
    )
    axes.plot(_megabytes(ladder.top), 0, "D", color="#222222")
    _label(axes, ladder.top, 0)
    seen = set()
    for rung in rungs:
        quality = rung.verdict.quality if rung.verdict else None
        if rung.verdict is None or quality is None:
            continue
        decision = rung.verdict.decision
        low, high, middle = quality.interval.low, quality.interval.high, quality.net_preference
        axes.errorbar(
            _megabytes(rung),
            middle,
            yerr=[[middle - low], [high - middle]],
            fmt="o",
            capsize=4,
            color=_COLOURS.get(decision, _OTHER),
            label=None if decision in seen else decision.value,
        )
        seen.add(decision)
        _label(axes, rung, middle)
    axes.set_ylabel("net preference against the top,\nwith interval")
    if seen:
        axes.legend(title="verdict", loc="lower right")
    axes.margins(x=0.06, y=0.12)
    axes.grid(alpha=0.2)


def _label(axes: Axes, rung: Rung, height: float) -> None:
    axes.annotate(
        rung.kind,
        (_megabytes(rung), height),
        xytext=(7, 5),
        textcoords="offset points",
        fontsize=9,
    )


def _draw_speeds(axes: Axes, rungs: Sequence[Rung]) -> None:
    for measure, name, marker in _SPEEDS:
        timed = [rung for rung in rungs if rung.samples.get(measure)]
        if timed:
            sizes = [_megabytes(rung) for rung in timed]
            speeds = [median(rung.samples[measure]) for rung in timed]
            axes.plot(sizes, speeds, marker=marker, linewidth=1, alpha=0.8, label=name)
    axes.set_yscale("log")
    axes.set_ylabel("tokens per second\n(median, in turns)")
    axes.set_xlabel("size of the file, MB")
    axes.grid(alpha=0.2, which="both")
    if axes.get_legend_handles_labels()[0]:
        axes.legend()


def _megabytes(rung: Rung) -> float:
    return rung.bytes / 1e6
