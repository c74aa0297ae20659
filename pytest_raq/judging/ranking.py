"""Turns the verdicts of a judge into rankings of contestants."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, tee
from typing import TYPE_CHECKING

from pytest_raq.errors import JudgeError
from pytest_raq.judging.protocol import Case, NoOrder, Order
from pytest_raq.records import Ranking
from pytest_raq.stats.mid_ranks import mid_ranks, tier_ranks

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Mapping

    from pytest_raq.judging.protocol import Judge
    from pytest_raq.records import OrderReading, Question


def rank_contestants(
    judge: Judge,
    items: Iterable[tuple[Question, Mapping[str, str]]],
    families: Mapping[str, str] | None = None,
) -> Iterator[Ranking]:
    """Yield a ranking for each question and its texts by contestant, in order.

    Texts that are equal apart from surrounding white space are merged before the
    judge sees them, and sorted, so that neither the names nor the order of
    contestants can matter. The judge is not asked if all texts are equal or all
    are references, unless it is free: then it says why. A verdict that is not a
    complete weak order makes the ranking missing, and so does a JudgeError: it ends
    the verdicts, not the run.
    ``families`` are the model families of contestants, for panels.
    """
    mine, asked = tee((make_case(question, texts, families), texts) for question, texts in items)

    def is_asked(case: Case) -> bool:
        return bool(case.texts) and (judge.is_free or not is_settled(case.question, case.texts))

    replies = _endless_verdicts(judge, (case for case, _ in asked if is_asked(case)))
    for case, texts in mine:
        verdict: Order | NoOrder = next(replies) if is_asked(case) else NoOrder("not asked")
        if isinstance(verdict, NoOrder) and is_settled(case.question, case.texts):
            verdict = Order((tuple(range(len(case.texts))),))
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
    """Whether texts tie without a judge: all are the same, or all equal a reference exactly."""
    if len(texts) < 2:
        return True
    references = {_words(reference) for reference in question.references}
    return all(_words(text) in references for text in texts)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


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
    why = dict(zip(case.texts, verdict.reasons, strict=True)) if verdict.reasons else {}
    return Ranking(
        case.question.id,
        mid_ranks(tiers),
        orders_agreed=verdict.agreed,
        reasons={name: why[text.strip()] for name, text in texts.items()} if why else {},
    )


def find_fault(case: Case, order: Order) -> str:
    """Return why an order is not a complete weak order of the texts; empty if it is."""
    named = Counter(chain.from_iterable(order.tiers))
    size = len(case.texts)
    for index in range(size):
        if named[index] != 1:
            times = "not at all" if named[index] == 0 else f"{named[index]} times"
            return f"the judge's order names text {index + 1} of {size} {times}"
    unknown = [index for index in named if index not in range(size)]
    return f"the judge's order names text {unknown[0] + 1} of {size}" if unknown else ""


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """A case with the order that a judge gave it."""

    case: Case
    order: Order

    @property
    def ranks(self) -> list[float]:
        """Mid-ranks of the texts."""
        return tier_ranks(self.order.tiers, len(self.case.texts))

    @property
    def readings(self) -> list[OrderReading]:
        """The readings from which the order was made, if they are complete."""
        texts = list(range(len(self.case.texts)))
        return [
            reading
            for reading in self.order.readings
            if sorted(reading.shown) == texts and not find_fault(self.case, Order(reading.tiers))
        ]


def verdicts(judge: Judge, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
    """Yield one verdict per case; after an error of the judge, the error is the reason.

    An incomplete order counts as no order.
    """
    mine, theirs = tee(cases)
    with closing(_endless_verdicts(judge, theirs)) as replies:
        for case in mine:
            verdict = next(replies)
            fault = find_fault(case, verdict) if isinstance(verdict, Order) else ""
            yield NoOrder(fault, verdict.exchanges) if fault else verdict


def _endless_verdicts(judge: Judge, cases: Iterable[Case]) -> Generator[Order | NoOrder]:
    """Yield the verdicts of a judge, then, without end, why there are no more."""
    reason = f"judge {judge.identity.name!r} gave no verdict"
    try:
        yield from judge.order(cases)
    except JudgeError as exc:
        reason = str(exc) or reason
    while True:
        yield NoOrder(reason)
