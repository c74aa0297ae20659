"""One case for an LLM judge: what to ask, and what the replies decide."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_raq.errors import JudgeError
from pytest_raq.judging.llm.backend import JudgeRequest
from pytest_raq.judging.llm.prompt import judge_prompt, label, make_schema, show
from pytest_raq.judging.llm.replies import read_reply
from pytest_raq.judging.protocol import NoOrder, Order
from pytest_raq.judging.ranking import is_settled
from pytest_raq.records import JudgeExchange
from pytest_raq.records import OrderReading as Record
from pytest_raq.stats.mid_ranks import mid_ranks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_raq.config import JudgeSettings
    from pytest_raq.judging.llm.backend import JudgeReply
    from pytest_raq.judging.protocol import Case

_ROOM = 64
_ROOM_OF_A_LABEL = 16
"""Tokens: enough for the JSON of a rank, even at one character per token with white space."""


@dataclass(eq=False, slots=True)
class PromptOrder:
    """The answers in one order: ``places`` holds the text of each label.

    ``ranks`` are those of the texts as shown, ``tiers`` hold the texts of the case.
    """

    places: tuple[int, ...]
    asked: int = 0
    ranks: Mapping[int, float] = field(default_factory=dict)
    tiers: tuple[tuple[int, ...], ...] = ()
    fault: str = ""
    is_cut: bool = False

    @property
    def labels(self) -> list[str]:
        """The labels, in the order in which the judge reads them."""
        return [label(index) for index in range(len(self.places))]


class CaseRanking:
    """Asks about one case until there is an order, or no order can be expected.

    Texts that look the same to the judge, cut and without reasoning, are
    merged; if all are the same, or all are references, nothing is asked.
    """

    def __init__(self, case: Case, settings: JudgeSettings, *, seed: int, least_room: int) -> None:
        self._case, self._settings, self._seed = case, settings, seed
        seen = [show(text, settings.max_answer_length) for text in case.texts]
        self._shown = list(dict.fromkeys(seen))
        self._shown_of = [self._shown.index(text) for text in seen]
        self._room = max(least_room, _ROOM + _ROOM_OF_A_LABEL * len(self._shown))
        self._exchanges: list[JudgeExchange] = []
        self._missing = ""
        self.readings: list[PromptOrder] = []
        if not is_settled(case.question, self._shown):
            self.readings = list(self._draw())

    def _draw(self) -> Iterator[PromptOrder]:
        """Yield the order drawn by the seed for this question; with two orders, its reverse too."""

        def lot(index: int) -> bytes:
            text = f"{self._seed}\0{self._case.question.id}\0{self._shown[index]}"
            return hashlib.sha256(text.encode("utf-8", "replace")).digest()

        places = tuple(sorted(range(len(self._shown)), key=lot))
        yield PromptOrder(places)
        if self._settings.orders == 2:
            yield PromptOrder(places[::-1])

    @property
    def is_done(self) -> bool:
        """Whether there is a verdict."""
        return bool(self._missing) or all(reading.ranks for reading in self.readings)

    def ask(self, reading: PromptOrder) -> JudgeRequest:
        """Return the next request about a reading; each has a different seed."""
        shown = [self._shown[place] for place in reading.places]
        prompt = judge_prompt(
            self._case.question, shown, passage=self._settings.passage, fault=reading.fault
        )
        reading.asked += 1
        seed = (self._seed + reading.asked - 1) % 2**31
        return JudgeRequest(prompt, make_schema(len(shown)), self._room, seed)

    def hear(
        self, reading: PromptOrder, ask: JudgeRequest, reply: JudgeReply, usage: Mapping[str, float]
    ) -> bool:
        """Take a reply; return whether the reading must be asked again."""
        if reply.problem:
            self.give_up(reply.problem)
            return False
        self._exchanges.append(JudgeExchange(ask.prompt, reply.text, usage))
        try:
            tiers = read_reply(reply.text, reading.labels)
        except JudgeError as exc:
            reading.is_cut = reply.is_cut
            reading.fault = (
                f"it was cut after {ask.max_tokens} tokens" if reply.is_cut else str(exc)
            )
            if reading.asked < self._settings.attempts:
                return not self.is_done
            self.give_up(self._tell_fault(reading))
            return False
        reading.ranks = _ranks(tiers, reading.places)
        reading.tiers = self._tiers(reading.ranks)
        return False

    def _tell_fault(self, reading: PromptOrder) -> str:
        times = "once" if reading.asked == 1 else f"{reading.asked} times"
        hint = ": raise max_tokens" if reading.is_cut else ""
        return f"the judge was asked {times} and gave no complete order: {reading.fault}{hint}"

    def give_up(self, reason: str) -> None:
        """End without an order."""
        self._missing = self._missing or reason

    def verdict(self) -> Order | NoOrder:
        """Return the order by the mean of the mid-ranks of all readings."""
        exchanges = tuple(self._exchanges)
        if self._missing:
            return NoOrder(self._missing, exchanges)
        means = {
            index: fmean(reading.ranks[index] for reading in self.readings) if self.readings else 1
            for index in range(len(self._shown))
        }
        agreed = None
        if len(self.readings) == 2:
            agreed = self.readings[0].ranks == self.readings[1].ranks
        readings = tuple(Record(self._seen(item.places), item.tiers) for item in self.readings)
        return Order(self._tiers(means), exchanges, agreed, readings)

    def _seen(self, places: Sequence[int]) -> tuple[int, ...]:
        """Return the texts of the case in the order of reading, merged ones together."""
        return tuple(
            index
            for place in places
            for index, shown in enumerate(self._shown_of)
            if shown == place
        )

    def _tiers(self, means: Mapping[int, float]) -> tuple[tuple[int, ...], ...]:
        tiers: dict[float, list[int]] = {}
        for index, shown in enumerate(self._shown_of):
            tiers.setdefault(means[shown], []).append(index)
        return tuple(tuple(tiers[mean]) for mean in sorted(tiers))


def _ranks(tiers: Sequence[Sequence[str]], places: Sequence[int]) -> dict[int, float]:
    """Return the mid-rank of each text, by its index."""
    tier_of = {name: number for number, names in enumerate(tiers) for name in names}
    ranks = mid_ranks({name: float(number) for name, number in tier_of.items()})
    return {place: ranks[label(index)] for index, place in enumerate(places)}
