"""What a run can find, in plain words and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.report.plain import Json, plain
from pytest_raq.report.text import columns, number, safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class SpreadPlan:
    """What a run finds at one spread: that of a model, or one stated for all (no ``model``).

    ``changed`` and ``correlation`` are shares; ``detectable`` is the smallest
    net preference lost that is found, NaN where none is; ``needed`` the
    questions and passages that find the wanted effect.
    """

    model: str
    changed: float
    correlation: float
    detectable: float
    needed: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class PowerPlan:
    """A run to come, what it is told to find, and where the spread is from."""

    name: str
    questions: int
    passages: int
    models: int
    alpha: float
    power: float
    min_effect: float
    source: str
    spreads: tuple[SpreadPlan, ...]
    effect: float | None = None

    @property
    def detectable(self) -> float:
        """The smallest loss that is found whichever model suffers it; NaN where none is."""
        found = [item.detectable for item in self.spreads]
        return math.nan if any(map(math.isnan, found)) else max(found)

    @property
    def needed(self) -> tuple[int, int] | None:
        """The questions and passages that find the wanted effect in every model."""
        return max((item.needed for item in self.spreads if item.needed), default=None)


def plan_to_json(plan: PowerPlan) -> Json:
    """Return a plan as plain data; None for a loss that is not found."""
    needed = plan.needed
    return {
        "name": plan.name,
        "questions": plan.questions,
        "passages": plan.passages,
        "models": plan.models,
        "alpha": plan.alpha,
        "power": plan.power,
        "min_effect": plan.min_effect,
        "spread": {
            "source": plan.source,
            "by_model": [
                {
                    "model": item.model or None,
                    "changed": item.changed,
                    "correlation": item.correlation,
                    "detectable": plain(item.detectable),
                }
                for item in plan.spreads
            ],
        },
        "detectable": plain(plan.detectable),
        "effect": plan.effect,
        "questions_needed": needed[0] if needed else None,
        "passages_needed": needed[1] if needed else None,
    }


def plan_lines(plan: PowerPlan) -> list[str]:
    """Return a plan as lines of a terminal."""
    return [*_design(plan), *_spreads(plan), *_found(plan), *_needed(plan)]


def _design(plan: PowerPlan) -> Iterator[str]:
    yield (
        f"{safe_text(plan.name)}: {_count(plan.questions, 'question')} in"
        f" {_count(plan.passages, 'passage')}, {_count(plan.models, 'model')} tested,"
        f" alpha {plan.alpha:g}, min_effect {plan.min_effect:g}"
    )
    yield f"spread: {safe_text(plan.source, 300)}"


def _spreads(plan: PowerPlan) -> Iterator[str]:
    rows = [
        (
            safe_text(item.model) or "any",
            f"{100 * item.changed:.0f} %",
            number(item.correlation),
            number(-item.detectable),
            "",
        )
        for item in plan.spreads
    ]
    header = ("model", "answers ranked differently", "correlation in passages", "finds", "")
    yield from columns([header, *rows])


def _found(plan: PowerPlan) -> Iterator[str]:
    if math.isnan(plan.detectable):
        least = math.ceil(math.log2(plan.models / plan.alpha) - 1e-9)
        if plan.passages < least:
            yield (
                f"No loss can be found: {_count(plan.passages, 'passage')} cannot be significant"
                f" at alpha {plan.alpha:g}; ask about {least} or more"
            )
        else:
            yield "No loss can be found: ask more questions about more passages"
        return
    yield (
        f"A net preference of {number(-plan.detectable)} or worse is found in"
        f" {_percent(plan.power)} of runs: of 100 answers,"
        f" {max(1, round(100 * plan.detectable))} more are worse than are better."
    )


def _needed(plan: PowerPlan) -> Iterator[str]:
    if plan.effect is None or plan.needed is None:
        return
    questions, passages = plan.needed
    yield (
        f"To find {number(-plan.effect)} in {_percent(plan.power)} of runs:"
        f" {questions:,} questions in {passages:,} passages"
        f" ({questions / passages:.3g} a passage)."
    )


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
