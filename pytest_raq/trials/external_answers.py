"""Rank external answers, and compare all models with an accepted one."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_raq.config import nearest
from pytest_raq.errors import ConfigError
from pytest_raq.gate import GateInput, decide
from pytest_raq.gate.comparison import Pair, compare, plan_of
from pytest_raq.gate.strictness import gate_table
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
from pytest_raq.records.rankings import ANCHOR
from pytest_raq.records.reasoning import UNFINISHED, shown_text
from pytest_raq.stats.model_summary import score_answer, summarize
from pytest_raq.stats.ranks import rank_tests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.config import GateSettings
    from pytest_raq.gate.comparison import Comparison
    from pytest_raq.judging import Judge
    from pytest_raq.progress import Progress
    from pytest_raq.records import (
        ModelSummary,
        Outcome,
        Question,
        Ranking,
        RankTests,
    )
    from pytest_raq.stats.quality import QualityPlan
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
    anchor: str = "",
    seed: int = 0,
    progress: Progress | None = None,
) -> SuiteResult:
    """Judge, rank and test the answers of a table; the result of a suite.

    All answers to a question are ranked together. With ``baseline``, the name
    of a model, its answers are the accepted ones and each other model gets a
    verdict; s_i compares the ranks of the two, Holm's correction counts the
    other models, and with ``anchor``, the name of a model too, twice. Without it there are no
    verdicts. No speed was measured, so
    none is reported. Raises ConfigError if ``baseline`` or ``anchor`` is not one of
    the models, or if there is no other one.
    """
    _refuse_baseline(table, baseline, anchor)
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
    plan = plan_of(settings, seed=seed, accuracy=checked_panel.accuracy_bound)
    tested = _compare(table, rankings, plan, baseline, anchor)
    found = {model: tested[model] for model in _others(table, baseline, anchor)}
    verdicts = {
        model: decide(_gate_input(model, table, rankings, tested, checked_panel.problems), settings)
        for model in found
    }
    return SuiteResult(
        suite=SUITE,
        models={model: _summary(model, table, tests) for model in table.answers},
        tests=tests,
        verdicts=verdicts,
        questions=tuple(
            _result(item, table, rankings[item.id], baseline, found) for item in questions
        ),
        provenance=_provenance(table, judge),
        passages=len(set(clusters.values())),
        notes=(*_notes(table, baseline, anchor), *judging.notes()),
        judges=checked_panel.report(
            {model: model for model in table.answers}, lambda name: _texts(table, name)
        ),
        margin=settings.margin,
        gate=gate_table(settings),
    )


def _refuse_baseline(table: AnswerTable, baseline: str, anchor: str) -> None:
    if anchor and not baseline:
        raise ConfigError(f"--anchor {anchor}: is compared beside a baseline; give --baseline too")
    if not baseline:
        return
    models = list(table.answers)
    for option, name in (("--baseline", baseline), ("--anchor", anchor)):
        if name and name not in models:
            raise ConfigError(
                f"{option} {name}: no answer is from that model{nearest(name, models)}"
            )
    if not _others(table, baseline, anchor):
        only = len(models) == 1
        told = "is the only model" if only else f"and {anchor} are the only models"
        raise ConfigError(f"--baseline {baseline}: {told}; give the answers of another one too")


def _others(table: AnswerTable, baseline: str, anchor: str) -> list[str]:
    """Return the models that are compared with the accepted one."""
    accepted = {baseline, anchor}
    return [model for model in table.answers if baseline and model not in accepted]


def _texts(table: AnswerTable, question_id: str) -> dict[str, str]:
    return {
        model: answers[question_id]
        for model, answers in table.answers.items()
        if question_id in answers
    }


def _compare(
    table: AnswerTable,
    rankings: Mapping[str, Ranking],
    plan: QualityPlan,
    baseline: str,
    anchor: str,
) -> dict[str, Comparison]:
    """Compare each other model with the accepted one and with the anchor; empty without one."""
    states = {"": baseline}
    if anchor and table.answers[anchor] != table.answers[baseline]:
        states[ANCHOR] = anchor
    pairs = {
        prefix + model: Pair(model, state, _outcomes(model, table), table.answers[state])
        for prefix, state in states.items()
        for model in _others(table, baseline, anchor)
    }
    return compare(pairs, rankings, table.questions.questions, plan)


def _gate_input(
    model: str,
    table: AnswerTable,
    rankings: Mapping[str, Ranking],
    tested: Mapping[str, Comparison],
    judge_problems: tuple[str, ...],
) -> GateInput:
    answers, now, since = table.answers[model], tested[model], tested.get(ANCHOR + model)
    return GateInput(
        model=model,
        expected=len(table.questions),
        answered=len(answers),
        ranked=sum(model in rankings[question_id].ranks for question_id in answers),
        quality=now.quality,
        f1=now.f1,
        anchor=since.quality if since else None,
        anchor_f1=since.f1 if since else None,
        judge_problems=judge_problems,
        times_speed=False,
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
    answers, thoughts = table.answers[model], table.reasoning.get(model, {})
    return {
        item.id: Answer(
            item.id,
            model,
            shown_text(answers[item.id]),
            FinishReason.STOP,
            Timing(),
            thoughts.get(item.id, ""),
            answers[item.id] == UNFINISHED,
        )
        if item.id in answers
        else Failure(item.id, model, NO_ANSWER, is_infrastructure=False)
        for item in table.questions.questions
    }


def _result(
    question: Question,
    table: AnswerTable,
    ranking: Ranking,
    baseline: str,
    found: Mapping[str, Comparison],
) -> QuestionResult:
    answers = _texts(table, question.id)
    accepted = answers.get(baseline)
    return QuestionResult(
        question=question,
        answers={model: shown_text(text) for model, text in answers.items()},
        baseline_answers=({} if accepted is None else dict.fromkeys(found, shown_text(accepted))),
        failures={model: NO_ANSWER for model in table.answers if model not in answers},
        ranks=ranking.ranks,
        preferences={
            model: comparison.preferences[question.id]
            for model, comparison in found.items()
            if question.id in comparison.preferences
        },
        missing=ranking.missing,
        orders_agreed=ranking.orders_agreed,
        reasons=ranking.reasons,
        reasoning={
            model: items[question.id]
            for model, items in table.reasoning.items()
            if question.id in items
        },
        unfinished=tuple(model for model, text in answers.items() if text == UNFINISHED),
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


def _notes(table: AnswerTable, baseline: str, anchor: str) -> Iterator[str]:
    yield from table.questions.notes
    if baseline:
        yield f"the answers of {baseline} are the accepted ones"
        yield from _selected(table, baseline, anchor)
    if anchor:
        yield f"the answers of {anchor} are the anchor"
    expected = len(table.questions)
    for model, answers in table.answers.items():
        if len(answers) < expected:
            yield f"{model} has no answer to {expected - len(answers)} of {expected} questions"
    for model, answers in table.answers.items():
        if unfinished := sum(text == UNFINISHED for text in answers.values()):
            yield (
                f"{unfinished} of {len(answers)} answers of {model} ended inside their reasoning"
                " and count as no answer: ask the model again with more tokens, or without"
                " reasoning"
            )
    if table.unasked:
        yield (
            f"{table.unasked} of {table.questions.total} questions of {table.questions.source}"
            " have no answer from any model and are left out"
        )


def _selected(table: AnswerTable, baseline: str, anchor: str) -> Iterator[str]:
    """Yield a warning where the accepted answers may be those of the best of several models."""
    questions = {item.id: item for item in table.questions.questions}

    def mean_f1(model: str) -> float:
        answers = table.answers[model].items()
        scores = [score_answer(text, questions[name]) for name, text in answers]
        return fmean([item.f1 for item in scores if item]) if any(scores) else math.nan

    others = _others(table, baseline, anchor)
    best = mean_f1(baseline)
    if len(others) > 1 and all(best > mean_f1(model) for model in others):
        yield (
            f"{baseline} has the highest F1 of {len(others) + 1} models: if it was chosen for that"
            " from these answers, it looks better than it is, and models as good as it are called"
            ' worse too often (docs/statistics.md, "Selected baselines"); compare on other'
            " questions"
        )
