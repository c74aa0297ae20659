"""A series of figures as one line of block characters."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_raq.records.trends import RunMark, TrendPoint

_BLOCKS = "▁▂▃▄▅▆▇█"
_LEVEL = "▄"


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
