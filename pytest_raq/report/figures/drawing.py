"""The shapes that all pictures are made of: a row a model, names above, figures beside.

Colors are few and named, so that a page can replace them by its own; shapes
tell apart what colors do: today is filled, the baseline is an outline.
Matplotlib is imported where something is drawn.
"""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.text import number, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, LINE, PAPER = "#1b1f24", "#59636e", "#d1d9e0", "#fefefe"
NOW = "#0072b2"
"""Blue of Okabe and Ito, which every kind of color vision separates from gray."""
ON_DARK, ON_LIGHT = "#ffffff", "#101418"

WIDTH = 316.0
"""Points; small enough to be read on a phone without turning it."""
TEXT = 10.0
_SMALL = 8.8
POINTS = 72.0
_LONGEST_NAME = 44
_LONGEST_FITTED = 120
_GROUND = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0}
"""Behind a text, so that no line of an axis runs through it."""
GAP = 8.0
"""Points between two texts of a row."""
_DARKEST, _LIGHTEST = (0x0B, 0x3C, 0x6F), (0xCF, 0xE3, 0xF3)


@dataclass(frozen=True, slots=True)
class Mark:
    """A value with its interval; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def is_known(self) -> bool:
        """Whether there is a value to show."""
        return math.isfinite(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether both bounds are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def text(self, *, sign: bool = False) -> str:
        """Return the value with its interval as a reader writes it, or that there is none."""
        if not self.is_known:
            return "not measured"
        value, low, high = (_signed(v, sign=sign) for v in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]" if self.has_interval else value


def _signed(value: float, *, sign: bool) -> str:
    """Return a number with its sign; nothing has none."""
    return number(value, sign=sign and abs(value) >= 0.005)


@contextmanager
def style() -> Iterator[None]:
    """Make the context in which pictures are made and written."""
    import matplotlib as mpl

    # A name in a script that the measuring font lacks is drawn by the reader's font.
    with warnings.catch_warnings(), mpl.rc_context():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        mpl.rcdefaults()  # whatever the user's own settings are
        mpl.rcParams.update(
            {
                "font.size": TEXT,
                "font.family": ["DejaVu Sans"],
                "text.color": INK,
                "text.parse_math": False,  # a model's name may hold dollars
                "axes.edgecolor": MUTED,
                "axes.labelcolor": MUTED,
                "axes.facecolor": "none",
                "axes.unicode_minus": True,
                "figure.facecolor": "none",
                "savefig.facecolor": "auto",
                "xtick.color": MUTED,
                "xtick.labelsize": _SMALL,
                "axes.labelsize": _SMALL,
                "svg.hashsalt": "pytest-raq",
                "svg.fonttype": "none",
            }
        )
        yield


def name_text(model: str, longest: int = _LONGEST_NAME) -> str:
    """Return the name of a model as a picture shows it."""
    return safe_text(model, longest)


def fitted_name(model: str, points: float, size: float = TEXT) -> str:
    """Return the name of a model, cut in its middle to a width in points.

    The beginning of a name has the model, its end often the quantization.
    """
    name = name_text(model, _LONGEST_FITTED)
    kept = len(name)
    shown = name
    while kept > 4 and text_width(shown, size) > points:
        kept -= 1
        head = (kept + 1) // 2
        shown = f"{name[:head]}…{name[head - kept :]}"
    return shown


def text_width(text: str, size: float) -> float:
    """Return the width of a text in points."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().x1) if text.strip() else 0.0


def canvas(height: float, *, foot: float = 0.0, width: float = WIDTH) -> tuple[Figure, Axes]:
    """Return a figure whose y axis counts points from the top, without frame or ticks.

    ``foot`` is the room for an x axis below.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / POINTS, (height + foot) / POINTS))
    axes = figure.add_axes((0.0, foot / (height + foot), 1.0, height / (height + foot)))
    axes.set_ylim(height, 0)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if not foot:
        axes.set_xticks([])
    return figure, axes


def draw_bars(
    now: Mapping[str, float], before: Mapping[str, float], *, unit: str, decimals: int
) -> Figure:
    """Return a bar a model from zero on, that of the baseline as an outline below it."""
    has_before = any(math.isfinite(before.get(model, math.nan)) for model in now)
    pitch = 42.0 if has_before else 32.0
    figure, axes = canvas(len(now) * pitch + (16 if has_before else 0))
    shown = [value for values in (now, before) for value in values.values()]
    top = max((value for value in shown if math.isfinite(value)), default=0.0) or 1.0
    axes.set_xlim(0, top * WIDTH / (WIDTH - 76))
    for index, (model, value) in enumerate(now.items()):
        y = index * pitch
        _name(axes, model, y)
        _bar(axes, y + 13, value, f"{number(value, decimals)} {unit}", filled=True)
        then = before.get(model, math.nan)
        if math.isfinite(then):
            _bar(axes, y + 26, then, f"{number(then, decimals)} {unit}", filled=False)
    if has_before:
        _legend(axes, len(now) * pitch + 7, "bar")
    return figure


def _name(axes: Axes, model: str, y: float, room: float = WIDTH) -> None:
    axes.text(
        0,
        y + 6,
        fitted_name(model, room),
        transform=axes.get_yaxis_transform(),
        va="center",
        color=INK,
        bbox=_GROUND,
    )


def _bar(axes: Axes, y: float, value: float, text: str, *, filled: bool) -> None:
    from matplotlib.patches import Rectangle

    height = 11.0 if filled else 7.0
    if not math.isfinite(value):
        axes.text(0, y + height / 2, "not measured", va="center", color=MUTED, size=_SMALL)
        return
    face, edge = (NOW, "none") if filled else ("none", MUTED)
    axes.add_patch(Rectangle((0, y), value, height, facecolor=face, edgecolor=edge, linewidth=0.8))
    _beside(axes, value, y + height / 2, text, strong=filled)


def _beside(axes: Axes, x: float, y: float, text: str, *, strong: bool) -> None:
    axes.annotate(
        text,
        (x, y),
        (4, 0),
        textcoords="offset points",
        va="center",
        color=INK if strong else MUTED,
        size=TEXT if strong else _SMALL,
    )


def _legend(axes: Axes, y: float, kind: str) -> None:
    """Explain which shape is today and which is the baseline."""
    transform = axes.get_yaxis_transform()
    marker = "s" if kind == "bar" else "o"
    for x, face, text in ((0.012, NOW, "today"), (0.16, "none", "baseline")):
        edge = NOW if face == NOW else MUTED
        axes.plot(
            [x], [y], marker, transform=transform, ms=5, mfc=face, mec=edge, mew=0.9, clip_on=False
        )
        axes.text(x + 0.022, y, text, transform=transform, va="center", color=MUTED, size=_SMALL)


def draw_marks(
    now: Mapping[str, Mark],
    before: Mapping[str, Mark],
    *,
    limits: tuple[float, float],
    label: str,
    zero: float | None = None,
    margin: float | None = None,
) -> Figure:
    """Return a dot with its interval a model, that of the baseline as a ring below it.

    With ``zero`` there is a line, and values have a sign; ``margin`` is a dashed line.
    """
    has_before = any(model in before and before[model].is_known for model in now)
    pitch = 40.0 if has_before else 30.0
    height = len(now) * pitch + 2
    figure, axes = canvas(height, foot=44.0 if has_before else 30.0)
    # Room for half of the numbers at both ends of the axis.
    axes.set_position((0.045, axes.get_position().y0, 0.91, axes.get_position().height))
    axes.set_xlim(*limits)
    _ground(axes, label)
    if zero is not None:
        axes.axvline(zero, color=MUTED, lw=0.9, zorder=1)
    if margin is not None:
        axes.axvline(margin, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=1)
    for index, (model, mark) in enumerate(now.items()):
        y = index * pitch
        _row_text(axes, y, model, mark, sign=zero is not None)
        _mark(axes, y + 18, mark, filled=True)
        if (then := before.get(model)) is not None:
            _mark(axes, y + 29, then, filled=False)
    if has_before:
        _legend(axes, height + 38, "dot")
    return figure


def _ground(axes: Axes, label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="x", color=LINE, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0, pad=3)
    axes.set_xlabel(label, labelpad=3)


def _row_text(axes: Axes, y: float, model: str, mark: Mark, *, sign: bool) -> None:
    text = mark.text(sign=sign)
    room = WIDTH * axes.get_position().width - text_width(text, _SMALL) - GAP
    _name(axes, model, y, room)
    axes.text(
        1,
        y + 6,
        text,
        transform=axes.get_yaxis_transform(),
        va="center",
        ha="right",
        size=_SMALL,
        color=INK if mark.is_known else MUTED,
        bbox=_GROUND,
    )


def _mark(axes: Axes, y: float, mark: Mark, *, filled: bool) -> None:
    if not mark.is_known:
        return
    color = NOW if filled else MUTED
    if mark.has_interval:
        axes.plot(
            [mark.low, mark.high], [y, y], color=color, lw=2.0 if filled else 1.2,
            solid_capstyle="butt", clip_on=False,
        )  # fmt: skip
    axes.plot(
        [mark.value], [y], "o", ms=6.5 if filled else 5.5, mfc=color if filled else PAPER,
        mec=color, mew=1.1, clip_on=False,
    )  # fmt: skip


def draw_shares(counts: Mapping[str, Mapping[float, int]]) -> Figure:
    """Return a bar a model, divided by the ranks that it got; 1, the best, is darkest."""
    ranks = sorted({rank for row in counts.values() for rank in row})
    colors = dict(zip(ranks, _shades(len(ranks)), strict=True))
    pitch, foot = 36.0, 24.0
    figure, axes = canvas(len(counts) * pitch + foot)
    axes.set_xlim(0, 1)
    for index, (model, row) in enumerate(counts.items()):
        _name(axes, model, index * pitch)
        _divided(axes, index * pitch + 13, row, colors)
    _rank_legend(axes, len(counts) * pitch + 8, colors)
    return figure


def _shades(count: int) -> Iterator[str]:
    """Yield colors of one hue from dark to light, so that they differ in gray too."""
    for index in range(count):
        part = index / max(count - 1, 1)
        mixed = (
            round(dark + (light - dark) * part)
            for dark, light in zip(_DARKEST, _LIGHTEST, strict=True)
        )
        yield "#" + "".join(f"{channel:02x}" for channel in mixed)


def _text_on(color: str) -> str:
    """Return a color of text that can be read on a color."""
    red, green, blue = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return ON_LIGHT if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else ON_DARK


def _divided(axes: Axes, y: float, row: Mapping[float, int], colors: Mapping[float, str]) -> None:
    from matplotlib.patches import Rectangle

    total, start = sum(row.values()), 0.0
    if not total:
        axes.text(0, y + 8, "not ranked", va="center", color=MUTED, size=_SMALL)
        return
    for rank, color in colors.items():
        share = row.get(rank, 0) / total
        if not share:
            continue
        axes.add_patch(
            Rectangle((start, y), share, 16, facecolor=color, edgecolor=PAPER, linewidth=0.8)
        )
        if share >= 0.085:
            axes.text(
                start + share / 2, y + 8.2, f"{share:.0%}".replace("%", " %"), ha="center",
                va="center", color=_text_on(color), size=_SMALL,
            )  # fmt: skip
        start += share


def _rank_legend(axes: Axes, y: float, colors: Mapping[float, str]) -> None:
    from matplotlib.patches import Rectangle

    axes.text(0, y + 5, "rank", va="center", color=MUTED, size=_SMALL)
    step = min(0.1, 0.9 / max(len(colors), 1))
    for index, (rank, color) in enumerate(colors.items()):
        x = 0.1 + index * step
        axes.add_patch(Rectangle((x, y), 0.03, 9.5, facecolor=color, edgecolor=MUTED, lw=0.4))
        if len(colors) <= 9 or rank == int(rank):
            axes.text(x + 0.036, y + 5, f"{rank:g}", va="center", color=MUTED, size=_SMALL)
