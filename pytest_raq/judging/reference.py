"""The reference judge: offline, deterministic, by named grades."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError
from pytest_raq.judging.equivalence.grading import Grader
from pytest_raq.judging.protocol import Case, NoOrder, Order, Spending
from pytest_raq.records import JudgeIdentity
from pytest_raq.stats.model_summary import score_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_raq.records import Question

NAME = "reference"

EDITION = 2
"""The number of the rule: raised when a change can rank the same answers in another order.

The first edition ranked by SQuAD exact match, then F1."""


class ReferenceJudge:
    """Ranks by what an answer is to the best reference: see `equivalence.grading.Grade`.

    Answers of one grade tie, except that those that share words with a
    reference rank by how many. It reads numbers, amounts, dates and words, not meaning.
    With a ``rule`` it ranks by these figures of a `pytest_raq.records.Score` instead, each
    one among answers that are equal in those before it.
    """

    is_free = True
    note = ""

    def __init__(self, rule: tuple[str, ...] = ()) -> None:
        self._rule = rule

    @property
    def identity(self) -> JudgeIdentity:
        """The name and the rule with its number."""
        if self._rule:
            return JudgeIdentity(name=NAME, options={"rule": ", ".join(self._rule)})
        return JudgeIdentity(name=NAME, options={"rule": "grades", "edition": str(EDITION)})

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
            yield _order(case, self._rule)


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


def _order(case: Case, rule: tuple[str, ...]) -> Order | NoOrder:
    if not case.question.references:
        return NoOrder(f"the question has no references, and judge {NAME!r} needs them")
    if rule:
        found = [_figures(text, case.question, rule) for text in case.texts]
        reasons = tuple(_tell(rule, values) for values in found)
        return Order(_tiers(found), reasons=reasons)
    grader = Grader(case.question)
    graded = [grader.grade(text) for text in case.texts]
    return Order(
        _tiers([item.rank for item in graded]), reasons=tuple(str(item) for item in graded)
    )


def _tiers(values: Sequence[tuple[float, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return the places of values from the highest down; equal ones share a tier."""
    tiers: dict[tuple[float, ...], list[int]] = {}
    for index in sorted(range(len(values)), key=lambda index: values[index], reverse=True):
        tiers.setdefault(values[index], []).append(index)
    return tuple(tuple(sorted(tier)) for tier in tiers.values())


def _figures(text: str, question: Question, rule: tuple[str, ...]) -> tuple[float, ...]:
    score = score_answer(text, question)
    # 2/5 and 4/10 are equal, even if their floating-point numbers are not.
    return tuple(round(getattr(score, figure), 9) for figure in rule)


def _tell(rule: tuple[str, ...], values: tuple[float, ...]) -> str:
    figures = zip(rule, values, strict=True)
    return ", ".join(f"{name.replace('_', ' ')} {value:.2g}" for name, value in figures)
