"""Several judges as one: mid-ranks averaged, no judge ranks answers of its own family."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import tee
from typing import TYPE_CHECKING, Any

from pytest_raq.judging.protocol import Case, NoOrder, Order, Spending
from pytest_raq.judging.ranking import JudgedCase, verdicts
from pytest_raq.records import JudgeIdentity, OrderReading
from pytest_raq.stats.mid_ranks import mid_ranks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_raq.judging.protocol import Judge
    from pytest_raq.records import Question

RULE = "mid-ranks averaged, own family left out"
LEVEL = 1e-9
"""Averages that differ by less are equal."""


@dataclass(slots=True)
class PanelMember:
    """A judge with the family of its model, and its verdicts by question id.

    ``heard`` holds cases as the judge saw them, with the places of their
    texts in the whole case; ``silent`` says why there is no verdict.
    """

    judge: Judge
    family: str = ""
    heard: dict[str, tuple[JudgedCase, tuple[int, ...]]] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the judge."""
        return self.judge.identity.name

    def keep(self, case: Case, places: tuple[int, ...], verdict: Order | NoOrder) -> None:
        """Remember a verdict, without its exchanges, which are in the store."""
        if isinstance(verdict, Order):
            self.heard[case.question.id] = (
                JudgedCase(case, replace(verdict, exchanges=())),
                places,
            )
            self.silent.pop(case.question.id, None)
        else:
            self.silent[case.question.id] = verdict.reason

    def export(self) -> dict[str, object]:
        """Return the verdicts as plain data, for another process of the run."""
        heard = {
            name: {
                "texts": item.case.texts,
                "places": places,
                "tiers": item.order.tiers,
                "agreed": item.order.agreed,
                "readings": [[reading.shown, reading.tiers] for reading in item.order.readings],
            }
            for name, (item, places) in self.heard.items()
        }
        return {"heard": heard, "silent": self.silent}

    def absorb(self, table: Mapping[str, Any], questions: Mapping[str, Question]) -> None:
        """Take over what another process exported."""
        for name, row in table.get("heard", {}).items():
            readings = tuple(
                OrderReading(tuple(shown), _frozen(tiers)) for shown, tiers in row["readings"]
            )
            order = Order(_frozen(row["tiers"]), agreed=row["agreed"], readings=readings)
            self.keep(Case(questions[name], tuple(row["texts"])), tuple(row["places"]), order)
        known = table.get("silent", {})
        self.silent |= {name: why for name, why in known.items() if name not in self.heard}


class Panel:
    """A judge made of judges; a panel of one is that judge with its verdicts remembered.

    Several judges rank independently. A judge is not shown the texts that a
    contestant of its own model family gave, so each pair of texts is ordered
    by the judges that belong to neither family; if every judge ranks all texts,
    the result is the average of their mid-ranks. A case has no order if
    less than ``min_share`` of the judges that were asked gave one, or if a pair
    of texts has no judge.
    """

    def __init__(self, seats: Sequence[PanelMember], *, min_share: float = 0.5) -> None:
        self.seats = tuple(seats)
        self._min_share = min_share
        self._least = 1 if len(self.seats) == 1 else 2

    @property
    def identity(self) -> JudgeIdentity:
        """The identity of the single judge, or of all judges in any order."""
        if len(self.seats) == 1:
            return self.seats[0].judge.identity
        options = {"panel": RULE}
        for seat in self.seats:
            identity = seat.judge.identity
            told = {"family": seat.family, "prompt_sha256": identity.prompt_sha256}
            for key, value in {**told, **identity.options}.items():
                if value:
                    options[f"{seat.name}.{key}"] = value
        return JudgeIdentity(
            name=", ".join(sorted(seat.name for seat in self.seats)),
            options=dict(sorted(options.items())),
        )

    @property
    def is_free(self) -> bool:
        """Whether all judges are free."""
        return all(seat.judge.is_free for seat in self.seats)

    @property
    def spending(self) -> Spending:
        """What all judges spent."""
        return sum((seat.judge.spending for seat in self.seats), Spending())

    @property
    def note(self) -> str:
        """What a reader should know about what runs the judges."""
        notes = {seat.name: seat.judge.note for seat in self.seats if seat.judge.note}
        return "; ".join(f"{name}: {note}" for name, note in notes.items())

    def prepare(self) -> None:
        """Prepare each judge."""
        for seat in self.seats:
            seat.judge.prepare()

    def close(self) -> None:
        """Close each judge."""
        for seat in self.seats:
            seat.judge.close()

    def order(self, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
        """Yield one verdict per case, in the order of the cases."""
        mine, *theirs = tee(cases, len(self.seats) + 1)
        heard = [self._listen(seat, some) for seat, some in zip(self.seats, theirs, strict=True)]
        for case in mine:
            said = [next(one) for one in heard]
            first = said[0][0]
            yield first if len(self.seats) == 1 and first else self._merge(case, said)

    def _listen(
        self, seat: PanelMember, cases: Iterable[Case]
    ) -> Iterator[tuple[Order | NoOrder | None, tuple[int, ...]]]:
        """Yield a judge's verdict on the texts that it may see, and their places.

        The verdict is None if there are fewer than two texts, unless the judge is alone.
        """
        mine, theirs = tee((case, self._places(case, seat)) for case in cases)
        asked = (_part(case, places) for case, places in theirs if len(places) >= self._least)
        mine_asked, to_ask = tee(asked)
        answers = verdicts(seat.judge, to_ask)
        for _, places in mine:
            if len(places) < self._least:
                yield None, places
                continue
            part, verdict = next(mine_asked), next(answers)
            seat.keep(part, places, verdict)
            yield verdict, places

    def _places(self, case: Case, seat: PanelMember) -> tuple[int, ...]:
        """Return the texts of a case that a judge may see."""
        alone = len(self.seats) == 1 or not seat.family
        return tuple(
            index
            for index in range(len(case.texts))
            if alone or not case.authors or seat.family not in case.authors[index]
        )

    def _merge(
        self, case: Case, said: Sequence[tuple[Order | NoOrder | None, tuple[int, ...]]]
    ) -> Order | NoOrder:
        asked = [verdict for verdict, _ in said if verdict is not None]
        orders = [(verdict, places) for verdict, places in said if isinstance(verdict, Order)]
        if not orders or len(orders) < self._min_share * len(asked) - LEVEL:
            return NoOrder(self._why_not(said))
        times = [len(authors) or 1 for authors in case.authors] or [1] * len(case.texts)
        means = mean_ranks(times, [(verdict.tiers, places) for verdict, places in orders])
        if any(math.isnan(rank) for rank in means):
            return NoOrder("two of the answers have no judge outside their own families")
        agreed = [verdict.agreed for verdict, _ in orders if verdict.agreed is not None]
        return Order(_tiers(means), agreed=all(agreed) if agreed else None)

    def _why_not(self, said: Sequence[tuple[Order | NoOrder | None, tuple[int, ...]]]) -> str:
        asked = sum(verdict is not None for verdict, _ in said)
        if not asked:
            return "every judge of the panel is of the family of one of the answers"
        reasons = [
            f"{seat.name}: {verdict.reason}"
            for seat, (verdict, _) in zip(self.seats, said, strict=True)
            if isinstance(verdict, NoOrder)
        ]
        gave = asked - len(reasons)
        return f"{gave} of {asked} judges gave a ranking; {'; '.join(reasons)}"


def _frozen(tiers: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(tier) for tier in tiers)


def _part(case: Case, places: Sequence[int]) -> Case:
    if len(places) == len(case.texts):
        return case
    return Case(case.question, tuple(case.texts[index] for index in places))


def mean_ranks(
    times: Sequence[int], orders: Sequence[tuple[Sequence[Sequence[int]], Sequence[int]]]
) -> list[float]:
    """Return the average mid-rank of each item; NaN if a pair of items has no judge.

    ``orders`` are tiers with the places, among all items, of the items they
    hold; ``times`` is how often each item counts. A mid-rank is 1, plus 1 for
    each better item, plus ½ for each other tied item; the
    average is taken for each pair over the judges that ranked both, so that
    other items that they ranked do not matter.
    """
    standing = [_standing(tiers, places) for tiers, places in orders]
    items = range(len(times))
    return [
        (times[item] + 1) / 2
        + sum(
            times[other] * _mean_preference(standing, other, item)
            for other in items
            if other != item
        )
        for item in items
    ]


def _standing(tiers: Sequence[Sequence[int]], places: Sequence[int]) -> dict[int, int]:
    return {places[index]: tier for tier, indices in enumerate(tiers) for index in indices}


def _mean_preference(standing: Sequence[Mapping[int, int]], one: int, other: int) -> float:
    """Return how often one text is preferred to another, 0 to 1; a tie counts ½."""
    found = [
        (tiers[one] < tiers[other]) + (tiers[one] == tiers[other]) / 2
        for tiers in standing
        if one in tiers and other in tiers
    ]
    return sum(found) / len(found) if found else math.nan


def _tiers(means: Sequence[float]) -> tuple[tuple[int, ...], ...]:
    """Return texts grouped by equal averages, the best first."""
    tiers: list[list[int]] = []
    for index in sorted(range(len(means)), key=lambda index: means[index]):
        if tiers and means[index] - means[tiers[-1][0]] <= LEVEL:
            tiers[-1].append(index)
        else:
            tiers.append([index])
    return tuple(tuple(sorted(tier)) for tier in tiers)


def as_panel(judge: Judge) -> Panel:
    """Return a panel unchanged, any other judge as a panel of one."""
    return judge if isinstance(judge, Panel) else Panel([PanelMember(judge)])


def contestant_ranks(
    seat: PanelMember, question_id: str, texts: Mapping[str, str]
) -> dict[str, float]:
    """Return a judge's mid-ranks of the contestants whose texts it was shown."""
    found = seat.heard.get(question_id)
    if found is None:
        return {}
    item, _ = found
    rank_of = dict(zip(item.case.texts, item.ranks, strict=True))
    return mid_ranks({name: rank_of[text] for name, text in texts.items() if text in rank_of})
