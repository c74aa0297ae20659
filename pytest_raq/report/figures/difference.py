"""The critical difference diagram."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_raq.report.figures.drawing import (
    GAP,
    INK,
    MUTED,
    NOW,
    POINTS,
    TEXT,
    canvas,
    fitted_name,
    text_width,
)
from pytest_raq.text import distinct_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_WIDE = 460.0
_SIDE = 0.37
"""The share of the diagram on each side of its axis, for names."""


def draw_difference(
    ranks: Mapping[str, float], p_values: Mapping[str, Mapping[str, float]], alpha: float
) -> Figure:
    """Return a critical difference diagram (Demšar, 2006): bars join models that no test separates.

    ``p_values`` are those of all pairs; an undefined one separates nothing.
    """
    from pandas import DataFrame
    from scikit_posthocs import critical_difference_diagram

    # Beside a name there is its rank, and the end of its line.
    room = _WIDE * _SIDE - text_width("  0.00 ", TEXT) - 2 * GAP
    names = distinct_names({model: fitted_name(model, room) for model in ranks})
    models: Sequence[str] = list(ranks)
    matrix = DataFrame(
        [[_p(p_values, first, second) for second in models] for first in models],
        index=[names[model] for model in models],
        columns=[names[model] for model in models],
    )
    figure, axes = canvas(100, width=_WIDE)
    axes.spines["top"].set_visible(True)
    drawn = critical_difference_diagram(
        {names[model]: rank for model, rank in ranks.items()},
        matrix,
        alpha=alpha,
        ax=axes,
        label_fmt_left="{label}\u2002{rank:.2f}\u00a0",
        label_fmt_right="\u00a0{rank:.2f}\u2002{label}",
        label_props={"size": TEXT},
        elbow_props={"color": MUTED, "lw": 0.9, "clip_on": False},
        marker_props={"s": 22, "color": NOW, "clip_on": False, "marker": "o"},
        crossbar_props={"color": INK, "linewidth": 3.2, "solid_capstyle": "butt", "clip_on": False},
        text_h_margin=0.04 * max(len(models) - 1, 1),
    )
    for label in drawn["labels"]:
        label.set_color(INK)
    levels = _widen([bar[0] for bar in drawn["crossbars"]], 0.02 * max(len(models) - 1, 1))
    _lay_out(figure, axes, len(models), levels + (len(models) + 1) // 2)
    return figure


def _widen(bars: Sequence[Line2D], by: float) -> int:
    """Let bars reach beyond what they join, so that one between equal ranks is seen; count rows."""
    import numpy as np

    rows = set()
    for bar in bars:
        ranks, y = np.asarray(bar.get_xdata(), float), float(np.asarray(bar.get_ydata(), float)[0])
        bar.set_data([ranks.min() - by, ranks.max() + by], [y, y])
        rows.add(y)
    return len(rows)


def _p(p_values: Mapping[str, Mapping[str, float]], first: str, second: str) -> float:
    found = p_values.get(first, {}).get(second, math.nan)
    return found if math.isfinite(found) else 1.0


def _lay_out(figure: Figure, axes: Axes, models: int, rows: int) -> None:
    """Give each row of a critical difference diagram the same room, below the axis on top."""
    head, body = 32.0, (rows + 0.8) * 15.0
    figure.set_size_inches(_WIDE / POINTS, (head + body) / POINTS)
    axes.set_position((_SIDE, 0.0, 1 - 2 * _SIDE, body / (head + body)))
    axes.set_xlim(1, models)
    axes.set_ylim(-rows - 0.8, 0)
    axes.set_xticks(range(1, models + 1))
    axes.tick_params(axis="x", length=4, pad=2, color=MUTED)
    axes.set_xlabel("mean rank, 1 is best", labelpad=4)
    axes.xaxis.set_label_position("top")
