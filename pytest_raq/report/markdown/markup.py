"""Markdown that no answer can break out of, and the annotations of a job."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.report.words import verdict_words
from pytest_raq.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_raq.records import SuiteResult, Verdict


EMPTY = "*(empty)*"
_BACKTICKS = re.compile("`+")

_LEVELS = {
    Decision.REGRESSION: "error",
    Decision.SUSPECT: "error",
    Decision.NO_BASELINE: "error",
    Decision.NOT_MEASURED: "error",
    Decision.INCONCLUSIVE: "warning",
}
_LIMIT = 600


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
    """Return a text as a code span for a table, where no bar is allowed."""
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


def annotation_lines(results: Iterable[SuiteResult]) -> Iterator[str]:
    """Yield a workflow command for each verdict that is not a pass.

    What is not safe in a command is escaped as GitHub's own toolkit does.
    """
    for result in results:
        for verdict in result.verdicts.values():
            if level := _LEVELS.get(verdict.decision):
                yield f"::{level} title={_property(_title(result, verdict))}::{_data(verdict)}"


def _title(result: SuiteResult, verdict: Verdict) -> str:
    names = f"{safe_text(verdict.model)} in {safe_text(result.suite)}"
    return f"{verdict_words(verdict, loud=True)} {names}"


def _data(verdict: Verdict) -> str:
    reasons = [safe_text(reason, _LIMIT) for reason in verdict.reasons]
    return _escape("\n".join(reasons) or verdict.decision.value)


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
