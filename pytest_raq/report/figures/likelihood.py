"""The picture of likelihood: how each reference changed, question by question."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_raq.report.figures.drawing import INK, MUTED, NOW, canvas, name_text
from pytest_raq.text import number, safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from pytest_raq.records import LikelihoodEvidence, SuiteResult

_PITCH, _FOOT = 44.0, 30.0
_SMALL = 8


def differences(result: SuiteResult, model: str) -> dict[str, float]:
    """Return today's bits per byte of the reference minus the accepted ones, by question."""
    return {
        item.question.id: item.reference_bits[model] - item.baseline_reference_bits[model]
        for item in result.questions
        if model in item.reference_bits and model in item.baseline_reference_bits
    }


def likelihood_text(result: SuiteResult) -> str:
    """Return in words what the picture shows."""
    told = []
    for model in result.models:
        values = sorted(differences(result, model).values())
        if values:
            middle = number(values[len(values) // 2], 3, sign=True)
            lost = sum(value > 0 for value in values)
            told.append(
                f"{safe_text(model)}: median {middle} bits per byte, less likely on {lost} of"
                f" {len(values)} questions, from {number(values[0], 2, sign=True)} to"
                f" {number(values[-1], 2, sign=True)}"
            )
    return "; ".join(told)


def draw_differences(result: SuiteResult) -> Figure | None:
    """Return a row of ticks a model, one a question, with the mean and its interval."""
    rows = {model: [*differences(result, model).values()] for model in result.models}
    rows = {model: values for model, values in rows.items() if any(values)}
    if not rows:
        return None
    reach = max(0.1, *(_reach(values) for values in rows.values()))
    figure, axes = canvas(len(rows) * _PITCH + _FOOT)
    axes.set_xlim(-reach, reach)
    bottom = len(rows) * _PITCH
    axes.vlines(0, 0, bottom, color=MUTED, linewidth=0.8)
    for index, (model, values) in enumerate(rows.items()):
        top = index * _PITCH
        axes.text(
            0, top + 6, name_text(model), transform=axes.get_yaxis_transform(), va="center",
            color=INK,
        )  # fmt: skip
        inside = [min(max(value, -reach), reach) for value in values]
        axes.vlines(inside, top + 16, top + 30, color=NOW, linewidth=0.6, alpha=0.5)
        verdict = result.verdicts.get(model)
        if verdict is not None and verdict.likelihood is not None:
            _mean(axes, verdict.likelihood, top + 36)
    for value in (-reach, 0.0, reach):
        axes.text(
            value, bottom + 12, number(value, 2, sign=bool(value)), color=MUTED, size=_SMALL,
            ha="left" if value < 0 else "right" if value > 0 else "center", va="center",
        )  # fmt: skip
    return figure


def _mean(axes: object, found: LikelihoodEvidence, y: float) -> None:
    if not math.isnan(found.interval.low):
        axes.hlines(y, found.interval.low, found.interval.high, color=INK, linewidth=1.2)  # type: ignore[attr-defined]
    axes.plot([found.difference], [y], "o", color=INK, markersize=3)  # type: ignore[attr-defined]


def _reach(values: Sequence[float]) -> float:
    """Return how far most values go: a wild one stands at the edge."""
    sizes = sorted(map(abs, values))
    return sizes[-1 - len(sizes) // 20]
