"""New answers against accepted ones: all tests of a run, with one correction by Holm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_raq.records import Answer, Failure
from pytest_raq.stats.f1_difference import f1_evidence
from pytest_raq.stats.model_summary import score_answer
from pytest_raq.stats.quality import QualityPlan, preferences, quality_evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.config import GateSettings
    from pytest_raq.records import F1Evidence, Outcome, QualityEvidence, Question, Ranking


@dataclass(frozen=True, slots=True)
class Pair:
    """The two sides of one test: a model today, and an accepted state of it.

    ``now`` and ``before`` are their names in the rankings; ``outcomes`` and
    ``accepted`` are today's outcomes and the accepted texts by question id.
    """

    now: str
    before: str
    outcomes: Mapping[str, Outcome]
    accepted: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The results of one test: s_i by question id, and the evidence; None without any s_i."""

    preferences: Mapping[str, int]
    quality: QualityEvidence | None
    f1: F1Evidence | None


def plan_of(settings: GateSettings, *, seed: int, accuracy: float = 1.0) -> QualityPlan:
    """Return the plan of the tests of a run; ``accuracy`` is a lower bound of that of its judge."""
    return QualityPlan(
        alpha=settings.alpha,
        pass_level=settings.pass_level,
        min_effect=settings.min_effect,
        margin=settings.margin,
        accuracy=accuracy,
        seed=seed,
    )


def compare(
    pairs: Mapping[str, Pair],
    rankings: Mapping[str, Ranking],
    questions: Sequence[Question],
    plan: QualityPlan,
) -> dict[str, Comparison]:
    """Return the result of each test, in the order of ``pairs``.

    A question with an accepted answer to which the model itself has none today counts as
    worse. One that could not be compared, because something else failed or because it
    has no ranking, is left out of p and taken as worse in the lower end of the interval.
    """
    clusters = {question.id: question.cluster for question in questions}
    ranked = preferences(
        rankings.values(),
        {name: pair.now for name, pair in pairs.items()},
        {name: pair.before for name, pair in pairs.items()},
    )
    failed = {name: _failed(pair) for name, pair in pairs.items()}
    signs = {name: {**ranked[name], **dict.fromkeys(failed[name], -1)} for name in pairs}
    tested = {name: items for name, items in signs.items() if items}
    unknown = {name: len(pairs[name].accepted.keys() - tested[name].keys()) for name in tested}
    quality = quality_evidence(tested, clusters, plan, unknown=unknown)
    f1 = f1_evidence({name: _f1_pairs(pairs[name], questions) for name in tested}, clusters, plan)
    return {
        name: Comparison(
            signs[name],
            replace(quality[name], failed=len(failed[name])) if name in quality else None,
            f1.get(name),
        )
        for name in pairs
    }


def _failed(pair: Pair) -> list[str]:
    """Return the questions that the accepted state answered and the model itself cannot."""
    return [
        name
        for name, outcome in pair.outcomes.items()
        if isinstance(outcome, Failure) and not outcome.is_infrastructure and name in pair.accepted
    ]


def _f1_pairs(pair: Pair, questions: Sequence[Question]) -> dict[str, tuple[float, float]]:
    """Return F1 of the new and of the accepted answer by question; 0 where the model has none."""
    found = {}
    for question in questions:
        outcome, accepted = pair.outcomes.get(question.id), pair.accepted.get(question.id)
        if accepted is None or outcome is None:
            continue
        before = score_answer(accepted, question)
        if before is None:
            continue
        if isinstance(outcome, Answer):
            now = score_answer(outcome.judged_text, question)
            found[question.id] = (now.f1 if now else 0.0, before.f1)
        elif not outcome.is_infrastructure:
            found[question.id] = (0.0, before.f1)
    return found
