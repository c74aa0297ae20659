"""Find out what differs between two baselines."""

from __future__ import annotations

import math
from dataclasses import asdict
from itertools import combinations
from typing import TYPE_CHECKING

from pytest_raq.baselines.comparison import refuse
from pytest_raq.records import SpeedReference
from pytest_raq.records.command_results import BaselineAnswerChange as AnswerChange
from pytest_raq.records.command_results import (
    BaselineDiff,
    Change,
    FieldChange,
    ModelChange,
    PairChange,
    Side,
)
from pytest_raq.records.results import FIGURES
from pytest_raq.stats.ranks import standing_changes
from pytest_raq.stats.speed import compare_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_raq.records import (
        Baseline,
        PairwiseP,
        Provenance,
        RankTests,
        SpeedEvidence,
        StandingChange,
    )


def diff_baselines(
    old: Baseline, new: Baseline, *, names: tuple[str, str], alpha: float = 0.05
) -> BaselineDiff:
    """Compare two baselines; ``names`` says where each was read from.

    ``alpha`` is the level at which a pair of models differs significantly. Figures
    and p-values are reported even if the two cannot be compared; the diff says so.
    """
    shared = [model for model in new.models if model in old.models]
    return BaselineDiff(
        old=_side(old, names[0]),
        new=_side(new, names[1]),
        unfair=refuse(old, new.provenance),
        models={model: _model(model, old, new) for model in shared},
        models_added=_absent(new.models, old.models),
        models_removed=_absent(old.models, new.models),
        questions_added=_absent(new.questions, old.questions),
        questions_removed=_absent(old.questions, new.questions),
        pairs=tuple(_pairs(old.tests, new.tests)),
        standing=_standing(old.tests, new.tests, alpha),
        speeds={model: speeds for model in shared if (speeds := _speeds(model, old, new))},
        same_machine=dict(old.provenance.machine) == dict(new.provenance.machine),
        provenance=tuple(_provenance(old.provenance, new.provenance)),
    )


def _speeds(model: str, old: Baseline, new: Baseline) -> tuple[SpeedEvidence, ...]:
    """Compare ratios to the yardstick; of servers and of older files, rates and seconds."""
    before, now = (side.accepted_speeds.get(model) for side in (old, new))
    if before and now and before.ratios and now.ratios:
        if before.yardstick != now.yardstick:
            return ()
        kind = SpeedReference.YARDSTICK
        return compare_runs(now.ratios, before.ratios, against=kind, limit=1.0)
    if not _timed_alike(model, old, new):
        return ()
    then, today = (
        (speed.samples if speed else None) or side.speeds.get(model, {})
        for side, speed in ((old, before), (new, now))
    )
    return compare_runs(today, then, against=SpeedReference.STORED, limit=1.0)


def _timed_alike(model: str, old: Baseline, new: Baseline) -> bool:
    """Whether the speeds of a model were measured with the same kernels."""
    kernels = {
        found.kernels_timed
        for side in (old, new)
        if (found := side.provenance.models.get(model)) is not None
    }
    return len(kernels) < 2


def _side(baseline: Baseline, name: str) -> Side:
    return Side(name, baseline.suite, baseline.accepted_at, baseline.reason)


def _absent(names: Iterable[str], others: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in others)


def _model(model: str, old: Baseline, new: Baseline) -> ModelChange:
    answers, reranked, compared = [], 0, 0
    for question_id, now in new.questions.items():
        before = old.questions.get(question_id)
        if before is None or model not in before.answers or model not in now.answers:
            continue
        compared += 1
        rank = Change(before.ranks.get(model), now.ranks.get(model))
        reranked += rank.before != rank.now
        if before.answers[model] != now.answers[model]:
            texts = before.answers[model], now.answers[model]
            answers.append(AnswerChange(question_id, *texts, rank))
    then, today = old.models[model], new.models[model]
    figures = {name: Change(getattr(then, name), getattr(today, name)) for name in FIGURES}
    return ModelChange(compared, tuple(answers), reranked, figures)


def _pairs(old: RankTests | None, new: RankTests | None) -> Iterator[PairChange]:
    """Yield the p-values of all pairs of models that at least one side tested."""
    models = dict.fromkeys([*(old.models if old else ()), *(new.models if new else ())])
    for first, second in combinations(models, 2):
        p_values = {
            label: Change(_p(old, field, first, second), _p(new, field, first, second))
            for label, field in (
                ("Dunn", "dunn_holm"),
                ("Conover", "conover_holm"),
                ("permutation", "permutation_holm"),
            )
        }
        yield PairChange(first, second, p_values)


def _p(tests: RankTests | None, field: str, first: str, second: str) -> float | None:
    matrix: PairwiseP = getattr(tests, field) if tests else {}
    value = matrix.get(first, {}).get(second, math.nan)
    return None if math.isnan(value) else value


def _standing(
    old: RankTests | None, new: RankTests | None, alpha: float
) -> tuple[StandingChange, ...]:
    return standing_changes(new, old, alpha) if old and new else ()


def _provenance(old: Provenance, new: Provenance) -> Iterator[FieldChange]:
    before, now = dict(_fields(asdict(old))), dict(_fields(asdict(new)))
    for field in sorted(before.keys() | now.keys()):
        then, today = before.get(field, ""), now.get(field, "")
        if then != today:
            yield FieldChange(field, then, today)


def _fields(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each field below a value by its dotted path, as text."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _fields(item, f"{path}.{key}".lstrip("."))
    else:
        yield path, str(value)
