"""Verdicts as annotations of GitHub Actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.report.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_raq.records import SuiteResult, Verdict

_LEVELS = {
    Decision.REGRESSION: "error",
    Decision.NO_BASELINE: "error",
    Decision.NOT_MEASURED: "error",
    Decision.INCONCLUSIVE: "warning",
}
_LIMIT = 600


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
    return f"{verdict.decision.value.upper()} {names}"


def _data(verdict: Verdict) -> str:
    reasons = [safe_text(reason, _LIMIT) for reason in verdict.reasons]
    return _escape("\n".join(reasons) or verdict.decision.value)


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
