"""From the verdicts of a judge to mid-ranks of contestants."""

from __future__ import annotations

from collections import Counter
from itertools import chain, tee
from typing import TYPE_CHECKING

from pytest_raq.errors import JudgeError
from pytest_raq.judging.protocol import Case, NoOrder, Order
from pytest_raq.records import Ranking

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pytest_raq.judging.protocol import Judge
    from pytest_raq.records import Question


def rank_contestants(
    judge: Judge,
    items: Iterable[tuple[Question, Mapping[str, str]]],
    families: Mapping[str, str] | None = None,
) -> Iterator[Ranking]:
    """Yield a ranking for each question and its texts by contestant, in order.

    Texts that are equal but for surrounding white space are merged before the
    judge sees them, and sorted, so that neither the names nor the order of
    contestants can matter; where all are equal the judge is not asked. A
    verdict that is not a complete weak order makes the ranking missing, and so
    does a JudgeError: it ends the verdicts, not the run. Nor is it asked where
    all texts are references. ``families`` are the model families of
    contestants, for panels.
    """
    mine, asked = tee((make_case(question, texts, families), texts) for question, texts in items)
    verdicts = _verdicts(
        judge, (case for case, _ in asked if not is_settled(case.question, case.texts))
    )
    for case, texts in mine:
        if is_settled(case.question, case.texts):
            verdict: Order | NoOrder = Order((tuple(range(len(case.texts))),))
        else:
            verdict = next(verdicts)
        yield _ranking(case, texts, verdict)


def make_case(
    question: Question, texts: Mapping[str, str], families: Mapping[str, str] | None = None
) -> Case:
    """Return the case of a question from the texts of its contestants."""
    known = families or {}
    authors: dict[str, list[str]] = {}
    for contestant, text in texts.items():
        authors.setdefault(text.strip(), []).append(known.get(contestant, ""))
    distinct = tuple(sorted(authors))
    return Case(question, distinct, tuple(tuple(sorted(authors[text])) for text in distinct))


def is_settled(question: Question, texts: Collection[str]) -> bool:
    """Whether texts are level without a judge: all are one, or all are references word for word."""
    if len(texts) < 2:
        return True
    references = {_words(reference) for reference in question.references}
    return all(_words(text) in references for text in texts)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _verdicts(judge: Judge, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
    """Yield the verdicts of a judge; without end, so that a case never stands without one."""
    name = judge.identity.name
    reason = f"judge {name!r} gave no verdict"
    try:
        yield from judge.order(cases)
    except JudgeError as exc:
        reason = str(exc) or reason
    while True:
        yield NoOrder(reason)


def _ranking(case: Case, texts: Mapping[str, str], verdict: Order | NoOrder) -> Ranking:
    if not texts:
        return Ranking(case.question.id, missing="there are no answers to rank")
    if isinstance(verdict, NoOrder):
        return Ranking(case.question.id, missing=verdict.reason or "the judge gave no reason")
    fault = find_fault(case, verdict)
    if fault:
        return Ranking(case.question.id, missing=fault)
    tier_of = {
        case.texts[index]: tier for tier, indices in enumerate(verdict.tiers) for index in indices
    }
    tiers = {contestant: tier_of[text.strip()] for contestant, text in texts.items()}
    return Ranking(case.question.id, mid_ranks(tiers), orders_agreed=verdict.agreed)


def find_fault(case: Case, order: Order) -> str:
    """Return why an order is not a complete weak order of the texts; empty when it is."""
    named = Counter(chain.from_iterable(order.tiers))
    size = len(case.texts)
    for index in range(size):
        if named[index] != 1:
            times = "not at all" if named[index] == 0 else f"{named[index]} times"
            return f"the judge's order names text {index + 1} of {size} {times}"
    unknown = [index for index in named if index not in range(size)]
    return f"the judge's order names text {unknown[0] + 1} of {size}" if unknown else ""


def mid_ranks(tiers: Mapping[str, float]) -> dict[str, float]:
    """Return mid-ranks by contestant, 1 for the lowest tier; k of them sum to k(k+1)/2.

    Contestants of a tier share the mean of the places that they fill.
    """
    sizes = Counter(tiers.values())
    rank_of, before = {}, 0
    for tier in sorted(sizes):
        rank_of[tier] = before + (sizes[tier] + 1) / 2
        before += sizes[tier]
    return {contestant: rank_of[tier] for contestant, tier in tiers.items()}


def restrict(ranking: Ranking, contestants: Collection[str]) -> Ranking:
    """Return the mid-ranks of some contestants among themselves.

    Contestants that were not ranked are left out; a missing ranking stays
    missing, and so does one of which nobody is left.
    """
    if ranking.missing:
        return ranking
    wanted = frozenset(contestants)
    chosen = {name: rank for name, rank in ranking.ranks.items() if name in wanted}
    if not chosen:
        return Ranking(ranking.question_id, missing="there are no answers to rank")
    return Ranking(ranking.question_id, mid_ranks(chosen), orders_agreed=ranking.orders_agreed)
