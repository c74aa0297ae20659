"""The summary of a run as lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from itertools import combinations, compress
from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.report.gate_settings import settings_text
from pytest_raq.report.origins import from_store_text, keys_text
from pytest_raq.report.repeatability import repeatability_lines, repeatability_text
from pytest_raq.report.terminal.judges import judge_lines
from pytest_raq.report.words import decode_text, reasoning_text, verdict_words
from pytest_raq.text import LONGEST_NOTE, fitted, number, p_text, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.records import (
        Interval,
        ModelProvenance,
        ModelSummary,
        Provenance,
        QualityEvidence,
        QuestionResult,
        RankTests,
        SuiteResult,
        Verdict,
    )


WIDTH = 80
"""Columns of a terminal that nothing is known of."""

EXAMPLES, MORE_EXAMPLES = 3, 20
"""Questions shown for each regression, and with ``-v``."""


def provenance_lines(given: Provenance) -> Iterator[str]:
    """Yield the questions, what answered them, versions and the machine."""
    revision = f" at {safe_text(given.revision)}" if given.revision else ""
    yield f"questions: {safe_text(given.source)}{revision}, fingerprint {given.fingerprint[:12]}"
    for name, model in given.models.items():
        yield f"{safe_text(name)}: {safe_text(_model(model), 400)}"
    if told := keys_text(given):
        yield safe_text(told, 400)
    for what, table in (("versions", given.versions), ("machine", given.machine)):
        told = ", ".join(f"{key} {value}" for key, value in table.items())
        yield f"{what}: {safe_text(told, 400)}"


def _model(model: ModelProvenance) -> str:
    parts = (
        model.file,
        model.quantization,
        f"SHA-256 {model.file_sha256[:12]}" if model.file_sha256 else "",
        f"{model.engine} {model.build}".strip(),
        f"reproducible: {model.reproducible}" if model.reproducible else "",
        f"computed with {model.instruction_set}" if model.instruction_set else "",
        *(f"{name} {value}" for name, value in model.identity.items()),
    )
    return ", ".join(part for part in parts if part)


class Style(Enum):
    """How a line is set off on a terminal with colors."""

    PLAIN = "plain"
    BOLD = "bold"
    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the summary."""

    text: str
    style: Style = Style.PLAIN


STYLES = {
    Decision.PASS: Style.GREEN,
    Decision.UNCHANGED: Style.GREEN,
    Decision.SUSPECT: Style.RED,
    Decision.REGRESSION: Style.RED,
    Decision.INCONCLUSIVE: Style.YELLOW,
    Decision.NO_BASELINE: Style.RED,
    Decision.NOT_MEASURED: Style.RED,
}


def suite_lines(result: SuiteResult, *, size: int = WIDTH, verbosity: int = 0) -> list[Line]:
    """Return the summary of one suite: table, significance, verdicts, examples.

    Tables fit ``size`` columns. ``verbosity`` is that of pytest: below 0 only
    the table and what is not a pass, below −1 without the table; above 0 more
    examples, and where the figures come from.
    """
    if verbosity < 0:
        table = [] if verbosity < -1 else [*_heading(result), *_model_table(result, size)]
        return [*table, *_troubles(result)]
    return [
        *_heading(result),
        *(Line(safe_text(change, 600), Style.YELLOW) for change in result.changes),
        *_model_table(result, size),
        *_significance(result.tests, size),
        *_standing(result),
        *map(Line, judge_lines(result.judges)),
        *_judge_problems(result),
        *_verdicts(result, EXAMPLES if verbosity < 1 else MORE_EXAMPLES),
        *_repeatability(result),
        *(Line(f"note: {safe_text(note, LONGEST_NOTE)}") for note in result.notes),
        *(_provenance(result) if verbosity > 0 else ()),
    ]


def _troubles(result: SuiteResult) -> Iterator[Line]:
    yield from _judge_problems(result)
    for verdict in result.verdicts.values():
        if not verdict.decision.is_good:
            yield from verdict_lines(verdict)


def _provenance(result: SuiteResult) -> Iterator[Line]:
    yield Line("")
    yield from map(Line, provenance_lines(result.provenance))
    if told := settings_text(result.gate):
        yield Line(f"gate: {safe_text(told, 600)}")


def _heading(result: SuiteResult) -> Iterator[Line]:
    count, passages = len(result.questions), result.passages
    noun = "judges" if result.judges and len(result.judges.judges) > 1 else "judge"
    judge = f"{noun} {result.provenance.judge.name}"
    yield Line(
        f"{result.suite}: {count} question{'s' * (count != 1)} in"
        f" {passages} passage{'s' * (passages != 1)}, {judge}",
        Style.BOLD,
    )
    if told := from_store_text(result):
        yield Line(f"{told}; --raq-fresh asks again")
    if told := keys_text(result.provenance):
        yield Line(safe_text(told, 400))


_HEADER = ("model", "net pref.", "since anchor", "mean rank", "change", "EM", "F1", "contains",
           "bits/byte", "words", "reasoning", "words/s", "tok/s", "verdict")  # fmt: skip
_DISPENSABLE = ("contains", "words", "change", "words/s", "bits/byte")
"""Columns that a narrow terminal does without, in this order; the page has them all."""
_NOTHING = "–"


def _model_table(result: SuiteResult, size: int) -> Iterator[Line]:
    rows = [_model_row(model, result) for model in result.models.values()]
    known = [any(row[place] != _NOTHING for row in rows) for place in range(len(_HEADER))]
    known[-1] = True  # a verdict that was not made is worth a column
    shown = [list(compress(row, known)) for row in (_HEADER, *rows)]
    optional = [shown[0].index(name) for name in _DISPENSABLE if name in shown[0]]
    heading, *others = fitted(shown, size, optional=optional)
    yield from map(Line, heading)
    for lines, model in zip(others, result.models, strict=True):
        verdict = result.verdicts.get(model)
        style = STYLES[verdict.decision] if verdict else Style.PLAIN
        yield from (Line(line, style) for line in lines)


def _model_row(model: ModelSummary, result: SuiteResult) -> tuple[str, ...]:
    verdict = result.verdicts.get(model.model)
    return (
        safe_text(model.model),
        _net_preference(verdict),
        _since_anchor(verdict),
        mean_rank_text(model),
        rank_change_text(model, result),
        number(model.exact_match),
        number(model.f1),
        number(model.contains),
        bits_text(model, verdict),
        number(model.words, 1),
        reasoning_text(model),
        number(model.words_per_second, 1),
        decode_text(model),
        _word(verdict.decision) if verdict else _NOTHING,
    )


def _word(decision: Decision) -> str:
    loud = not decision.is_good and decision is not Decision.INCONCLUSIVE
    return decision.value.upper() if loud else decision.value


def net_preference_text(quality: QualityEvidence | None) -> str:
    """Return a net preference that decides, with its interval: ``−0.23 (−0.32 to −0.15)``."""
    if quality is None:
        return _NOTHING
    low, high = quality.interval.low, quality.interval.high
    interval = "" if math.isnan(low) else f" ({number(low)} to {number(high)})"
    return number(quality.net_preference) + interval


def _net_preference(verdict: Verdict | None) -> str:
    """Return the net preference; where nothing was made anew, an interval says nothing."""
    if verdict is not None and verdict.decision is Decision.UNCHANGED and verdict.quality:
        return number(verdict.quality.net_preference)
    return net_preference_text(verdict.quality if verdict else None)


def _since_anchor(verdict: Verdict | None) -> str:
    """Return the net preference since the anchor; its interval stands with the reasons."""
    quality = verdict.since_anchor if verdict else None
    return number(quality.net_preference) if quality else _NOTHING


def bits_text(model: ModelSummary, verdict: Verdict | None) -> str:
    """Return the bits per byte of the references, and the change since the baseline."""
    if model.reference_bits_per_byte is None:
        return _NOTHING
    likelihood = verdict.likelihood if verdict else None
    change = f" ({number(likelihood.difference, 3, sign=True)})" if likelihood else ""
    return number(model.reference_bits_per_byte, 3) + change


def mean_rank_text(model: ModelSummary) -> str:
    """Return a mean rank with half the width of its interval."""
    return number(model.mean_rank) + _half_width(model.interval)


def _half_width(interval: Interval | None) -> str:
    if interval is None or math.isnan(interval.low) or math.isnan(interval.high):
        return ""
    return f" ±{(interval.high - interval.low) / 2:.2f}"


def rank_change_text(model: ModelSummary, result: SuiteResult) -> str:
    """Return the change of the mean rank, which means something among the same models alone."""
    if result.baseline is None or result.baseline.models.keys() != result.models.keys():
        return _NOTHING
    before = result.baseline.models[model.model]
    if before.mean_rank is None or model.mean_rank is None:
        return _NOTHING
    return number(model.mean_rank - before.mean_rank, sign=True)


def _significance(tests: RankTests | None, size: int) -> Iterator[Line]:
    if tests is None:
        return
    if len(tests.models) > 1:
        yield Line("")
        rows: list[Sequence[str]] = [("p, Holm-corrected", "Dunn", "Conover", "permutation", "")]
        for first, second in combinations(tests.models, 2):
            matrices = (tests.dunn_holm, tests.conover_holm, tests.permutation_holm)
            values = [p_text(matrix[first][second]) for matrix in matrices]
            rows.append((f"{safe_text(first)} – {safe_text(second)}", *values, ""))
        yield from (Line(line) for lines in fitted(rows, size) for line in lines)
        for name, test in (("Friedman", tests.friedman), ("Kruskal–Wallis", tests.kruskal)):
            note = f" ({test.note})" if test.note else ""
            figures = f"χ² = {number(test.statistic)}, {_p(test.p_value)}"
            yield Line(f"{name}: {figures}{note}")
    for note in tests.notes:
        yield Line(f"note: {note}")


def _p(value: float) -> str:
    text = p_text(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def _standing(result: SuiteResult) -> Iterator[Line]:
    if not result.standing:
        return
    yield Line("")
    yield Line("differences between models that changed since the baseline:")
    for change in result.standing:
        before = f"{change.better_before} better" if change.better_before else "not separable"
        now = f"{change.better_now} better" if change.better_now else "not separable"
        yield Line(
            f"  {change.first} – {change.second}: {before} ({_p(change.p_before)})"
            f" → {now} ({_p(change.p_now)}), {change.test}"
        )


def _judge_problems(result: SuiteResult) -> Iterator[Line]:
    """Yield why the judges are not trusted, where no verdict says it."""
    for problem in result.judges.problems if result.judges and not result.verdicts else ():
        yield Line(f"NOT MEASURED: {safe_text(problem, 600)}", Style.RED)


def _verdicts(result: SuiteResult, examples: int) -> Iterator[Line]:
    if not result.verdicts:
        return
    yield Line("")
    for model, verdict in result.verdicts.items():
        yield from verdict_lines(verdict)
        yield from _detectable(verdict)
        if told := repeatability_text(result, model):
            yield Line(f"  {safe_text(told, 600)}")
        if verdict.decision in {Decision.REGRESSION, Decision.SUSPECT}:
            yield from example_lines(model, result.questions, examples)


def _repeatability(result: SuiteResult) -> Iterator[Line]:
    """Yield how repeatable models are that have no verdict."""
    others = (model for model in result.models if model not in result.verdicts)
    for names, told in repeatability_lines(result, others):
        yield Line(f"{safe_text(names, 400)}: {safe_text(told, 600)}")


def _detectable(verdict: Verdict) -> Iterator[Line]:
    quality = verdict.quality
    if verdict.decision.is_good and quality and not math.isnan(quality.detectable):
        chance = (
            ""
            if math.isnan(quality.pass_chance)
            else f"; an unchanged model that is answered anew passes in {quality.pass_chance:.0%}"
        ).replace("%", " %")
        told = f"a net loss of {quality.detectable:.2f} would be found in 80 % of such runs"
        yield Line(f"  {told}{chance}")


def verdict_lines(verdict: Verdict) -> list[Line]:
    """Return a verdict as lines: the decision with its first reason, then the others."""
    style = STYLES[verdict.decision]
    first, *others = verdict.reasons or ("",)
    head = f"{verdict_words(verdict, loud=True)} {safe_text(verdict.model)}"
    lines = [Line(f"{head}: {safe_text(first, 600)}", style)]
    return lines + [Line(f"  {safe_text(reason, 600)}") for reason in others]


def example_lines(
    model: str, questions: Sequence[QuestionResult], examples: int = EXAMPLES
) -> list[Line]:
    """Return some questions where today's answer lost against the accepted one."""
    lost = [item for item in questions if item.preferences.get(model, 0) < 0]
    lines = []
    for item in lost[:examples]:
        lines += [
            Line(f"  {safe_text(item.question.id)}  {safe_text(item.question.question)}"),
            Line(f"    reference  {safe_text(' | '.join(item.question.references)) or '–'}"),
            Line(f"    baseline   {safe_text(item.baseline_answers.get(model, ''))}"),
            Line(f"    today      {safe_text(item.answers.get(model, ''))}", Style.RED),
        ]
    if len(lost) > examples:
        lines.append(Line(f"  and {len(lost) - examples} more"))
    return lines
