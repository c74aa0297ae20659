"""From answers and rankings to tests between models and evidence for the gate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_raq.gate.comparison import Pair, compare, plan_of
from pytest_raq.gate.rules import GateInput, decide, decide_speed
from pytest_raq.records import Answer, Decision, Ranking
from pytest_raq.records.rankings import ACCEPTED, ANCHOR, CANDIDATE
from pytest_raq.stats.mid_ranks import candidate_ranking
from pytest_raq.stats.ranks import rank_tests, standing_changes
from pytest_raq.stats.speed import compare_machine, compare_speed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.config import GateSettings
    from pytest_raq.gate.comparison import Comparison
    from pytest_raq.records import (
        Baseline,
        Outcome,
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
    ``anchor_problems`` the same of the anchor, by model; ``anchors`` names the models whose
    anchor can be compared and is not the accepted state itself. ``judge_problems`` says why
    judges are not trusted; ``judge_accuracy`` is a lower bound of the share of pairs that they
    rank correctly.
    ``unchanged`` names the models whose file, engine, prompt and options are the accepted ones.
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
    judge_accuracy: float = 1.0
    unchanged: frozenset[str] = frozenset()
    anchor: Baseline | None = None
    anchors: frozenset[str] = frozenset()
    anchor_problems: Mapping[str, str] = field(default_factory=dict)
    unlike: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Evidence:
    """The results of the tests on the data of a run."""

    tests: RankTests | None
    comparisons: Mapping[str, Comparison]
    inputs: Mapping[str, GateInput]
    standing: tuple[StandingChange, ...] = field(default=())

    @property
    def preferences(self) -> Mapping[str, Mapping[str, int]]:
        """Return s_i by model and question id, against the last accepted state."""
        return {name: item.preferences for name, item in self.comparisons.items()}


def gather_evidence(material: Material, settings: GateSettings) -> Evidence:
    """Run the tests on the data of a run."""
    clusters = {question.id: question.cluster for question in material.questions}
    models = list(material.outcomes)
    compared = [model for model in models if not material.problems[model]]
    pairs = {model: _pair(model, material, material.baseline, ACCEPTED) for model in compared} | {
        ANCHOR + model: _pair(model, material, material.anchor, ANCHOR)
        for model in compared
        if model in material.anchors
    }
    plan = plan_of(settings, seed=material.seed, accuracy=material.judge_accuracy)
    found = compare(pairs, material.rankings, material.questions, plan)
    tests = _tests(material, clusters)
    return Evidence(
        tests=tests,
        comparisons={model: found[model] for model in compared},
        inputs={model: _input(model, material, found) for model in models},
        standing=_standing(tests, material.baseline, settings.alpha),
    )


def _pair(model: str, material: Material, state: Baseline | None, prefix: str) -> Pair:
    return Pair(
        CANDIDATE + model,
        prefix + model,
        material.outcomes[model],
        state.texts(model) if state else {},
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


def _input(model: str, material: Material, found: Mapping[str, Comparison]) -> GateInput:
    outcomes = material.outcomes[model]
    answers = {key: item for key, item in outcomes.items() if isinstance(item, Answer)}
    ranked = [key for key in answers if CANDIDATE + model in _ranks(material, key)]
    now, anchor = found.get(model), found.get(ANCHOR + model)
    return GateInput(
        model=model,
        expected=len(material.questions),
        answered=len(answers),
        ranked=len(ranked),
        quality=now.quality if now else None,
        baseline_problem=material.problems[model],
        is_unchanged=_is_unchanged(model, material, answers),
        f1=now.f1 if now else None,
        anchor=anchor.quality if anchor else None,
        anchor_f1=anchor.f1 if anchor else None,
        anchor_problem=material.anchor_problems.get(model, ""),
        speed=_speed(model, material),
        same_machine=_same_machine(model, material),
        machine=_machine(model, material),
        judge_problems=material.judge_problems,
    )


def _is_unchanged(model: str, material: Material, answers: Mapping[str, Answer]) -> bool:
    texts = {name: answer.judged_text for name, answer in answers.items()}
    return (
        model in material.unchanged
        and len(texts) == len(material.questions)
        and material.baseline is not None
        and texts == material.baseline.texts(model)
    )


def _ranks(material: Material, question_id: str) -> Mapping[str, float]:
    ranking = material.rankings.get(question_id)
    return ranking.ranks if ranking else {}


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
