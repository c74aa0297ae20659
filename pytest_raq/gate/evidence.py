"""From answers and rankings to tests between models and evidence for the gate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_raq.gate.rules import GateInput, decide, decide_speed
from pytest_raq.records import Answer, Decision, Ranking
from pytest_raq.records.rankings import ACCEPTED, CANDIDATE
from pytest_raq.stats.mid_ranks import candidate_ranking
from pytest_raq.stats.model_summary import score_answer
from pytest_raq.stats.quality import preferences, quality_evidence
from pytest_raq.stats.ranks import rank_tests, standing_changes
from pytest_raq.stats.speed import compare_machine, compare_speed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.config import GateSettings
    from pytest_raq.records import (
        Baseline,
        Outcome,
        QualityEvidence,
        Question,
        RankTests,
        SpeedEvidence,
        SpeedSamples,
        StandingChange,
        Verdict,
    )


@dataclass(frozen=True)
class Material:
    """The data of a run that the gate needs.

    ``problems`` says why a model has no baseline to compare with,
    ``judge_problems`` why judges are not trusted;
    ``accepted_speeds`` are the speeds of accepted files that were timed in this run,
    ``unlike`` the models whose stored speeds are those of other kernels.
    """

    questions: Sequence[Question]
    outcomes: Mapping[str, Mapping[str, Outcome]]
    rankings: Mapping[str, Ranking]
    problems: Mapping[str, str]
    baseline: Baseline | None
    speeds: Mapping[str, SpeedSamples]
    accepted_speeds: Mapping[str, SpeedSamples]
    same_machine: bool | None
    seed: int
    judge_problems: tuple[str, ...] = ()
    unlike: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Evidence:
    """The results of the tests on the data of a run."""

    tests: RankTests | None
    quality: Mapping[str, QualityEvidence]
    preferences: Mapping[str, Mapping[str, int]]
    inputs: Mapping[str, GateInput]
    standing: tuple[StandingChange, ...] = field(default=())


def gather_evidence(material: Material, settings: GateSettings) -> Evidence:
    """Run the tests on the data of a run."""
    clusters = {question.id: question.cluster for question in material.questions}
    models = list(material.outcomes)
    compared = [model for model in models if not material.problems[model]]
    found = preferences(
        material.rankings.values(),
        {model: CANDIDATE + model for model in compared},
        {model: ACCEPTED + model for model in compared},
    )
    quality = quality_evidence(
        {model: items for model, items in found.items() if items},
        clusters,
        alpha=settings.alpha,
        min_effect=settings.min_effect,
        seed=material.seed,
    )
    tests = _tests(material, clusters)
    return Evidence(
        tests=tests,
        quality=quality,
        preferences=found,
        inputs={model: _input(model, material, quality) for model in models},
        standing=_standing(tests, material.baseline, settings.alpha),
    )


def verdict_of(model: str, evidence: Evidence, settings: GateSettings) -> Verdict:
    """Return the gate's verdict on one model."""
    return decide(evidence.inputs[model], settings)


def slowdown_of(model: str, material: Material, settings: GateSettings) -> float | None:
    """Return the lowest ratio of a model's speeds if that is a regression, otherwise None."""
    speed = _speed(model, material)
    alone = decide_speed(
        model,
        speed,
        settings,
        same_machine=_same_machine(model, material),
        machine=_machine(model, material),
    )
    return min(item.ratio for item in speed) if alone.decision is Decision.REGRESSION else None


def _same_machine(model: str, material: Material) -> bool | None:
    return model in material.accepted_speeds or material.same_machine


def _tests(material: Material, clusters: Mapping[str, str]) -> RankTests | None:
    """Test the ranks of the models that answered; None if nothing is ranked."""
    rankings = [candidate_ranking(ranking) for ranking in material.rankings.values()]
    if not any(ranking.ranks for ranking in rankings):
        return None
    return rank_tests(rankings, clusters, list(material.outcomes), seed=material.seed)


def _standing(
    tests: RankTests | None, baseline: Baseline | None, alpha: float
) -> tuple[StandingChange, ...]:
    if tests is None or baseline is None or baseline.tests is None:
        return ()
    absent = {model for model, rank in tests.mean_ranks.items() if math.isnan(rank)}
    return tuple(
        change
        for change in standing_changes(tests, baseline.tests, alpha)
        if not absent & {change.first, change.second}
    )


def _input(model: str, material: Material, quality: Mapping[str, QualityEvidence]) -> GateInput:
    outcomes = material.outcomes[model]
    answers = {key: item for key, item in outcomes.items() if isinstance(item, Answer)}
    ranked = [key for key in answers if CANDIDATE + model in _ranks(material, key)]
    f1_now, f1_before = _f1(model, material, answers)
    return GateInput(
        model=model,
        expected=len(material.questions),
        answered=len(answers),
        ranked=len(ranked),
        quality=quality.get(model),
        baseline_problem=material.problems[model],
        f1_now=f1_now,
        f1_before=f1_before,
        speed=_speed(model, material),
        same_machine=_same_machine(model, material),
        machine=_machine(model, material),
        models=len(quality),
        judge_problems=material.judge_problems,
    )


def _ranks(material: Material, question_id: str) -> Mapping[str, float]:
    ranking = material.rankings.get(question_id)
    return ranking.ranks if ranking else {}


def _f1(
    model: str, material: Material, answers: Mapping[str, Answer]
) -> tuple[float | None, float | None]:
    """Return the mean F1 of the new and of the accepted answers over the same questions."""
    if material.baseline is None or material.problems[model]:
        return None, None
    pairs = []
    for question in material.questions:
        accepted = material.baseline.questions.get(question.id)
        text = accepted.answers.get(model) if accepted else None
        if text is None or question.id not in answers:
            continue
        today = score_answer(answers[question.id].text, question)
        before = score_answer(text, question)
        if today and before:
            pairs.append((today.f1, before.f1))
    if not pairs:
        return None, None
    return fmean(now for now, _ in pairs), fmean(before for _, before in pairs)


def _speed(model: str, material: Material) -> tuple[SpeedEvidence, ...]:
    """Compare each measure of the speed probe with the baseline."""
    if material.baseline is None or material.problems[model]:
        return ()
    now, before = _speeds(model, material)
    return compare_speed(now, before, seed=material.seed)


def _machine(model: str, material: Material) -> SpeedEvidence | None:
    """Compare the machine with itself; files that were timed in turns used the same machine."""
    if material.baseline is None or model in material.accepted_speeds:
        return None
    now, before = _speeds(model, material)
    return compare_machine(now, before, seed=material.seed)


def _speeds(model: str, material: Material) -> tuple[SpeedSamples, SpeedSamples]:
    """Return the speeds of a model now, and those of its accepted file, stored or measured now."""
    stored: SpeedSamples = {}
    if material.baseline and model not in material.unlike:
        stored = material.baseline.speeds.get(model, {})
    return material.speeds.get(model, {}), material.accepted_speeds.get(model, stored)
