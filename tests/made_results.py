"""Results of suites as a run would find them, of any size, without models."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from pytest_raq.config import GateSettings
from pytest_raq.gate import GateInput, decide
from pytest_raq.gate.comparison import plan_of
from pytest_raq.judging import ReferenceJudge, rank_contestants
from pytest_raq.records import (
    Answer,
    Baseline,
    FinishReason,
    JudgeIdentity,
    ModelProvenance,
    Provenance,
    Question,
    QuestionResult,
    Ranking,
    SuiteResult,
    Timing,
)
from pytest_raq.stats.mid_ranks import restrict
from pytest_raq.stats.model_summary import summarize
from pytest_raq.stats.quality import preferences, quality_evidence
from pytest_raq.stats.ranks import rank_tests, standing_changes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Said = dict[str, dict[str, str]]
"""Question id → model → text."""

PLACES = ("Aldmoor", "Brightwater", "Castle Hill", "Dunmere", "Eastgate", "Fernley")
THINGS = ("bridge", "harbour", "library", "market", "mill", "tower")


def make_questions(count: int, passages: int, seed: int = 0) -> list[Question]:
    """Return questions whose reference is a year that their passage tells."""
    drawn = random.Random(seed)  # noqa: S311
    places = [f"{drawn.choice(PLACES)} {number}" for number in range(passages)]
    years = [[drawn.randrange(1000, 2000) for _ in THINGS] for _ in range(passages)]
    return [
        Question(
            id=f"q{number:05}",
            title=places[number % passages],
            passage=" ".join(
                f"The {thing} of {places[number % passages]} was built in {year}."
                for thing, year in zip(THINGS, years[number % passages], strict=True)
            ),
            question=f"When was the {THINGS[number % 6]} of {places[number % passages]} built?",
            references=(str(years[number % passages][number % 6]),),
        )
        for number in range(count)
    ]


def make_answers(
    questions: Sequence[Question], share_right: Mapping[str, float], seed: int, padding: str = ""
) -> Said:
    """Return an answer a question and model, right as often as its model is."""
    drawn = random.Random(seed)  # noqa: S311
    return {
        item.id: {
            model: f"It was built in {item.references[0]}{padding}"
            if drawn.random() < share
            else f"Nobody knows: perhaps {drawn.randrange(1000, 2000)}{padding}"
            for model, share in share_right.items()
        }
        for item in questions
    }


def make_result(
    questions: Sequence[Question], now: Said, before: Said, suite: str = "made"
) -> SuiteResult:
    """Judge, rank and test answers of today and of a baseline as a run does."""
    models = list(next(iter(now.values())))
    texts = [
        (
            item,
            {f"now:{m}": text for m, text in now.get(item.id, {}).items()}
            | {f"then:{m}": text for m, text in before.get(item.id, {}).items()},
        )
        for item in questions
    ]
    joint = list(rank_contestants(ReferenceJudge(), texts))
    clusters = {item.id: item.cluster for item in questions}
    found = preferences(joint, {m: f"now:{m}" for m in models}, {m: f"then:{m}" for m in models})
    quality = quality_evidence(
        {model: items for model, items in found.items() if items},
        clusters,
        plan_of(GateSettings(), seed=0),
    )
    ranks = {side: _alone(joint, side, models) for side in ("now:", "then:")}
    tests = {side: rank_tests(found, clusters, models, seed=0) for side, found in ranks.items()}
    baseline = Baseline(
        suite,
        "2026-01-02T03:04:05Z",
        "first state",
        _provenance(questions, models, "1.0"),
        _summaries(questions, before, tests["then:"], 1.0),
        tests["then:"],
        {},
        {},
    )
    today = {ranking.question_id: ranking for ranking in ranks["now:"]}
    return SuiteResult(
        suite=suite,
        models=_summaries(questions, now, tests["now:"], 0.8),
        tests=tests["now:"],
        verdicts={
            model: decide(
                GateInput(
                    model,
                    len(questions),
                    len(questions),
                    len(questions),
                    quality=quality.get(model),
                ),
                GateSettings(),
            )
            for model in (models if before else ())
        },
        questions=tuple(
            QuestionResult(
                item,
                now.get(item.id, {}),
                before.get(item.id, {}),
                {model: "no answer" for model in models if model not in now.get(item.id, {})},
                today[item.id].ranks,
                {model: items[item.id] for model, items in found.items() if item.id in items},
                today[item.id].missing,
            )
            for item in questions
        ),
        provenance=_provenance(questions, models, "1.1"),
        passages=len(set(clusters.values())),
        baseline=baseline if before else None,
        standing=tuple(standing_changes(tests["now:"], tests["then:"], 0.05)) if before else (),
        notes=("differs from the baseline: llama.cpp: 1.0 → 1.1",) if before else (),
    )


def _alone(joint: Sequence[Ranking], side: str, models: Sequence[str]) -> list[Ranking]:
    present = {side + model for model in models}
    return [
        Ranking(
            item.question_id,
            {name.removeprefix(side): rank for name, rank in restrict(item, present).ranks.items()},
            item.missing,
        )
        for item in joint
    ]


def _summaries(questions: Sequence[Question], said: Said, tests: object, speed: float) -> dict:
    models = list(tests.models)
    by_id = {item.id: item for item in questions}
    return {
        model: summarize(
            model,
            {
                item.id: Answer(
                    item.id, model, said[item.id][model], FinishReason.STOP, _timing(place, speed)
                )
                for item in questions
                if model in said.get(item.id, {})
            },
            by_id,
            mean_rank=tests.mean_ranks.get(model),
            interval=tests.intervals.get(model),
        )
        for place, model in enumerate(models)
    }


def _timing(place: int, speed: float) -> Timing:
    seconds = (0.02 + place * 0.01) / speed
    return Timing(120, 80, 12, seconds, seconds, seconds * 4, seconds * 5)


def _provenance(questions: Sequence[Question], models: Sequence[str], build: str) -> Provenance:
    return Provenance(
        "made.json",
        "",
        "f" * 64,
        len(questions),
        JudgeIdentity("reference"),
        {
            model: ModelProvenance(
                "llama-cpp", build, f"{model}.gguf", "a" * 64, "Q8_0", "b" * 64, "c" * 64,
                {"context_length": 1024, "stop": ["\n"]},
            )
            for model in models
        },
        {"pytest-raq": "0.1.0", "llama.cpp": build},
        {"cpu": "made", "cores": "2"},
    )  # fmt: skip
