"""Baselines whose answers were ranked by another edition of the reference judge."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.judging.ranking import rank_contestants
from pytest_raq.stats.ranks import rank_tests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.judging.protocol import Judge
    from pytest_raq.records import (
        Baseline,
        BaselineQuestion,
        JudgeIdentity,
        Question,
        Ranking,
        RankTests,
    )


def rank_again(
    baseline: Baseline, judge: Judge, questions: Sequence[Question], *, seed: int
) -> Baseline:
    """Return a baseline with the ranks that today's rule gives to its answers.

    Only the rule of the reference judge may differ from the judge of the
    baseline; see `is_another_edition`. No model is asked: if other judges sit in
    the panel, the ranks are left out, and so are mean ranks and tests, which
    describe the accepted state but decide nothing.
    """
    models = list(baseline.models)
    if not judge.is_free:
        return _with(baseline, judge.identity, {}, models, None)
    known = [item for item in questions if item.id in baseline.questions]
    texts = [(item, _texts(baseline.questions[item.id])) for item in known]
    rankings = list(rank_contestants(judge, texts))
    clusters = {question.id: question.cluster for question in known}
    ranked = any(ranking.ranks for ranking in rankings)
    tests = rank_tests(rankings, clusters, models, seed=seed) if ranked else None
    by_id = {ranking.question_id: ranking for ranking in rankings}
    return _with(baseline, judge.identity, by_id, models, tests)


def _texts(item: BaselineQuestion) -> dict[str, str]:
    return {model: item.judged_text(model) or "" for model in item.answers}


def _with(
    baseline: Baseline,
    judge: JudgeIdentity,
    rankings: Mapping[str, Ranking],
    models: Sequence[str],
    tests: RankTests | None,
) -> Baseline:
    mean_ranks = tests.mean_ranks if tests else {}
    intervals = tests.intervals if tests else {}

    def again(name: str, item: BaselineQuestion) -> BaselineQuestion:
        return replace(item, ranks=rankings[name].ranks if name in rankings else {})

    return replace(
        baseline,
        provenance=replace(baseline.provenance, judge=judge),
        models={
            name: replace(
                baseline.models[name],
                mean_rank=mean_ranks.get(name),
                interval=intervals.get(name),
            )
            for name in models
        },
        tests=tests,
        questions={name: again(name, item) for name, item in baseline.questions.items()},
    )
