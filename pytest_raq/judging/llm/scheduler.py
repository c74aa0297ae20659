"""Requests to a judge: several at a time, in order, within its budget."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pytest_raq.errors import JudgeError
from pytest_raq.judging.llm.case_ranking import CaseRanking
from pytest_raq.judging.protocol import Spending

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_raq.config import JudgeSettings
    from pytest_raq.judging.llm.backend import JudgeReply, JudgeRequest, LlmBackend
    from pytest_raq.judging.llm.case_ranking import PromptOrder
    from pytest_raq.judging.protocol import Case, NoOrder, Order


MOST_FAILURES = 5
"""Requests that fail in a row, each after all its retries, before the judge stops."""

_STARTED = 2
"""Requests started for each that may run at once: the next is ready when one ends."""
_AHEAD = 4
"""Cases read for each request that may run at once: a slow case does not delay the others."""

_CHARACTERS_OF_A_TOKEN = 3
"""A low figure: unknown costs are estimated too high rather than too low."""
_MILLION = 1_000_000


class RequestScheduler:
    """Judges cases in order, within a budget; the asker limits the ``concurrency``.

    Verdicts come in the order of the cases. JudgeError is raised when no further
    case can be decided; requests already started still give their verdicts.
    """

    def __init__(
        self,
        asker: LlmBackend,
        budget: Budget,
        settings: JudgeSettings,
        *,
        seed: int,
        least_room: int,
    ) -> None:
        self._asker, self._budget, self._settings = asker, budget, settings
        self._seed, self._least_room = seed, least_room
        self._hearings: deque[CaseRanking] = deque()
        self._ready: deque[tuple[CaseRanking, PromptOrder]] = deque()
        self._flying: dict[int, tuple[CaseRanking, PromptOrder, JudgeRequest]] = {}
        self._tickets = 0
        self._failures = 0
        self._end = ""

    def verdicts(self, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
        """Yield one verdict per case; leaving early cancels the requests in flight."""
        source = iter(cases)
        try:
            while True:
                self._fill(source)
                if not self._hearings:
                    break
                if self._hearings[0].is_done:
                    yield self._hearings.popleft().verdict()
                else:
                    self._take()
            if self._end:
                raise JudgeError(self._end)
        finally:
            if self._flying:
                self._asker.cancel()
                self._budget.forget()

    def _fill(self, source: Iterator[Case]) -> None:
        """Send what may be sent; read cases as long as more requests may be started."""
        while len(self._flying) < _STARTED * self._settings.concurrency:
            if not self._ready and not self._read_case(source):
                return
            if self._ready and not self._send():
                return

    def _read_case(self, source: Iterator[Case]) -> bool:
        """Start with the next case; False when no case can be read now."""
        if self._end or len(self._hearings) >= _AHEAD * self._settings.concurrency:
            return False
        case = next(source, None)
        if case is None:
            return False
        hearing = CaseRanking(case, self._settings, seed=self._seed, least_room=self._least_room)
        self._hearings.append(hearing)
        self._ready.extend((hearing, reading) for reading in hearing.readings)
        return True

    def _send(self) -> bool:
        """Send the next request; False if the budget does not allow it yet, or not at all."""
        hearing, reading = self._ready[0]
        if hearing.is_done:  # its other order is missing: this one cannot be used
            self._ready.popleft()
            return True
        ask = hearing.ask(reading)
        if refusal := self._budget.refuse(ask):
            reading.asked -= 1
            if not self._flying:  # else requests in flight may cost less than estimated
                self._finish(refusal)
            return False
        self._ready.popleft()
        self._tickets += 1
        self._flying[self._tickets] = hearing, reading, ask
        self._budget.start(self._tickets, ask)
        self._asker.start(self._tickets, ask)
        return True

    def _finish(self, reason: str) -> None:
        """Send no further requests."""
        self._end = self._end or reason
        for hearing, _ in self._ready:
            hearing.give_up(reason)
        self._ready.clear()

    def _take(self) -> None:
        ticket, reply = self._asker.take()
        hearing, reading, ask = self._flying.pop(ticket)
        usage = self._budget.settle(ticket, reply)
        self._watch(reply)
        if hearing.hear(reading, ask, reply, usage):
            if self._end:
                hearing.give_up(self._end)
            else:
                self._ready.appendleft((hearing, reading))

    def _watch(self, reply: JudgeReply) -> None:
        """Stop the judge when it cannot be asked any more, or fails repeatedly."""
        self._failures = self._failures + 1 if reply.problem else 0
        if reply.is_final:
            self._finish(reply.problem)
        elif self._failures >= MOST_FAILURES:
            self._finish(f"{self._failures} requests failed in a row: {reply.problem}")


class Budget:
    """Counts what a run spends, requests in flight included, against its limits.

    The cost of a request is estimated from its length until the server has
    counted it, so a limit holds even when many requests are in flight.
    """

    def __init__(self, settings: JudgeSettings, path: object) -> None:
        self._settings, self._path = settings, path
        self._flying: dict[int, tuple[int, int]] = {}
        self._flying_prompt = self._flying_completion = 0
        self._calls = self._prompt = self._completion = 0

    @property
    def spending(self) -> Spending:
        """What was spent so far."""
        priced = self._settings.input_price is not None
        return Spending(
            calls=self._calls,
            prompt_tokens=self._prompt,
            completion_tokens=self._completion,
            cost=self.cost(self._prompt, self._completion),
            currency=self._settings.currency if priced else "",
        )

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Return what tokens cost; 0 without prices."""
        settings = self._settings
        spent = prompt_tokens * (settings.input_price or 0.0)
        return (spent + completion_tokens * (settings.output_price or 0.0)) / _MILLION

    def refuse(self, ask: JudgeRequest) -> str:
        """Return which limit a request would exceed; empty if none."""
        settings = self._settings
        prompt, completion = self._estimate(ask)
        prompt += self._prompt + self._flying_prompt
        completion += self._completion + self._flying_completion
        asked = {
            "max_calls": (settings.max_calls, self._calls + 1),
            "max_tokens": (settings.max_tokens, prompt + completion),
            "max_cost": (settings.max_cost, self.cost(prompt, completion)),
        }
        for name, (limit, amount) in asked.items():
            if limit is not None and amount > limit:
                return (
                    f"budget spent: {name} = {limit} in {self._path}; verdicts so far are kept,"
                    " and the next run continues from there"
                )
        return ""

    def _estimate(self, ask: JudgeRequest) -> tuple[int, int]:
        return len(ask.prompt) // _CHARACTERS_OF_A_TOKEN + 1, ask.max_tokens

    def start(self, ticket: int, ask: JudgeRequest) -> None:
        """Count a request that is sent."""
        self._calls += 1
        self._flying[ticket] = prompt, completion = self._estimate(ask)
        self._flying_prompt += prompt
        self._flying_completion += completion

    def settle(self, ticket: int, reply: JudgeReply) -> dict[str, float]:
        """Count what a request used; return its usage and cost.

        If the server counted nothing, the estimate is used.
        """
        usage, estimate = reply.usage, self._flying.pop(ticket)
        self._flying_prompt -= estimate[0]
        self._flying_completion -= estimate[1]
        if not usage and not reply.problem:
            usage = dict(zip(("prompt_tokens", "completion_tokens"), estimate, strict=True))
        prompt = int(usage.get("prompt_tokens", 0))
        completion = int(usage.get("completion_tokens", 0))
        self._prompt += prompt
        self._completion += completion
        if self._settings.input_price is None:
            return dict(usage)
        return {**usage, "cost": self.cost(prompt, completion)}

    def forget(self) -> None:
        """Forget the requests in flight."""
        self._flying.clear()
        self._flying_prompt = self._flying_completion = 0
