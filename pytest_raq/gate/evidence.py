"""From answers and rankings to tests between models and evidence for the gate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_raq.gate.comparison import Pair, compare, plan_of
from pytest_raq.gate.rules import GateInput, decide
from pytest_raq.records import Answer, Ranking, SpeedReference
from pytest_raq.records.rankings import ACCEPTED, ANCHOR, CANDIDATE
from pytest_raq.stats.mid_ranks import candidate_ranking
from pytest_raq.stats.ranks import rank_tests, standing_changes
from pytest_raq.stats.speed import GATED, adjust_speeds, compare_runs, compare_turns, is_clear

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
        SpeedMeasurement,
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
    ``speeds`` are the models whose speed was measured, ``speed_unchanged`` those of which nothing
    that makes speed has changed, ``speed_obstacles`` says why the speed that was accepted cannot be
    compared with today's, by model; ``same_models`` says of models that
    they are no models of their own. ``laxer`` names the settings that are laxer than those of the
    baseline.
    """

    questions: Sequence[Question]
    outcomes: Mapping[str, Mapping[str, Outcome]]
    rankings: Mapping[str, Ranking]
    problems: Mapping[str, str]
    baseline: Baseline | None
    speeds: Mapping[str, SpeedMeasurement]
    seed: int
    judge_problems: tuple[str, ...] = ()
    judge_accuracy: float = 1.0
    unchanged: frozenset[str] = frozenset()
    anchor: Baseline | None = None
    anchors: frozenset[str] = frozenset()
    anchor_problems: Mapping[str, str] = field(default_factory=dict)
    speed_unchanged: frozenset[str] = frozenset()
    speed_obstacles: Mapping[str, str] = field(default_factory=dict)
    same_models: Mapping[str, str] = field(default_factory=dict)
    laxer: tuple[str, ...] = ()


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
        inputs={
            model: replace(_input(model, material, found), speed=speed)
            for model, speed in speeds_of(material, settings).items()
        },
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


def is_speed_clear(model: str, material: Material, settings: GateSettings) -> bool:
    """Whether more processes would not change what is said of a model's speed."""
    found = _speed(model, material, settings)
    return not found or is_clear(
        found, 1 - settings.max_slowdown, tests=len(material.outcomes) * len(GATED)
    )


def speeds_of(material: Material, settings: GateSettings) -> dict[str, tuple[SpeedEvidence, ...]]:
    """Return what is known of the speed of each model; empty where nothing is compared."""
    return adjust_speeds({model: _speed(model, material, settings) for model in material.outcomes})


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
        is_speed_unchanged=model in material.speed_unchanged,
        speed_obstacle=_obstacle(model, material),
        judge_problems=material.judge_problems,
        same_model=material.same_models.get(model, ""),
        laxer=material.laxer,
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


def _speed(model: str, material: Material, settings: GateSettings) -> tuple[SpeedEvidence, ...]:
    """Compare each measure of the speed probe: in turns, or else with what was accepted."""
    baseline, measured = material.baseline, material.speeds.get(model)
    if baseline is None or material.problems[model] or measured is None:
        return ()
    limit = 1 - settings.max_slowdown
    if measured.turns:
        return compare_turns(
            measured.turns, measured.samples, measured.accepted_samples, limit=limit
        )
    accepted = baseline.accepted_speeds.get(model)
    if _obstacle(model, material) or accepted is None:
        return ()
    if accepted.ratios:
        return compare_runs(
            measured.yardstick, accepted.ratios, against=SpeedReference.YARDSTICK, limit=limit
        )
    return compare_runs(
        measured.samples, accepted.samples, against=SpeedReference.STORED, limit=limit
    )


def _obstacle(model: str, material: Material) -> str:
    """Return why the speed of a model is not compared; empty where it was not measured."""
    measured = material.speeds.get(model)
    if measured is None or measured.turns or material.baseline is None or material.problems[model]:
        return ""
    told = [measured.note, material.speed_obstacles.get(model, "")]
    return "; ".join(filter(None, told)) if told[1] else ""
