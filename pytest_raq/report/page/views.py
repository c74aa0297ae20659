"""The content of a suite's page for its template: words, rows, pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.report.figures.suite import comparable_models
from pytest_raq.report.repeatability import repeatability_text
from pytest_raq.report.words import decode_text, reasoning_text, speed_words
from pytest_raq.text import number, p_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_raq.records import (
        Interval,
        ModelSummary,
        OmnibusTest,
        PairwiseP,
        RankTests,
        SuiteResult,
        Verdict,
    )

ALPHA = 0.05
DIFFERS = "differs from the baseline: "
"""The start of a note that repeats the table of provenance."""

_KINDS = {
    Decision.PASS: ("good", "✓"),
    Decision.UNCHANGED: ("good", "="),
    Decision.SUSPECT: ("bad", "!"),
    Decision.REGRESSION: ("bad", "✗"),
    Decision.INCONCLUSIVE: ("doubt", "?"),
    Decision.NO_BASELINE: ("none", "○"),
    Decision.NOT_MEASURED: ("none", "∅"),
}
COLUMNS = (
    "Mean rank",
    "EM",
    "F1",
    "Contains",
    "Words",
    "Words/s",
    "Prefill tok/s",
    "Decode tok/s",
    "First token",
    "Answered",
)
REASONING_COLUMNS = ("Reasoning", "First answer")
"""Beside them where a model reasons before it answers."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The run in one sentence, and the kind of its color."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Jump:
    """A link to the questions that one state selects."""

    show: str
    text: str


@dataclass(frozen=True, slots=True)
class VerdictView:
    """A verdict in words."""

    model: str
    model_index: int
    word: str
    kind: str
    sign: str
    speed: str
    reasons: Sequence[str]
    detectable: str
    repeatability: str
    jumps: Sequence[Jump]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """The figures of a model, now and in the baseline."""

    name: str
    cells: Sequence[tuple[str, str]]
    verdict: VerdictView | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A p-value, and whether it separates two models."""

    text: str
    apart: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """p-values of all pairs."""

    names: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


@dataclass(frozen=True, slots=True)
class TestMatrices:
    """A test between models, now and in the baseline."""

    title: str
    now: Matrix
    before: Matrix | None


def conclude(results: Sequence[SuiteResult]) -> Conclusion:
    """Return what a run comes to, the worst first."""
    found: dict[Decision, list[str]] = {}
    for result in results:
        for model, verdict in result.verdicts.items():
            name = model if len(results) == 1 else f"{model} ({result.suite})"
            found.setdefault(verdict.decision, []).append(name)
    total = sum(map(len, found.values()))
    for decision, text in (
        (Decision.REGRESSION, "Regression: {names} {is_} worse than accepted"),
        (Decision.SUSPECT, "Suspect: {names} {is_} probably worse than accepted"),
        (Decision.NOT_MEASURED, "Not measured: {names}; this run shows nothing about {them}"),
        (Decision.NO_BASELINE, "No baseline: nothing accepted to compare {names} with"),
        (Decision.INCONCLUSIVE, "Inconclusive: {names}; neither a loss nor its absence is shown"),
    ):
        if names := found.get(decision):
            one = len(names) == 1
            told = text.format(
                names=_listed(names), is_="is" if one else "are", them="it" if one else "them"
            )
            others = total - len(names)
            rest = f". {others} other{'s' * (others != 1)}: {_rest(found, decision)}"
            return Conclusion(told + (rest if others else "."), _KINDS[decision][0])
    if total and set(found) == {Decision.UNCHANGED}:
        told = "the model is" if total == 1 else f"all {total} models are"
        return Conclusion(f"Unchanged: {told} what was accepted, answer for answer.", "good")
    if total:
        told = "the model is" if total == 1 else f"all {total} models are"
        return Conclusion(f"Pass: {told} as good as accepted, within the margin.", "good")
    return Conclusion("No verdict: nothing was compared with accepted answers.", "none")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _rest(found: Mapping[Decision, Sequence[str]], but: Decision) -> str:
    told = (f"{len(found[d])} {d.value}" for d in Decision if d is not but and d in found)
    return f"{', '.join(told)}."


def verdict_views(result: SuiteResult) -> dict[str, VerdictView]:
    """Return the verdicts in words, by model."""
    order = list(result.models)
    return {
        model: _verdict_view(result, verdict, order.index(model) if model in order else -1)
        for model, verdict in result.verdicts.items()
    }


def _verdict_view(result: SuiteResult, verdict: Verdict, index: int) -> VerdictView:
    kind, sign = _KINDS[verdict.decision]
    quality, loss = verdict.quality, ""
    if verdict.decision.is_good and quality and not math.isnan(quality.detectable):
        loss = f"A net loss of {number(quality.detectable)} would be found in 80 % of such runs."
    return VerdictView(
        model=verdict.model,
        model_index=index,
        word=verdict.decision.value,
        speed=speed_words(verdict).strip(),
        kind=kind,
        sign=sign,
        reasons=verdict.reasons,
        detectable=loss,
        repeatability=repeatability_text(result, verdict.model),
        jumps=tuple(_jumps(result, verdict.model)),
    )


def _jumps(result: SuiteResult, model: str) -> Iterator[Jump]:
    signs = [item.preferences.get(model) for item in result.questions]
    for show, count in (("worse", signs.count(-1)), ("better", signs.count(1))):
        if count:
            yield Jump(show, f"Show the {count} question{'s' * (count != 1)} answered {show}")


def model_rows(result: SuiteResult, verdicts: Mapping[str, VerdictView]) -> list[ModelRow]:
    """Return the models' table; mean ranks of a baseline only among the same models."""
    before = result.baseline.models if result.baseline else {}
    ranked, thinks = comparable_models(result), _thinks(result)
    rows = []
    for name, model in result.models.items():
        then = (
            _figures(before[name], with_rank=name in ranked, thinks=thinks)
            if name in before
            else None
        )
        now = _figures(model, with_rank=True, thinks=thinks)
        rows.append(
            ModelRow(
                name, list(zip(now, then or ["–"] * len(now), strict=True)), verdicts.get(name)
            )
        )
    return rows


def _figures(model: ModelSummary, *, with_rank: bool, thinks: bool) -> list[str]:
    failed = f" ({model.failed} failed)" if model.failed else ""
    failed += f" ({model.unfinished} only reasoning)" if model.unfinished else ""
    return [
        f"{number(model.mean_rank)}{_interval(model.interval)}" if with_rank else "–",
        number(model.exact_match),
        number(model.f1),
        number(model.contains),
        number(model.words, 1),
        number(model.words_per_second, 1),
        number(model.prefill_tokens_per_second, 0),
        decode_text(model),
        _milliseconds(model.time_to_first_token),
        f"{model.answered}{failed}",
        *([reasoning_text(model), _milliseconds(model.time_to_first_answer)] if thinks else ()),
    ]


def _milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None or math.isnan(seconds) else f"{number(seconds * 1000, 1)} ms"


def columns(result: SuiteResult) -> tuple[str, ...]:
    """Return the columns of the models' table."""
    return (*COLUMNS, *(REASONING_COLUMNS if _thinks(result) else ()))


def _thinks(result: SuiteResult) -> bool:
    before = result.baseline.models if result.baseline else {}
    known = (*result.models.values(), *before.values())
    return any(model.reasoning_tokens is not None or model.unfinished for model in known)


def _interval(interval: Interval | None) -> str:
    if interval is None or math.isnan(interval.low) or math.isnan(interval.high):
        return ""
    return f" [{number(interval.low)}, {number(interval.high)}]"


def matrix_views(result: SuiteResult) -> list[TestMatrices]:
    """Return the p-value matrices of at least two models, the one that respects passages first."""
    now = result.tests
    if now is None or len(now.models) < 2:
        return []
    before = result.baseline.tests if result.baseline else None
    return [
        TestMatrices(title, matrix(now.models, getattr(now, field)), _before(before, field))
        for title, field in (
            ("Permutation test", "permutation_holm"),
            ("Conover’s test", "conover_holm"),
            ("Dunn’s test", "dunn_holm"),
        )
    ]


def _before(tests: RankTests | None, field: str) -> Matrix | None:
    return matrix(tests.models, getattr(tests, field)) if tests else None


def matrix(models: Iterable[str], p_values: PairwiseP) -> Matrix:
    """Return the p-values of all pairs; none of a model with itself."""
    names = list(models)

    def cell(first: str, second: str) -> Cell:
        p_value = p_values.get(first, {}).get(second, math.nan)
        return Cell(
            "" if first == second else p_text(p_value), first != second and p_value <= ALPHA
        )

    return Matrix(names, [(first, [cell(first, second) for second in names]) for first in names])


def omnibus_lines(tests: RankTests | None) -> list[str]:
    """Return the tests over all models at once, and what is to be known of them."""
    if tests is None or len(tests.models) < 2:
        return []
    lines = [
        f"{name}: {_omnibus(test)}"
        for name, test in (("Friedman", tests.friedman), ("Kruskal–Wallis", tests.kruskal))
    ]
    return [*lines, *(f"Note: {note}" for note in tests.notes)]


def _omnibus(test: OmnibusTest) -> str:
    note = f" ({test.note})" if test.note else ""
    return f"χ² = {number(test.statistic)}, {p_equals(test.p_value)}{note}"


def p_equals(value: float) -> str:
    """Return a p-value in a sentence."""
    text = p_text(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def standing_lines(result: SuiteResult) -> list[str]:
    """Return every pair of models whose standing changed since the baseline."""

    def told(better: str) -> str:
        return f"{better} better" if better else "not separable"

    return [
        f"{item.first} – {item.second}: {told(item.better_before)} ({p_equals(item.p_before)})"
        f" → {told(item.better_now)} ({p_equals(item.p_now)}), {item.test}"
        for item in result.standing
    ]
