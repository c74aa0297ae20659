"""Lines of commands: an accepted baseline, a plan, the findings of the doctor."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.records import Question, QuestionResult, SuiteResult
from pytest_raq.records.command_results import Health
from pytest_raq.report.terminal.suite import provenance_lines, suite_lines
from pytest_raq.text import columns, number, safe_text, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records import Baseline
    from pytest_raq.records.command_results import Diagnosis, Finding, PowerPlan


FORMAT = 1
_WIDTH = 80
_LONGEST = 2_000
_WORDS = {Health.OK: "ok", Health.WARNING: "warning", Health.FAILURE: "FAILURE"}
_INDENT = " " * (max(map(len, _WORDS.values())) + 4)
_COMMAND = re.compile(r"(?:CMAKE_ARGS=|pip |git |\S*python[\d.]* -m )")


def plan_lines(plan: PowerPlan) -> list[str]:
    """Return a plan as lines of a terminal."""
    return [
        *_design(plan),
        *_spreads(plan),
        *_found(plan),
        *_chance(plan),
        *_needed(plan),
        *_outlook(plan),
        *_likelihood(plan),
    ]


def _likelihood(plan: PowerPlan) -> Iterator[str]:
    """Yield what the likelihood of the references finds, where a run has measured it."""
    for item in plan.likelihood:
        questions, passages = item.needed
        told = ""
        if passages:
            counts = f"{_count(questions, 'question')} in {_count(passages, 'passage')}"
            told = f"; a loss of {item.effect:g} (likelihood_min_effect) needs about {counts}"
        yield (
            f"{safe_text(item.model)}: the likelihood of the references finds a loss of"
            f" {item.detectable:.3f} bits per byte in 80 % of such runs{told}"
        )


def _design(plan: PowerPlan) -> Iterator[str]:
    yield (
        f"{safe_text(plan.run.name)}: {_count(plan.run.questions, 'question')} in"
        f" {_count(plan.run.passages, 'passage')}, {_count(plan.run.models, 'model')} tested,"
        f" alpha {plan.run.alpha:g}, min_effect {plan.run.min_effect:g},"
        f" margin {plan.run.margin:g}"
    )
    yield f"spread: {safe_text(plan.source, 300)}"


def _spreads(plan: PowerPlan) -> Iterator[str]:
    rows = [
        (
            safe_text(item.model) or "any",
            f"{100 * item.changed:.0f} %",
            number(item.correlation),
            number(-item.detectable),
            _percent(item.pass_chance),
            "",
        )
        for item in plan.spreads
    ]
    header = ("model", "answers ranked differently", "correlation in passages", "finds",
              "unchanged passes", "")  # fmt: skip
    yield from columns([header, *rows])


def _found(plan: PowerPlan) -> Iterator[str]:
    if math.isnan(plan.detectable):
        least = math.ceil(math.log2(plan.run.models / plan.run.alpha) - 1e-9)
        if plan.run.passages < least:
            yield (
                f"No loss can be found: {_count(plan.run.passages, 'passage')} cannot be"
                f" significant at alpha {plan.run.alpha:g}; ask about {least} or more"
            )
        else:
            yield "No loss can be found: ask more questions about more passages"
        return
    yield (
        f"A net preference of {number(-plan.detectable)} or worse is found in"
        f" {_percent(plan.run.power)} of runs: of 100 answers,"
        f" {max(1, round(100 * plan.detectable))} more are worse than are better."
    )


def _chance(plan: PowerPlan) -> Iterator[str]:
    lowest = min(item.pass_chance for item in plan.spreads)
    yield (
        f"A model that did not change passes in {_percent(lowest)} of runs, where it is answered"
        " anew, e.g. from a new file; the others are inconclusive."
    )


def _outlook(plan: PowerPlan) -> Iterator[str]:
    """Yield both errors of runs of other sizes, at the spread that finds least."""
    widest = plan.widest
    yield ""
    of = f" for {safe_text(widest.model)}" if widest.model and len(plan.spreads) > 1 else ""
    yield f"runs of other sizes{of}:"
    rows = [
        (
            f"{item.questions:,}",
            f"{item.passages:,}",
            number(-item.detectable),
            _percent(item.pass_chance),
            "",
        )
        for item in widest.outlook
    ]
    yield from columns([("questions", "passages", "finds", "unchanged passes", ""), *rows])


def _needed(plan: PowerPlan) -> Iterator[str]:
    if plan.effect is None or plan.needed is None:
        return
    questions, passages = plan.needed
    yield (
        f"To find {number(-plan.effect)} in {_percent(plan.run.power)} of runs:"
        f" {questions:,} questions in {passages:,} passages"
        f" ({questions / passages:.3g} a passage)."
    )


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


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
    ratios = {name: speed.ratios for name, speed in baseline.accepted_speeds.items()}
    samples = {name: speed.samples for name, speed in baseline.accepted_speeds.items()}
    for title, count, table in (
        ("speed, as a multiple of the yardstick", "processes", ratios),
        ("speed of servers", "rounds", samples),
        ("speed probe", "rounds", baseline.speeds),
    ):
        rows = [
            (
                safe_text(model),
                measure.replace("_", " "),
                number(median(values), 3),
                f"{len(values)}",
            )
            for model, by_measure in table.items()
            for measure, values in by_measure.items()
            if values
        ]
        if rows:
            yield ""
            yield from columns([(title, "measure", "median", count), *rows], left=2)
