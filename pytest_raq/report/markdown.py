"""Markdown that stays what it is, whatever the text in it says."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from pytest_raq.report.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EMPTY = "*(empty)*"
_BACKTICKS = re.compile("`+")


def code(text: str, limit: int = 300) -> str:
    """Return a text as a code span, on one line and cut to ``limit``.

    In a code span nothing is Markdown: no link, no picture, no mention of a
    user. The fence is longer than any run of backticks in the text.
    """
    shown = safe_text(text, limit)
    if not shown.strip():
        return EMPTY
    fence = "`" * (max((len(run) for run in _BACKTICKS.findall(shown)), default=0) + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str, limit: int = 80) -> str:
    """Return a text as a code span for a table, where no bar may stand."""
    return code(text.replace("|", "¦"), limit)


def html_code(text: str, limit: int = 80) -> str:
    """Return a text as HTML code, for the summary of a folded part."""
    return f"<code>{html.escape(safe_text(text, limit))}</code>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table whose cells are already safe: the first column left, others right."""
    lines = [" | ".join(row) for row in (header, *rows)]
    rule = " | ".join([":--", *["--:"] * (len(header) - 1)])
    return [f"| {line} |" for line in (lines[0], rule, *lines[1:])]


def folded(summary: str, lines: Iterable[str]) -> list[str]:
    """Return lines that show when their summary, which is HTML, is clicked."""
    return [f"<details><summary>{summary}</summary>", "", *lines, "", "</details>", ""]
