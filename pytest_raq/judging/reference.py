"""The reference judge: offline, deterministic, by named grades."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError
from pytest_raq.judging.equivalence.grading import Grader
from pytest_raq.judging.protocol import Case, NoOrder, Order, Spending
from pytest_raq.records import JudgeIdentity

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
    """

    is_free = True
    note = ""

    @property
    def identity(self) -> JudgeIdentity:
        """The name and the rule with its number."""
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
    grader = Grader(case.question)
    graded = [grader.grade(text) for text in case.texts]
    tiers: dict[object, list[int]] = {}
    for index in sorted(range(len(graded)), key=lambda index: graded[index].rank, reverse=True):
        tiers.setdefault(graded[index].rank, []).append(index)
    return Order(
        tuple(tuple(sorted(tier)) for tier in tiers.values()),
        reasons=tuple(str(item) for item in graded),
    )
