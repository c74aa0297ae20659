"""What ``raq`` returns to the shell."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_raq.config import GateSettings
    from pytest_raq.records import SuiteResult


class ExitCode(IntEnum):
    """The same in every command."""

    FINE = 0
    REGRESSION = 1
    USAGE = 2
    NOT_MEASURED = 3
    INTERRUPTED = 130
    """As shells say it of Ctrl-C."""


def verdict_code(result: SuiteResult, settings: GateSettings) -> ExitCode:
    """Return the worst of what the verdicts of a result mean."""
    from pytest_raq.gate import is_failure
    from pytest_raq.records import Decision

    decisions = {verdict.decision for verdict in result.verdicts.values()}
    nothing_ranked = not any(item.ranks for item in result.questions)
    if Decision.REGRESSION in decisions:
        return ExitCode.REGRESSION
    disbelieved = result.judges is not None and bool(result.judges.problems)
    if Decision.NOT_MEASURED in decisions or nothing_ranked or disbelieved:
        return ExitCode.NOT_MEASURED
    failed = any(is_failure(verdict, settings) for verdict in result.verdicts.values())
    return ExitCode.REGRESSION if failed else ExitCode.FINE
