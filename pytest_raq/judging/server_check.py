"""Whether a judge behind a server is still who gave its kept verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.answering.canaries import ask_canaries, is_beyond
from pytest_raq.answering.server_memory import ServerMemory, next_epoch
from pytest_raq.errors import JudgeError
from pytest_raq.judging.protocol import Order
from pytest_raq.records import Answer, Failure, FinishReason, KnownServer, Timing
from pytest_raq.records.server_identity import (
    FINGERPRINT,
    changed_fields,
    changes_text,
    merged,
    says_who,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_raq.answering.canaries import Canaries
    from pytest_raq.config import ModelDefinition
    from pytest_raq.judging.llm.judge import LlmJudge
    from pytest_raq.judging.protocol import Case
    from pytest_raq.records import Outcome
    from pytest_raq.store import Store

Kept = tuple["Case", Order]
"""A case with its kept verdict."""

_MOVING = (FINGERPRINT,)
"""Not counted for a judge: replicas and starts change it, and its kept verdicts cost money. What
it tells, canary cases tell too."""


class JudgeServerCheck:
    """Finds out once in a run who judges, before kept verdicts are used.

    ``note`` is what a reader should know; empty if nothing.
    """

    def __init__(self, judge: LlmJudge, server: ModelDefinition, store: Store) -> None:
        self._judge, self._server = judge, server
        self._memory = ServerMemory(server, store, "judge server")
        self._is_usable: bool | None = None
        self.note = ""

    @property
    def epoch(self) -> str:
        """The epoch of new verdicts."""
        return self._memory.known.epoch

    @property
    def canaries(self) -> int:
        """How many kept cases are judged again."""
        return self._server.canaries

    @property
    def is_done(self) -> bool:
        """Whether it is known who judges."""
        return self._is_usable is not None

    def confirms(self, kept: Sequence[Kept]) -> bool:
        """Return whether kept verdicts can be used; some of them are given at the first call."""
        if self._is_usable is None:
            try:
                self._judge.prepare()
                self._is_usable = self._find(kept)
            except JudgeError:  # it is told with each case that is not judged
                self._is_usable = False
        return self._is_usable

    def _find(self, kept: Sequence[Kept]) -> bool:
        memory, known = self._memory, self._memory.known
        before = without(known.identity, _MOVING)
        changes = changed_fields(before, self._judge.served)
        told = changes_text(changes) if changes else ""
        compared = 0
        if kept and not changes:
            canaries = self._ask_again(kept)
            compared = canaries.compared
            if self._is_beyond(canaries):
                told = (
                    f"model changed: {canaries.differ} of {compared} cases that were judged again"
                    " have another order than the kept one"
                )
        now = self._judge.served
        if told:
            evidence = [sorted(without(now, _MOVING).items()), told]
            memory.keep(KnownServer(dict(now), next_epoch(known, evidence)))
            if kept:
                self.note = f"{told}: its kept verdicts are not used, and it judges again"
            return True  # those of the new epoch
        asked = self._server.openai.model if self._server.openai else ""
        if kept and not compared and not says_who(before, now, asked):
            self.note = (
                "nothing can be found out about who judges: the server says nothing of itself"
                " that could be compared, and no kept case could be judged again: its kept"
                " verdicts are not used, and it judges again"
            )
            return False
        memory.keep(replace(known, identity=merged(known.identity, now)))
        return True

    def _ask_again(self, kept: Sequence[Kept]) -> Canaries:
        cases = {str(number): case for number, (case, _) in enumerate(kept)}
        known = {str(number): _text(order) for number, (_, order) in enumerate(kept)}
        return ask_canaries(known, self.canaries, lambda names: self._judged(cases, names), None)

    def _judged(self, cases: Mapping[str, Case], names: Sequence[str]) -> Iterator[Outcome]:
        found = self._judge.order([cases[name] for name in names])
        for name, verdict in zip(names, found, strict=True):
            if isinstance(verdict, Order):
                text = _text(verdict)
                yield Answer(name, self._server.name, text, FinishReason.STOP, Timing())
            else:
                yield Failure(name, self._server.name, verdict.reason)

    def _is_beyond(self, canaries: Canaries) -> bool:
        """Whether orders differ by more than chance: of a sampled judge, most must differ."""
        if self._server.temperature > 0:
            return canaries.steady > canaries.compared / 2
        return is_beyond(canaries, None)


def _text(order: Order) -> str:
    return repr([sorted(tier) for tier in order.tiers])
