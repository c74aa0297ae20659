"""A baseline in memory, to compare something new with today's state in a trial."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_raq.gate.strictness import gate_table
from pytest_raq.records import Answer, Baseline, BaselineQuestion, Failure
from pytest_raq.running.likelihoods import baseline_figures
from pytest_raq.stats.model_summary import summarize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.records import ModelSummary, Outcome, Provenance
    from pytest_raq.running import SuiteRun


def ask_all(run: SuiteRun) -> dict[str, dict[str, Outcome]]:
    """Return all outcomes of a run by model and question id; nothing is judged."""
    return {
        model: {question.id: run.answer(model, question.id) for question in run.questions}
        for model in run.models
    }


def summary_of(run: SuiteRun, model: str, outcomes: Mapping[str, Outcome]) -> ModelSummary:
    """Return the figures of a model that was asked alone, without a rank."""
    return summarize(model, outcomes, {question.id: question for question in run.questions})


def first_failure(outcomes: Mapping[str, Outcome]) -> str:
    """Return the reason of the first question without an answer; empty if all have one."""
    return next((item.reason for item in outcomes.values() if isinstance(item, Failure)), "")


def accept_in_memory(
    run: SuiteRun, outcomes: Mapping[str, Mapping[str, Outcome]], partners: Mapping[str, str]
) -> Baseline:
    """Return a baseline that is not written to a file: the answers of a run, by contestant.

    ``partners`` maps each contestant to the model of ``run`` with which it is
    compared.
    """
    provenance, likelihoods = run.provenance, _likelihoods(run, partners)
    summaries = {model: summary_of(run, model, items) for model, items in outcomes.items()}
    answers = {
        question.id: {
            name: item.text
            for name, partner in partners.items()
            if isinstance(item := outcomes[partner][question.id], Answer)
        }
        for question in run.questions
    }
    return Baseline(
        suite=run.suite.name,
        accepted_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        reason="in memory, for a trial",
        provenance=_for_partners(provenance, partners),
        models={name: summaries[partner] for name, partner in partners.items()},
        tests=None,
        speeds={},
        questions={
            name: BaselineQuestion(
                texts,
                {},
                likelihoods.get(name, {}),
                tuple(
                    each
                    for each, partner in partners.items()
                    if isinstance(item := outcomes[partner][name], Answer) and item.unfinished
                ),
            )
            for name, texts in answers.items()
        },
        accepted_speeds={name: run.speed.today(partner) for name, partner in partners.items()},
        gate=gate_table(run.suite.gate),
    )


def _likelihoods(
    run: SuiteRun, partners: Mapping[str, str]
) -> dict[str, dict[str, dict[str, float]]]:
    """Return bits per byte by question, measure and contestant; nothing where none is wanted."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for measure, by_model in baseline_figures(run.parts).items():
        for name, partner in partners.items():
            for question_id, bits in by_model.get(partner, {}).items():
                found.setdefault(question_id, {}).setdefault(measure, {})[name] = bits
    return found


def _for_partners(provenance: Provenance, partners: Mapping[str, str]) -> Provenance:
    models = {name: provenance.models[partner] for name, partner in partners.items()}
    return replace(provenance, models=models)


def questions_changed(
    run: SuiteRun, model: str, before: Mapping[str, Outcome]
) -> Sequence[tuple[str, str, str]]:
    """Return id, answer before and answer now of each question with a changed answer."""
    changed = []
    for question in run.questions:
        then, now = before[question.id], run.answer(model, question.id)
        if isinstance(then, Answer) and isinstance(now, Answer) and then.text != now.text:
            changed.append((question.id, then.text, now.text))
    return changed
