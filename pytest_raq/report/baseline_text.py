"""One baseline as lines of a terminal."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.records import Question, QuestionResult, SuiteResult
from pytest_raq.report.provenance_text import provenance_lines
from pytest_raq.report.terminal import suite_lines
from pytest_raq.report.text import columns, number, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records import Baseline


def baseline_lines(baseline: Baseline) -> list[str]:
    """Return what was accepted: when and why, figures, tests, speed, provenance."""
    return [
        *_acceptance(baseline),
        *(line.text for line in suite_lines(_as_result(baseline))),
        *_speeds(baseline),
        "",
        *provenance_lines(baseline.provenance),
    ]


def _acceptance(baseline: Baseline) -> Iterator[str]:
    reason = f": {safe_text(baseline.reason, 400)}" if baseline.reason.strip() else ""
    yield f"accepted {safe_text(baseline.accepted_at)}{reason}"


def _as_result(baseline: Baseline) -> SuiteResult:
    """Return a baseline as the run that it was; the texts of its questions are not in it."""
    return SuiteResult(
        suite=safe_text(baseline.suite),
        models=baseline.models,
        tests=baseline.tests,
        verdicts={},
        questions=tuple(
            QuestionResult(Question(name, "", "", "", ()), item.answers, {}, {}, item.ranks, {})
            for name, item in baseline.questions.items()
        ),
        provenance=baseline.provenance,
        passages=baseline.tests.passages if baseline.tests else 0,
        speeds=baseline.speeds,
    )


def _speeds(baseline: Baseline) -> Iterator[str]:
    rows = [
        (safe_text(model), measure.replace("_", " "), number(median(values), 3), f"{len(values)}")
        for model, samples in baseline.speeds.items()
        for measure, values in samples.items()
        if values
    ]
    if rows:
        yield ""
        yield from columns([("speed probe", "measure", "median", "rounds"), *rows], left=2)
