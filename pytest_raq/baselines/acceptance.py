"""Turns a finished run into a baseline, and describes the changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from pytest_raq.errors import MeasurementError
from pytest_raq.records import Answer, Baseline, BaselineQuestion, Decision
from pytest_raq.records.likelihood import ANSWER, REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_raq.baselines.comparison import BaselineComparison
    from pytest_raq.records import (
        ModelSummary,
        Outcome,
        Question,
        QuestionResult,
        Ranking,
        SuiteResult,
        Verdict,
    )

_Value = TypeVar("_Value")

_NEEDS_REASON = {Decision.INCONCLUSIVE, Decision.SUSPECT, Decision.REGRESSION}
"""Verdicts that are accepted with a reason alone."""


def refuse_unmeasured(
    path: str,
    outcomes: Mapping[str, Mapping[str, Outcome]],
    questions: Sequence[Question],
    rank: Callable[[str], Ranking],
) -> None:
    """Raise MeasurementError unless each model answered each question and all are ranked.

    ``outcomes`` are the outcomes so far, by model and question id.
    ``rank`` returns the ranking of a question id; it is called only when all is answered.
    """
    for model, known in outcomes.items():
        answered = sum(isinstance(outcome, Answer) for outcome in known.values())
        if answered < len(questions):
            raise MeasurementError(
                f"{path} is not updated: {model} answered {answered} of"
                f" {len(questions)} questions; a baseline needs all of them"
            )
    missing = [question.id for question in questions if rank(question.id).missing]
    if missing:
        raise MeasurementError(
            f"{path} is not updated: {len(missing)} questions have no ranking,"
            f" the first one is {missing[0]}"
        )


def refuse_unexplained(
    path: str, verdicts: Iterable[Verdict], reason: str, laxer: Sequence[str] = ()
) -> None:
    """Raise MeasurementError unless each verdict is good or there is a reason to accept it.

    So a series of small losses cannot be accepted by a script that only looks at exit codes.
    What has no baseline yet needs no reason; settings of the gate that are ``laxer`` than the
    accepted ones do.
    """
    if reason.strip():
        return
    if laxer:
        raise MeasurementError(
            f"{path} is not updated: the gate is laxer than accepted ({', '.join(laxer)}): set that"
            " back, or say why you accept it with --raq-reason TEXT"
        )
    for verdict in verdicts:
        if verdict.decision in _NEEDS_REASON:
            first = verdict.reasons[0] if verdict.reasons else ""
            raise MeasurementError(
                f"{path} is not updated: {verdict.model} is {verdict.decision.value} ({first}):"
                " say why you accept that with --raq-reason TEXT"
            )


def next_anchor(
    before: Baseline | None, anchor: BaselineComparison, accepted: Baseline, *, moved: bool
) -> tuple[Baseline | None, list[str]]:
    """Return the anchor to write when a run is accepted, and what to say of it.

    ``before`` is the state that was accepted until now. The anchor moves where that is asked for.
    Where there is none, the state before becomes the anchor, or else the accepted one, so that
    losses add up from there. A model that the anchor does not know is added to
    it. None if the file stays as it is.
    """
    if moved:
        return accepted, [f"the anchor is this run too: {anchor.path}"]
    if anchor.baseline is None:
        if anchor.problem:  # a file that cannot be read: only --raq-anchor replaces it
            return None, []
        first = before or accepted
        what = "the state accepted before" if before else "this run"
        return first, [f"the anchor is {what}: {anchor.path}; --raq-anchor moves it"]
    return _with_new_models(anchor, accepted)


def _with_new_models(
    anchor: BaselineComparison, accepted: Baseline
) -> tuple[Baseline | None, list[str]]:
    old = anchor.comparable
    if old is None or old.questions.keys() != accepted.questions.keys():
        return None, [f"the anchor stays as it is: {anchor.problem}"] if anchor.problem else []
    new = [model for model in accepted.models if model not in old.models]
    if not new:
        return None, []
    questions = {
        name: BaselineQuestion(
            {**item.answers, **_only(accepted.questions[name].answers, new)},
            {},
            unfinished=(
                *item.unfinished,
                *(model for model in accepted.questions[name].unfinished if model in new),
            ),
        )
        for name, item in old.questions.items()
    }
    models = {**old.provenance.models, **_only(accepted.provenance.models, new)}
    grown = replace(
        old,
        provenance=replace(old.provenance, models=models),
        models={**old.models, **_only(accepted.models, new)},
        tests=None,  # the models were never ranked together
        questions=questions,
    )
    return grown, [f"added to the anchor: {', '.join(new)}"]


def _only(table: Mapping[str, _Value], names: Iterable[str]) -> dict[str, _Value]:
    return {name: table[name] for name in names if name in table}


def make_baseline(result: SuiteResult, reason: str) -> Baseline:
    """Return a run as the accepted state of its suite."""
    return Baseline(
        suite=result.suite,
        accepted_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        reason=reason,
        provenance=result.provenance,
        models=result.models,
        tests=result.tests,
        speeds={},
        accepted_speeds=result.accepted_speeds,
        questions={
            item.question.id: BaselineQuestion(
                item.answers, item.ranks, _likelihood(item), item.unfinished
            )
            for item in result.questions
        },
        gate=result.gate,
    )


def _likelihood(item: QuestionResult) -> dict[str, Mapping[str, float]]:
    """Return the figures that later runs are compared with, by measure and model."""
    found = {REFERENCE: item.reference_bits, ANSWER: item.answer_bits}
    return {measure: bits for measure, bits in found.items() if bits}


def tell_accepted(path: str, new: Baseline, old: Baseline | None) -> list[str]:
    """Return what is accepted and what that changes, one line per model."""
    because = f", because {new.reason}" if new.reason else ""
    models, questions = len(new.models), len(new.questions)
    counts = f"{models} model{'s' * (models != 1)}, {questions} question{'s' * (questions != 1)}"
    lines = [f"  {line}" for line in _model_lines(new, old)]
    return [f"accepted as {path}{because}: {counts}", *lines]


def _model_lines(new: Baseline, old: Baseline | None) -> Iterator[str]:
    for name, model in new.models.items():
        known = new.provenance.models.get(name)
        file = f"{known.file} ({known.quantization})" if known else ""
        before = old.models.get(name) if old else None
        changed = _changed(name, new, old)
        yield f"{name}: {file}, {_figures(model, before)}, {changed}"
    for name in sorted(old.models.keys() - new.models.keys()) if old else ():
        yield f"{name}: no longer in the suite"


def _figures(model: ModelSummary, before: ModelSummary | None) -> str:
    figures = [("EM", "exact_match"), ("F1", "f1"), ("mean rank", "mean_rank")]
    return ", ".join(
        f"{label} {_change(getattr(before, field, None), getattr(model, field))}"
        for label, field in figures
    )


def _change(before: float | None, now: float | None) -> str:
    shown = "–" if now is None else f"{now:.2f}"
    return shown if before is None else f"{before:.2f} → {shown}"


def _changed(model: str, new: Baseline, old: Baseline | None) -> str:
    if old is None or model not in old.models:
        return "accepted for the first time"
    changed = sum(
        item.answers.get(model) != old.questions[question_id].answers.get(model)
        for question_id, item in new.questions.items()
        if question_id in old.questions
    )
    others = len(new.questions.keys() - old.questions.keys())
    return f"{changed} answers changed" + (f", {others} other questions" if others else "")
