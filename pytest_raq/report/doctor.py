"""What ``raq doctor`` found out, as lines and as plain data."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from pytest_raq.records.doctor import Health
from pytest_raq.report.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records.doctor import Diagnosis, Finding

FORMAT = 1
_WIDTH = 80
_LONGEST = 2_000
_WORDS = {Health.OK: "ok", Health.WARNING: "warning", Health.FAILURE: "FAILURE"}
_COLUMN = max(map(len, _WORDS.values())) + 2


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the report: findings by section, each step that is left to do, and the counts.

    A line has at most 80 columns, but for a command, which can be copied whole.
    """
    section = step = ""
    for finding in diagnosis.findings:
        if finding.section != section:
            yield from [""] * bool(section)
            yield finding.section
            section = finding.section
        yield from _finding(finding)
        # Eleven files that fail for one reason need one command.
        if finding.next_step and finding.next_step != step:
            step = finding.next_step
            yield f"{' ' * (_COLUMN + 2)}→ {safe_text(step, _LONGEST)}"
    counts = ((diagnosis.count(health), health) for health in Health)
    told = [f"{count} {_plural(health.value, count)}" for count, health in counts]
    yield ""
    yield ", ".join(told)


def _plural(word: str, count: int) -> str:
    return word if count == 1 or word == Health.OK.value else f"{word}s"


def _finding(finding: Finding) -> Iterator[str]:
    first = f"  {_WORDS[finding.health]:{_COLUMN}}"
    text = f"{safe_text(finding.name)}: {safe_text(finding.text, _LONGEST)}"
    yield from textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def diagnosis_to_json(diagnosis: Diagnosis) -> dict[str, object]:
    """Return the report as plain data."""
    return {
        "format": FORMAT,
        "counts": {health.value: diagnosis.count(health) for health in Health},
        "findings": [
            {
                "section": finding.section,
                "name": finding.name,
                "health": finding.health.value,
                "text": finding.text,
                "next_step": finding.next_step,
            }
            for finding in diagnosis.findings
        ],
    }
