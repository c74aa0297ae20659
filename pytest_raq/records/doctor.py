"""What ``raq doctor`` found out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How one thing is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    ``section`` groups lines, ``name`` says what was looked at, ``text`` what was
    found, and ``next_step`` what to do about a warning or a failure: a command,
    where there is one.
    """

    section: str
    name: str
    health: Health
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, in the order in which things were looked at."""

    findings: tuple[Finding, ...]

    def count(self, health: Health) -> int:
        """Return how many findings are of one kind."""
        return sum(finding.health is health for finding in self.findings)
