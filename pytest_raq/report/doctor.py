"""What ``raq doctor`` found out, as lines and as plain data."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_raq.records.doctor import Health
from pytest_raq.report.text import safe_text, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records.doctor import Diagnosis, Finding

FORMAT = 1
_WIDTH = 80
_LONGEST = 2_000
_WORDS = {Health.OK: "ok", Health.WARNING: "warning", Health.FAILURE: "FAILURE"}
_INDENT = " " * (max(map(len, _WORDS.values())) + 4)
_COMMAND = re.compile(r"(?:CMAKE_ARGS=|pip |git |\S*python[\d.]* -m )")


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the report: findings by section, each step that is left to do, and the counts.

    A line has at most 80 columns, but for a command or a path, which can be copied whole.
    """
    for section, findings in groupby(diagnosis.findings, lambda finding: finding.section):
        yield safe_text(section)
        yield from _section(list(findings))
        yield ""
    counts = ((diagnosis.count(health), health) for health in Health)
    yield ", ".join(f"{count} {_plural(health.value, count)}" for count, health in counts)


def _plural(word: str, count: int) -> str:
    return word if count == 1 or word == Health.OK.value else f"{word}s"


def _section(findings: list[Finding]) -> Iterator[str]:
    # Eleven files that fail for one reason need one reason and one command.
    for step, group in groupby(findings, lambda finding: finding.next_step):
        for _, alike in groupby(group, _reason):
            same = list(alike)
            yield from _finding(same[0], ", ".join(finding.name for finding in same))
        if step:
            yield from _step(safe_text(step, _LONGEST))


def _reason(finding: Finding) -> Finding:
    return finding if finding.health is Health.OK else replace(finding, name="")


def _finding(finding: Finding, names: str) -> list[str]:
    first = f"  {_WORDS[finding.health]}".ljust(len(_INDENT))
    text = f"{safe_text(names)}: {safe_text(finding.text, _LONGEST)}"
    return wrap(text, _WIDTH, first=first, others=_INDENT)


def _step(step: str) -> list[str]:
    first = f"{_INDENT}→ "
    if _COMMAND.match(step):
        return [f"{first}{step}"]
    return wrap(step, _WIDTH, first=first, others=f"{_INDENT}  ")


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
