"""Rank external answers, and compare all models with an accepted one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_raq.config import nearest
from pytest_raq.errors import ConfigError
from pytest_raq.gate import GateInput, decide
from pytest_raq.judging.checked_panel import CheckedPanel
from pytest_raq.judging.suite_rankings import SuiteRankings
from pytest_raq.machine import describe_machine, describe_versions
from pytest_raq.progress import NoProgress
from pytest_raq.records import (
    Answer,
    Failure,
    FinishReason,
    ModelProvenance,
    Provenance,
    QuestionResult,
    SuiteResult,
    Timing,
)
from pytest_raq.stats.model_summary import score_answer, summarize
from pytest_raq.stats.quality import preferences, quality_evidence
from pytest_raq.stats.ranks import rank_tests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.config import GateSettings
    from pytest_raq.judging import Judge
    from pytest_raq.progress import Progress
    from pytest_raq.records import (
        ModelSummary,
        Outcome,
        QualityEvidence,
        Question,
        Ranking,
        RankTests,
        Verdict,
    )
    from pytest_raq.trials.external_answers_file import AnswerTable

SUITE = "answers"
"""The name of the results."""

ENGINE = "elsewhere"
NO_ANSWER = "the files have no answer"


def rank_answers(
    table: AnswerTable,
    judge: Judge,
    settings: GateSettings,
    *,
    baseline: str = "",
    seed: int = 0,
    progress: Progress | None = None,
) -> SuiteResult:
    """Judge, rank and test the answers of a table; the result of a suite.

    All answers to a question are ranked together. With ``baseline``, the name
    of a model, its answers are the accepted ones and each other model gets a
    verdict; s_i compares the ranks of the two, Holm's correction counts the
    other models. Without it there are no verdicts. No speed was measured, so
    none is reported. Raises ConfigError if ``baseline`` is not one of the models,
    or is the only one.
    """
    _refuse_baseline(table, baseline)
    questions = table.questions.questions
    by_id = {item.id: item for item in questions}
    checked_panel = CheckedPanel(judge, questions, settings, seed=seed)
    judging = SuiteRankings(checked_panel, progress or NoProgress())
    judging.rank(
        (item.id for item in questions),
        lambda: [item.id for item in questions],
        lambda name: (by_id[name], _texts(table, name)),
    )
    judging.stop()
    rankings = judging.rankings
    clusters = {item.id: item.cluster for item in questions}
    tests = rank_tests(rankings.values(), clusters, list(table.answers), seed=seed)
    comparison = _compare(table, rankings, settings, baseline, seed)
    return SuiteResult(
        suite=SUITE,
        models={model: _summary(model, table, tests) for model in table.answers},
        tests=tests,
        verdicts=_verdicts(table, rankings, comparison, settings, checked_panel.problems),
        questions=tuple(_result(item, table, rankings[item.id], comparison) for item in questions),
        provenance=_provenance(table, judge),
        passages=len(set(clusters.values())),
        notes=(*_notes(table, baseline), *judging.notes()),
        judges=checked_panel.report(
            {model: model for model in table.answers}, lambda name: _texts(table, name)
        ),
    )


def _refuse_baseline(table: AnswerTable, baseline: str) -> None:
    if not baseline:
        return
    models = list(table.answers)
    if baseline not in models:
        raise ConfigError(
            f"--baseline {baseline}: no answer is from that model{nearest(baseline, models)}"
        )
    if len(models) == 1:
        raise ConfigError(
            f"--baseline {baseline}: is the only model; give the answers of another one too"
        )


def _texts(table: AnswerTable, question_id: str) -> dict[str, str]:
    return {
        model: answers[question_id]
        for model, answers in table.answers.items()
        if question_id in answers
    }


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The comparison of each other model with the accepted one; empty without one."""

    baseline: str
    preferences: Mapping[str, Mapping[str, int]]
    quality: Mapping[str, QualityEvidence]


def _compare(
    table: AnswerTable,
    rankings: Mapping[str, Ranking],
    settings: GateSettings,
    baseline: str,
    seed: int,
) -> _Comparison:
    others = [model for model in table.answers if baseline and model != baseline]
    found = preferences(
        rankings.values(), {model: model for model in others}, dict.fromkeys(others, baseline)
    )
    quality = quality_evidence(
        {model: items for model, items in found.items() if items},
        {item.id: item.cluster for item in table.questions.questions},
        alpha=settings.alpha,
        min_effect=settings.min_effect,
        seed=seed,
    )
    return _Comparison(baseline, found, quality)


def _verdicts(
    table: AnswerTable,
    rankings: Mapping[str, Ranking],
    comparison: _Comparison,
    settings: GateSettings,
    judge_problems: tuple[str, ...],
) -> dict[str, Verdict]:
    scores = {} if not comparison.baseline else _f1_scores(table)
    return {
        model: decide(
            replace(
                _gate_input(model, table, rankings, comparison, scores),
                judge_problems=judge_problems,
            ),
            settings,
        )
        for model in comparison.preferences
    }


def _f1_scores(table: AnswerTable) -> dict[str, dict[str, float]]:
    """Return F1 by model and question; questions without references have none."""
    questions = {item.id: item for item in table.questions.questions}
    return {
        model: {
            name: scored.f1
            for name, text in answers.items()
            if (scored := score_answer(text, questions[name])) is not None
        }
        for model, answers in table.answers.items()
    }


def _gate_input(
    model: str,
    table: AnswerTable,
    rankings: Mapping[str, Ranking],
    comparison: _Comparison,
    scores: Mapping[str, Mapping[str, float]],
) -> GateInput:
    answers = table.answers[model]
    now, before = scores[model], scores[comparison.baseline]
    shared = now.keys() & before.keys()
    return GateInput(
        model=model,
        expected=len(table.questions),
        answered=len(answers),
        ranked=sum(model in rankings[question_id].ranks for question_id in answers),
        quality=comparison.quality.get(model),
        f1_now=fmean(now[name] for name in shared) if shared else None,
        f1_before=fmean(before[name] for name in shared) if shared else None,
        models=len(comparison.quality),
    )


def _summary(model: str, table: AnswerTable, tests: RankTests) -> ModelSummary:
    return summarize(
        model,
        _outcomes(model, table),
        {item.id: item for item in table.questions.questions},
        mean_rank=tests.mean_ranks.get(model),
        interval=tests.intervals.get(model),
    )


def _outcomes(model: str, table: AnswerTable) -> dict[str, Outcome]:
    answers = table.answers[model]
    return {
        item.id: Answer(item.id, model, answers[item.id], FinishReason.STOP, Timing())
        if item.id in answers
        else Failure(item.id, model, NO_ANSWER)
        for item in table.questions.questions
    }


def _result(
    question: Question, table: AnswerTable, ranking: Ranking, comparison: _Comparison
) -> QuestionResult:
    answers = _texts(table, question.id)
    accepted = answers.get(comparison.baseline)
    return QuestionResult(
        question=question,
        answers=answers,
        baseline_answers=(
            {} if accepted is None else dict.fromkeys(comparison.preferences, accepted)
        ),
        failures={model: NO_ANSWER for model in table.answers if model not in answers},
        ranks=ranking.ranks,
        preferences={
            model: items[question.id]
            for model, items in comparison.preferences.items()
            if question.id in items
        },
        missing=ranking.missing,
        orders_agreed=ranking.orders_agreed,
        reasons=ranking.reasons,
    )


def _provenance(table: AnswerTable, judge: Judge) -> Provenance:
    return Provenance(
        source=table.questions.source,
        revision=table.questions.revision,
        fingerprint=table.questions.fingerprint,
        questions=len(table.questions),
        judge=judge.identity,
        models={
            model: ModelProvenance(
                engine=ENGINE,
                build="",
                file=table.files[model],
                file_sha256=table.digests[model],
                quantization="",
                prompt_sha256="",
                template_sha256="",
                options={},
            )
            for model in table.answers
        },
        versions=describe_versions(),
        machine=describe_machine(),
    )


def _notes(table: AnswerTable, baseline: str) -> Iterator[str]:
    yield from table.questions.notes
    if baseline:
        yield f"the answers of {baseline} are the accepted ones"
    expected = len(table.questions)
    for model, answers in table.answers.items():
        if len(answers) < expected:
            yield f"{model} has no answer to {expected - len(answers)} of {expected} questions"
    if table.unasked:
        yield (
            f"{table.unasked} of {table.questions.total} questions of {table.questions.source}"
            " have no answer from any model and are left out"
        )
