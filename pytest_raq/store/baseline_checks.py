"""What must hold between the figures of a baseline; a hand edit easily breaks it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.records import Baseline, BaselineQuestion, ModelSummary, PairwiseP, RankTests

Fault = tuple[tuple[int | str, ...], str]
"""A field and what is wrong with it."""

ROUNDING = 1e-4
"""Slack for sums of figures that were rounded when they were written."""


def find_unknown(given: object, known: object, path: tuple[int | str, ...] = ()) -> Fault | None:
    """Return the first key of the file that the record read from it does not have."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            if key not in known:
                return (*path, key), "is not a key of a baseline"
            fault = find_unknown(value, known[key], (*path, key))
            if fault:
                return fault
    return None


def find_faults(baseline: Baseline) -> Iterator[Fault]:
    """Yield what contradicts itself."""
    yield from _models(baseline)
    count = baseline.provenance.questions
    if count != len(baseline.questions):
        yield (
            ("provenance", "questions"),
            f"says {count}, but the file holds {len(baseline.questions)} questions",
        )
    for question_id, question in baseline.questions.items():
        yield from _question(("questions", question_id), question, baseline.models)
    if baseline.tests is not None:
        yield from _tests(baseline.tests)


def _models(baseline: Baseline) -> Iterator[Fault]:
    for name, model in baseline.models.items():
        if model.model != name:
            yield ("models", name, "model"), f"is {model.model!r}, but stands under {name!r}"
        if name not in baseline.provenance.models:
            yield ("provenance", "models"), f"lacks {name!r}, which is in models"
        for field in ("exact_match", "f1"):
            value = getattr(model, field)
            if value is not None and not 0 <= value <= 1:
                yield ("models", name, field), f"is {value:g}; expected a share from 0 to 1"
        yield from _counts(name, model)


def _counts(name: str, model: ModelSummary) -> Iterator[Fault]:
    for field in ("answered", "failed"):
        value = getattr(model, field)
        if value < 0:
            yield ("models", name, field), f"is {value}; expected 0 or more"


def _question(
    path: tuple[str, str], question: BaselineQuestion, models: Mapping[str, ModelSummary]
) -> Iterator[Fault]:
    for field, names in (("answers", question.answers), ("ranks", question.ranks)):
        unknown = sorted(names.keys() - models.keys())
        if unknown:
            yield (*path, field, unknown[0]), "is not among the models of the baseline"
    lacking = sorted(question.answers.keys() ^ question.ranks.keys())
    if lacking:
        yield (*path, "ranks"), f"and answers differ: one of them lacks {lacking[0]!r}"
    size = len(question.ranks)
    for name, rank in question.ranks.items():
        if not 1 <= rank <= size:
            yield (*path, "ranks", name), f"is {rank:g}; expected a rank from 1 to {size}"
    expected = size * (size + 1) / 2
    total = math.fsum(question.ranks.values())
    if abs(total - expected) > ROUNDING:
        yield (*path, "ranks"), f"sum to {total:g}; ranks of {size} answers sum to {expected:g}"


def _tests(tests: RankTests) -> Iterator[Fault]:
    for field in ("dunn_holm", "conover_holm", "permutation_holm"):
        yield from _matrix(("tests", field), getattr(tests, field), tests.models)
    for model in tests.models:
        for field, table in (("mean_ranks", tests.mean_ranks), ("intervals", tests.intervals)):
            if model not in table:
                yield ("tests", field), f"lacks {model!r}, which is in tests.models"


def _matrix(path: tuple[str, str], matrix: PairwiseP, models: tuple[str, ...]) -> Iterator[Fault]:
    for first in models:
        for second in models:
            value = matrix.get(first, {}).get(second)
            if value is None:
                yield (*path, first), f"lacks the p-value of {first!r} and {second!r}"
            elif not math.isnan(value) and not 0 <= value <= 1:
                yield (*path, first, second), f"is {value:g}; expected a p-value from 0 to 1"
