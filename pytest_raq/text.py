"""Text for people: safe to print, in columns, with units."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


_SHOWN_CONTROLS = {"\n": "⏎", "\t": " ", "\r": " "}

LONGEST_NOTE = 1_500
"""Maximum characters: a note may end with a command to copy, which must not be cut."""

_ANSI_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-_])")


def safe_text(text: str, limit: int = 160) -> str:
    """Return text of a model on one line, without control characters, cut to ``limit``.

    Escape sequences, bidirectional overrides and other invisible characters
    are replaced, so that an answer cannot write to the terminal.
    """
    shown = "".join(
        _SHOWN_CONTROLS.get(char, "�") if _is_control(char) else char for char in text[:limit]
    )
    return shown if len(text) <= limit else shown[: limit - 1].rstrip() + "…"


def well_formed(text: str) -> str:
    """Return a text that UTF-8 can hold.

    Both halves of a surrogate pair, which may come in two pieces, become the character that
    they mean; a half without the other becomes U+FFFD.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def width(text: str) -> int:
    """Return the number of terminal columns of a text."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    combining = sum(bool(unicodedata.combining(char)) for char in text)
    return len(text) + wide - combining


def shorten(text: str, size: int) -> str:
    """Return a text of at most ``size`` columns; the middle of a longer text is left out."""
    if width(text) <= size:
        return text
    head, tail = (size - 1) - (size - 1) // 2, (size - 1) // 2
    start = _cut(text, head)
    end = _cut(text[::-1], tail)[::-1]
    return f"{start}…{end}"


def _cut(text: str, size: int) -> str:
    """Return as much of the beginning of a text as fits in ``size`` columns."""
    while width(text) > size:
        text = text[:size] if len(text) > size else text[:-1]
    return text


def wrap(text: str, size: int, *, first: str = "", others: str = "  ") -> list[str]:
    """Break a text at spaces into lines of at most ``size`` columns.

    ``first`` and ``others`` are the beginnings of the lines. A word that is too
    long is not broken, so that a path can be copied.
    """
    lines, line, is_empty = [], first, True
    for word in text.split(" "):
        if not is_empty and width(line) + 1 + width(word) > size:
            lines.append(line)
            line, is_empty = others, True
        line += word if is_empty else f" {word}"
        is_empty = False
    return [*lines, line]


def columns(rows: Sequence[Sequence[str]], *, left: int = 1, gap: int = 2) -> list[str]:
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
        lines.append((" " * gap).join(cells).rstrip())
    return lines


def fitted(
    rows: Sequence[Sequence[str]], size: int, *, optional: Sequence[int] = ()
) -> list[list[str]]:
    """Align rows of cells within ``size`` columns and return the lines of each row.

    Where that is too narrow columns move closer, then the ``optional`` ones
    (places in a row) are left out, one after the other. Where it still is, the
    first cell of each row, a name, gets a line of its own above the others.
    """
    choices = [without(rows, optional[:count]) for count in range(len(optional) + 1)]
    for chosen in choices:
        for gap in (2, 1):
            lines = columns(chosen, gap=gap)
            if fits(lines, size):
                return [[line] for line in lines]
    unnamed = [columns([("", *row[1:]) for row in chosen]) for chosen in choices]
    below = next((lines for lines in unnamed if fits(lines, size)), unnamed[-1])
    names = ["", *(shorten(row[0], size) for row in rows[1:])]  # a heading needs no name
    return [[name, line] if name else [line] for name, line in zip(names, below, strict=True)]


def without(rows: Sequence[Sequence[str]], places: Sequence[int]) -> list[list[str]]:
    """Return rows without the cells at some places."""
    return [[cell for place, cell in enumerate(row) if place not in places] for row in rows]


def fits(lines: Sequence[str], size: int) -> bool:
    """Whether all lines are at most ``size`` columns wide."""
    return all(width(line) <= size for line in lines)


def fold(text: str, size: int) -> list[str]:
    """Break a line at spaces if it is longer than ``size``; indent its further lines more."""
    if width(text) <= size:
        return [text]
    plain = text.lstrip(" ")
    indent = " " * (len(text) - len(plain))
    return wrap(plain, size, first=indent, others=f"{indent}  ")


def number(value: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """Return a number with a typographic minus sign; ``–`` if there is none."""
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"
    return text.replace("-", "−")


def size_text(size: float) -> str:
    """Return bytes in decimal units: ``4.37 GB``, ``2.3 MB``, ``512 B``."""
    for unit, amount, decimals in (("GB", 1e9, 2), ("MB", 1e6, 1), ("kB", 1e3, 1)):
        if size >= amount:
            return f"{size / amount:.{decimals}f} {unit}"
    return f"{size:.0f} B"


def p_text(value: float) -> str:
    """Return a p-value as in papers: three decimals, ``<0.001`` below."""
    if math.isnan(value):
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def distinct_names(names: dict[str, str]) -> dict[str, str]:
    """Return names, with numbers for those that became equal after cutting."""
    seen: dict[str, int] = {}
    result = {}
    for model, name in names.items():
        seen[name] = seen.get(name, 0) + 1
        result[model] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return result


def one_line(text: str, longest: int = 240) -> str:
    """Return text without control characters, on one line of at most ``longest`` characters."""
    plain = _ANSI_ESCAPE.sub("", text)
    printable = "".join(char if char.isprintable() else " " for char in plain)
    words = " ".join(printable.split())
    return words if len(words) <= longest else words[: longest - 1] + "…"


_LOG_COMMAND = re.compile(r"##(?=[a-z]*\[)", re.IGNORECASE)
_LINE_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)


def log_text(text: str) -> str:
    """Return text that no CI system takes for a command to itself.

    GitHub and Azure obey ``##[…]`` and ``##vso[…]`` anywhere in a line of a log, and GitHub obeys
    ``::…::`` at its start. A space in between makes them words.
    """
    return _LINE_COMMAND.sub(r"\1: ", _LOG_COMMAND.sub("# #", text))


def message_text(text: str, longest: int = 4_000) -> str:
    """Return a message for a terminal or a log: one line that starts and commands nothing.

    Messages quote what files of others hold: names of keys, replies of servers.
    """
    plain = _ANSI_ESCAPE.sub("", text)
    spaced = re.sub(r"[\r\n\t]", " ", plain)
    shown = "".join("�" if _is_control(char) else char for char in spaced)
    return log_text(shown if len(shown) <= longest else f"{shown[: longest - 1]}…")


def percent(share: float) -> str:
    """Return a measured share in whole percent."""
    return f"{100 * share:.0f} %"


def setting_text(value: float | str) -> str:
    """Return a setting as TOML spells it, without quotation marks."""
    return value if isinstance(value, str) else f"{value:g}"
