"""The result of a run, as records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.gate.speed import unable_to_fail
from pytest_raq.gate.strictness import changed_settings, gate_table, laxer_settings
from pytest_raq.records import Answer, Failure, QuestionResult, SuiteResult
from pytest_raq.records.rankings import ACCEPTED, CANDIDATE
from pytest_raq.records.reasoning import shown_text
from pytest_raq.running.likelihoods import accepted_bits, answer_bits, reference_bits
from pytest_raq.running.reasoning import reasoning_notes
from pytest_raq.running.repeatability import repeatability_of
from pytest_raq.stats.likelihood import mean_bits
from pytest_raq.stats.mid_ranks import candidate_ranking, reasons_of
from pytest_raq.stats.model_summary import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_raq.records import ModelSummary, Outcome, Provenance, Question, Ranking
    from pytest_raq.running.run_parts import RunParts
    from pytest_raq.running.verdicts import SuiteVerdicts


def make_result(
    parts: RunParts,
    verdicts: SuiteVerdicts,
    provenance: Provenance,
    *,
    decides: bool,
    notes: Sequence[str] = (),
) -> SuiteResult:
    """Return what is known about a run, without starting any further work.

    ``decides`` says whether verdicts are given; ``notes`` come before the notes
    on differences from the baseline.
    """
    evidence, comparison = verdicts.evidence(), parts.comparison
    models, questions = parts.answers.models, parts.questions.questions
    names = {CANDIDATE + model: model for model in models}
    summaries = {model: _summary(model, parts, verdicts) for model in models}
    return SuiteResult(
        suite=parts.suite.name,
        models=summaries,
        tests=evidence.tests,
        verdicts={
            model: verdict
            for model in models
            if decides and not comparison.is_settled(verdict := verdicts.of(model))
        },
        questions=_with_likelihoods(
            parts,
            [_question_result(parts, question, evidence.preferences) for question in questions],
        ),
        provenance=provenance,
        passages=len({question.cluster for question in questions}),
        baseline=comparison.comparable,
        # What was accepted since is no problem any more.
        baseline_problem="" if comparison.was_accepted else comparison.problem,
        anchor=parts.anchor.comparable,
        standing=evidence.standing,
        speeds=parts.speeds.samples,
        accepted_speeds=verdicts.accepted_speeds(),
        notes=(
            *parts.questions.notes,
            *parts.answers.notes,
            *parts.likelihoods.notes(is_asked="likelihood" in parts.suite.gate.model_fields_set),
            *parts.rankings.notes(),
            *notes,
            *_gate_notes(parts),
            *_estimates(summaries),
            *reasoning_notes(parts),
            *unable_to_fail(parts.suite.gate),
            *(f"differs from the baseline: {text}" for text in comparison.differences(provenance)),
        ),
        judges=parts.rankings.checked_panel.report(names, parts.joint_texts),
        repeatability=repeatability_of(parts, provenance.models),
        from_store=parts.answers.from_store,
        margin=parts.suite.gate.margin,
        gate=gate_table(parts.suite.gate),
    )


def _gate_notes(parts: RunParts) -> Iterator[str]:
    """Yield what a reader should know of the settings of the gate beside the verdicts."""
    comparison, now = parts.comparison, gate_table(parts.suite.gate)
    accepted, anchor = comparison.comparable, parts.anchor.comparable
    if accepted is not None and not accepted.gate and not comparison.was_accepted:
        yield (
            f"{comparison.path} was accepted by a version that did not record the settings of the"
            " gate, so they are not compared: the next --raq-update records them"
        )
    if accepted is not None and (told := ", ".join(changed_settings(now, accepted.gate))):
        yield f"settings of the gate that differ from the accepted ones: {told}"
    if anchor is not None and (laxer := laxer_settings(now, anchor.gate)):
        yield f"settings of the gate that are laxer than at the anchor: {', '.join(laxer)}"


def _estimates(summaries: Mapping[str, ModelSummary]) -> Iterator[str]:
    """Yield which speeds are estimates."""
    found = [model for model, summary in summaries.items() if summary.decode_is_estimate]
    if found:
        yield (
            f"decode tokens per second of {', '.join(found)} are an estimate (~): the server does"
            " not count tokens, so the pieces of its stream are counted; they decide nothing"
        )


def _summary(model: str, parts: RunParts, verdicts: SuiteVerdicts) -> ModelSummary:
    tests = verdicts.evidence().tests
    summary = summarize(
        model,
        parts.answers.of(model).in_hand(),
        parts.by_id,
        mean_rank=tests.mean_ranks.get(model) if tests else None,
        interval=tests.intervals.get(model) if tests else None,
    )
    bits = mean_bits(reference_bits(parts, model).values())
    return replace(summary, reference_bits_per_byte=bits)


def _with_likelihoods(
    parts: RunParts, results: Sequence[QuestionResult]
) -> tuple[QuestionResult, ...]:
    """Return results of questions with how likely their texts are."""
    models = parts.answers.models
    now = {model: reference_bits(parts, model) for model in models}
    before = {model: accepted_bits(parts, model) for model in models}
    answers = {model: answer_bits(parts, model) for model in models}
    return tuple(
        replace(
            item,
            reference_bits=_of(item.question.id, now),
            baseline_reference_bits=_of(item.question.id, before),
            answer_bits=_of(item.question.id, answers),
            likelihoods={
                model: known
                for model in models
                if (known := parts.likelihoods.about(model, item.question.id))
            },
        )
        for item in results
    )


def _of(question_id: str, bits: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the figures of one question by model."""
    return {model: items[question_id] for model, items in bits.items() if question_id in items}


def _question_result(
    parts: RunParts, question: Question, preferences: Mapping[str, Mapping[str, int]]
) -> QuestionResult:
    ranking = parts.rankings.rankings.get(question.id)
    return question_result(
        question,
        parts.answers.about(question.id),
        {model: parts.accepted_answer(model, question.id) for model in parts.answers.models},
        ranking,
        preferences,
    )


def question_result(
    question: Question,
    outcomes: Mapping[str, Outcome],
    accepted: Mapping[str, str | None],
    ranking: Ranking | None,
    preferences: Mapping[str, Mapping[str, int]],
) -> QuestionResult:
    """Return what is known about a question, by model.

    ``ranking`` is that of the new and accepted answers, None if it was not requested,
    ``preferences`` holds s_i by model and question id.
    """
    new = candidate_ranking(ranking) if ranking else None
    return QuestionResult(
        question=question,
        answers={m: o.text for m, o in outcomes.items() if isinstance(o, Answer)},
        baseline_answers={m: shown_text(text) for m, text in accepted.items() if text is not None},
        failures={m: o.reason for m, o in outcomes.items() if isinstance(o, Failure)},
        ranks=new.ranks if new else {},
        orders_agreed=new.orders_agreed if new else None,
        preferences={
            model: items[question.id]
            for model, items in preferences.items()
            if question.id in items
        },
        missing=new.missing if new else "not requested",
        reasons=new.reasons if new else {},
        baseline_reasons=reasons_of(ranking, ACCEPTED) if ranking else {},
        reasoning={
            m: o.reasoning for m, o in outcomes.items() if isinstance(o, Answer) and o.reasoning
        },
        unfinished=tuple(m for m, o in outcomes.items() if isinstance(o, Answer) and o.unfinished),
    )
