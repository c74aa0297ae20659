"""A judge whose verdicts are kept in the store, so that no case is judged twice."""

from __future__ import annotations

from itertools import chain, tee
from typing import TYPE_CHECKING

from pytest_raq.errors import JudgeError
from pytest_raq.judging.llm.judge import LlmJudge
from pytest_raq.judging.protocol import NoOrder, Order
from pytest_raq.judging.ranking import find_fault
from pytest_raq.judging.server_check import JudgeServerCheck
from pytest_raq.records import JudgeVerdict
from pytest_raq.store import verdict_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_raq.judging.protocol import Case, Judge, Spending
    from pytest_raq.judging.server_check import Kept
    from pytest_raq.records import JudgeIdentity
    from pytest_raq.store import Store


def remember(judge: Judge, store: Store, *, fresh: bool = False) -> Judge:
    """Return a judge that keeps its verdicts, unless it is cheaper to ask it again.

    With ``fresh`` kept verdicts are not read, only replaced.
    """
    return judge if judge.is_free else CachedJudge(judge, store, fresh=fresh)


class CachedJudge:
    """Passes the cases that have no kept verdict on to another judge.

    A verdict is kept as soon as it exists, with its exchanges. A case that the
    judge could not decide, or ordered incorrectly, is kept too, for later inspection,
    and judged again in the next run. When the judge cannot continue, kept cases
    still get their verdicts; those of a server only after it was found out that it
    is still the same that judges.
    """

    is_free = False

    def __init__(self, judge: Judge, store: Store, *, fresh: bool) -> None:
        self._judge, self._store, self._fresh = judge, store, fresh
        server = judge.server if isinstance(judge, LlmJudge) else None
        self._check: JudgeServerCheck | None = None
        if isinstance(judge, LlmJudge) and server is not None:
            self._check = JudgeServerCheck(judge, server, store)

    @property
    def identity(self) -> JudgeIdentity:
        """The identity of the other judge."""
        return self._judge.identity

    @property
    def spending(self) -> Spending:
        """The spending of the other judge: kept verdicts cost nothing."""
        return self._judge.spending

    @property
    def note(self) -> str:
        """The note of the other judge, and what was found out about who it is."""
        told = self._check.note if self._check else ""
        return "; ".join(filter(None, (self._judge.note, told)))

    def prepare(self) -> None:
        """Prepare the other judge."""
        self._judge.prepare()

    def close(self) -> None:
        """Close the other judge."""
        self._judge.close()

    def order(self, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
        """Yield one verdict per case, in the order of the cases."""
        identity = self.identity
        cases = self._checked(cases)
        looked_up = ((case, key, self._recall(case, key)) for case, key in self._keyed(cases))
        mine, others = tee(looked_up)
        asked = self._ask(case for case, _, known in others if known is None)
        for _, key, known in mine:
            if known is None:
                verdict, is_new = next(asked)
                if is_new:
                    self._store.verdicts.put(key, identity.name, _to_record(verdict))
                yield verdict
            else:
                yield known

    def _checked(self, cases: Iterable[Case]) -> Iterable[Case]:
        """Return the cases, after it was found out whether their kept verdicts can be used.

        For this they are read up to those that the judge is asked again.
        """
        check = self._check
        if check is None or check.is_done:
            return cases
        waiting = iter(cases)
        read: list[Case] = []
        kept: list[Kept] = []
        for case in waiting:
            read.append(case)
            ((_, key),) = self._keyed([case])
            if (order := self._recall(case, key)) is not None:
                kept.append((case, order))
            if self._fresh or len(kept) >= max(1, check.canaries):
                break
        if read and not check.confirms(kept):
            self._fresh = True
        return chain(read, waiting)

    def _keyed(self, cases: Iterable[Case]) -> Iterator[tuple[Case, str]]:
        who, epoch = self.identity, self._check.epoch if self._check else ""
        for case in cases:
            yield case, verdict_key(who, case.question, case.texts, epoch)

    def _recall(self, case: Case, key: str) -> Order | None:
        kept = None if self._fresh else self._store.verdicts.get(key)
        if kept is None:
            return None
        order = Order(kept.tiers, kept.exchanges, kept.agreed, kept.readings)
        return None if find_fault(case, order) else order

    def _ask(self, cases: Iterable[Case]) -> Iterator[tuple[Order | NoOrder, bool]]:
        """Yield the judge's verdicts, then, without end, the reason why there are no more."""
        reason = f"judge {self.identity.name!r} gave no verdict"
        try:
            for verdict in self._judge.order(cases):
                yield verdict, True
        except JudgeError as exc:
            reason = str(exc) or reason
        while True:
            yield NoOrder(reason), False


def _to_record(verdict: Order | NoOrder) -> JudgeVerdict:
    if isinstance(verdict, NoOrder):
        return JudgeVerdict((), verdict.reason, verdict.exchanges)
    return JudgeVerdict(verdict.tiers, "", verdict.exchanges, verdict.agreed, verdict.readings)
