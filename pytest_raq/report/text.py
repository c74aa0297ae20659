"""Text that is safe to print and columns that line up."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN_CONTROLS = {"\n": "⏎", "\t": " ", "\r": " "}


def safe_text(text: str, limit: int = 160) -> str:
    """Return text of a model on one line, without control characters, cut to ``limit``.

    Escape sequences, bidirectional overrides and other invisible characters
    are replaced, so that an answer cannot write to the terminal.
    """
    shown = "".join(_SHOWN_CONTROLS.get(char, "�") if _is_control(char) else char for char in text)
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def width(text: str) -> int:
    """Return how many terminal columns a text takes."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    combining = sum(bool(unicodedata.combining(char)) for char in text)
    return len(text) + wide - combining


def columns(rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """Align rows of cells: the first ``left`` columns and the last to the left, others right."""
    if not rows:
        return []
    widths = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell + " " * (size - width(cell))
            if index < left or index == len(row) - 1
            else " " * (size - width(cell)) + cell
            for index, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def number(value: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """Return a number with a true minus sign; ``–`` where there is none."""
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"
    return text.replace("-", "−")


def size_text(size: float) -> str:
    """Return bytes as disks are sold: ``4.37 GB``, ``2.3 MB``, ``512 B``."""
    for unit, amount, decimals in (("GB", 1e9, 2), ("MB", 1e6, 1), ("kB", 1e3, 1)):
        if size >= amount:
            return f"{size / amount:.{decimals}f} {unit}"
    return f"{size:.0f} B"


def p_text(value: float) -> str:
    """Return a p-value as papers print it: three decimals, ``<0.001`` below."""
    if math.isnan(value):
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
