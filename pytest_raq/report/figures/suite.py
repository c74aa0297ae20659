"""The pictures of a suite: ranks, intervals, critical difference, speed, length.

Each is a Matplotlib figure of its own with a text that says the same in words,
so that a page, a file for a paper and a screen reader get the same figures.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from pytest_raq.report.figures.difference import draw_difference
from pytest_raq.report.figures.drawing import (
    Mark,
    draw_bars,
    draw_marks,
    draw_shares,
    style,
)
from pytest_raq.report.figures.likelihood import draw_differences, likelihood_text
from pytest_raq.text import number, p_text, safe_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from matplotlib.figure import Figure

    from pytest_raq.records import Interval, ModelSummary, RankTests, SuiteResult

ALPHA = 0.05
"""The level at which the critical difference diagram separates two models."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with its name (the stem of a file), its title, and the same in words."""

    name: str
    title: str
    description: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a `ModelSummary` as a bar."""

    field: str
    title: str
    unit: str
    decimals: int = 1
    factor: float = 1.0


MEASURES = (
    Measure("words_per_second", "Words per second", "words/s"),
    Measure("words", "Words per answer", "words"),
    Measure("prefill_tokens_per_second", "Prefill", "tok/s", 0),
    Measure("decode_tokens_per_second", "Decode", "tok/s", 0),
    Measure("time_to_first_token", "Time to first token", "ms", 1, 1000.0),
)
"""Words a second and words an answer are those of Roque and Guedes (2024)."""


def suite_pictures(result: SuiteResult) -> list[Picture]:
    """Return the pictures of a suite, those of quality first; none of what was not measured."""
    with style():
        return [*quality_pictures(result), *speed_pictures(result)]


def quality_pictures(result: SuiteResult) -> Iterator[Picture]:
    """Yield net preference, likelihood, rank distribution, mean ranks and critical difference."""
    for draw in (_net_preference, _likelihood, _distribution, _mean_ranks, _difference):
        picture = draw(result)
        if picture is not None:
            yield picture


def _net_preference(result: SuiteResult) -> Picture | None:
    marks = {
        model: _marked(verdict.quality.net_preference, verdict.quality.interval)
        for model, verdict in result.verdicts.items()
        if verdict.quality is not None
    }
    if not any(mark.is_known for mark in marks.values()):
        return None
    edges = [abs(edge) for mark in marks.values() for edge in (mark.value, mark.low, mark.high)]
    reach = max((edge for edge in edges if math.isfinite(edge)), default=0.0)
    margin = result.margin
    reach = min(1.0, max(0.1, reach * 1.1, 1.1 * (margin or 0.0)))
    label = "worse than accepted    ·    better"
    figure = draw_marks(
        marks,
        {},
        limits=(-reach, reach),
        label=label if margin is None else f"{label}    ┆ −{margin:g} margin",
        zero=0.0,
        margin=None if margin is None else -margin,
    )
    text = _sentence("net preference", marks, lambda model: marks[model].text(sign=True))
    if margin is not None:
        text += f"; a pass needs the interval above −{margin:g}, the margin"
    return Picture("net-preference", "Net preference", text, figure)


def _likelihood(result: SuiteResult) -> Picture | None:
    figure = draw_differences(result)
    if figure is None:
        return None
    title = "Bits per byte of the reference, today minus accepted"
    return Picture("likelihood", title, likelihood_text(result), figure)


def _distribution(result: SuiteResult) -> Picture | None:
    counts = {
        model: Counter(item.ranks[model] for item in result.questions if model in item.ranks)
        for model in result.models
    }
    if len(counts) < 2 or not any(counts.values()):
        return None
    return Picture(
        "rank-distribution", "Rank distribution", _counts_text(counts), draw_shares(counts)
    )


def _mean_ranks(result: SuiteResult) -> Picture | None:
    if len(result.models) < 2:
        return None
    now = {name: _mean_rank(model) for name, model in result.models.items()}
    before = {name: _mean_rank(model) for name, model in comparable_models(result).items()}
    if not any(mark.is_known for mark in now.values()):
        return None
    figure = draw_marks(now, before, limits=(1.0, float(len(now))), label="mean rank, 1 is best")
    return Picture("mean-ranks", "Mean ranks", _marks_text("mean rank", now, before), figure)


def comparable_models(result: SuiteResult) -> Mapping[str, ModelSummary]:
    """Return the baseline's models where mean ranks mean the same: among the same models."""
    if result.baseline is None or result.baseline.models.keys() != result.models.keys():
        return {}
    return result.baseline.models


def _mean_rank(model: ModelSummary) -> Mark:
    return _marked(math.nan if model.mean_rank is None else model.mean_rank, model.interval)


def _marked(value: float, interval: Interval | None) -> Mark:
    return Mark(value) if interval is None else Mark(value, interval.low, interval.high)


def _difference(result: SuiteResult) -> Picture | None:
    tests = result.tests
    if tests is None:
        return None
    ranks = {model: rank for model, rank in tests.mean_ranks.items() if math.isfinite(rank)}
    if len(ranks) < 2:
        return None
    figure = draw_difference(ranks, tests.permutation_holm, ALPHA)
    return Picture(
        "critical-difference", "Critical difference", _difference_text(tests, ranks), figure
    )


def speed_pictures(result: SuiteResult) -> Iterator[Picture]:
    """Yield a picture a measure of speed and length that some model has."""
    before = result.baseline.models if result.baseline else {}
    for measure in MEASURES:
        now = _values(measure, result.models)
        if any(map(math.isfinite, now.values())):
            then = _values(measure, before)
            figure = draw_bars(now, then, unit=measure.unit, decimals=measure.decimals)
            yield Picture(
                measure.field.replace("_", "-"),
                measure.title,
                _bars_text(measure, now, then),
                figure,
            )


def _values(measure: Measure, models: Mapping[str, ModelSummary]) -> dict[str, float]:
    found = {name: getattr(model, measure.field) for name, model in models.items()}
    return {
        name: math.nan if value is None else float(value) * measure.factor
        for name, value in found.items()
    }


def _marks_text(what: str, now: Mapping[str, Mark], before: Mapping[str, Mark]) -> str:
    return _sentence(
        what,
        now,
        lambda model: now[model].text(),
        lambda model: before[model].text() if model in before else "",
    )


def _bars_text(measure: Measure, now: Mapping[str, float], before: Mapping[str, float]) -> str:
    def told(values: Mapping[str, float], model: str) -> str:
        value = values.get(model, math.nan)
        known = math.isfinite(value)
        return f"{number(value, measure.decimals)} {measure.unit}" if known else ""

    return _sentence(
        measure.title.lower(),
        now,
        lambda model: told(now, model) or "not measured",
        lambda model: told(before, model),
    )


def _sentence(
    what: str,
    models: Mapping[str, object],
    now: Callable[[str], str],
    before: Callable[[str], str] = lambda _: "",
) -> str:
    parts = []
    for model in models:
        then = before(model)
        parts.append(f"{safe_text(model)} {now(model)}{f' (baseline {then})' if then else ''}")
    return f"{what}: {'; '.join(parts)}"


def _counts_text(counts: Mapping[str, Mapping[float, int]]) -> str:
    parts = [
        f"{safe_text(model)} "
        + (", ".join(f"{row[rank]} × rank {rank:g}" for rank in sorted(row)) or "not ranked")
        for model, row in counts.items()
    ]
    return f"how often each rank was given: {'; '.join(parts)}"


def _difference_text(tests: RankTests, ranks: Mapping[str, float]) -> str:
    parts = []
    for first, second in combinations(sorted(ranks, key=ranks.__getitem__), 2):
        p_value = tests.permutation_holm.get(first, {}).get(second, math.nan)
        apart = "apart" if p_value <= ALPHA else "not told apart"
        parts.append(f"{safe_text(first)} and {safe_text(second)} {apart} (p {p_text(p_value)})")
    return f"permutation test, Holm-corrected, level {ALPHA:g}: {'; '.join(parts)}"
