"""The reference judge: offline, deterministic, by SQuAD exact match and F1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError
from pytest_raq.judging.protocol import Case, NoOrder, Order, Spending
from pytest_raq.records import JudgeIdentity
from pytest_raq.stats.model_summary import score_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_raq.records import Question

NAME = "reference"


class ReferenceJudge:
    """Ranks exact matches first, then by F1 against the best reference; equal figures tie.

    A simple substitute for an LLM judge: it compares words, not meaning.
    """

    is_free = True
    note = ""

    @property
    def identity(self) -> JudgeIdentity:
        """The name and the rule."""
        return JudgeIdentity(name=NAME, options={"rule": "exact_match, f1"})

    @property
    def spending(self) -> Spending:
        """Nothing."""
        return Spending()

    def prepare(self) -> None:
        """Be ready."""

    def close(self) -> None:
        """Hold nothing."""

    def order(self, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
        """Yield the order of each case; none for a question without references."""
        for case in cases:
            yield _order(case)


def require_references(judge: str, source: str, questions: Sequence[Question]) -> None:
    """Raise ConfigError when this judge must rank answers to questions without references."""
    lacking = [question for question in questions if not question.references]
    if judge == NAME and lacking:
        more = f" and {len(lacking) - 1} more have" if len(lacking) > 1 else " has"
        raise ConfigError(
            f"{source}: {lacking[0].label}{more} no references, and judge {NAME!r} needs them:"
            " name their column with dataset.columns.references, or use a judge that reads"
            " the passage"
        )


def _order(case: Case) -> Order | NoOrder:
    if not case.question.references:
        return NoOrder(f"the question has no references, and judge {NAME!r} needs them")
    tiers: dict[tuple[float, float], list[int]] = {}
    for index, text in enumerate(case.texts):
        tiers.setdefault(_closeness(text, case.question), []).append(index)
    return Order(tuple(tuple(tiers[figures]) for figures in sorted(tiers, reverse=True)))


def _closeness(text: str, question: Question) -> tuple[float, float]:
    figures = score_answer(text, question)
    assert figures is not None
    # An exact match is the closest answer, even "the" to "the", whose official F1 is 0.
    best = max(figures.f1, figures.exact_match)
    # 2/5 and 4/10 are equal, even if their floating-point numbers are not.
    return figures.exact_match, round(best, 9)
