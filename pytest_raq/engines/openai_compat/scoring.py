"""The likelihood of texts for a model behind a server, where it tells that at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_raq.engines.openai_compat.connection import Request
from pytest_raq.engines.openai_compat.failures import Problem
from pytest_raq.engines.openai_compat.prompt_logprobs import lead_of, likelihood, ways_of
from pytest_raq.records import Failure, Likelihood, Scores
from pytest_raq.records.likelihood import UNAVAILABLE
from pytest_raq.text import one_line

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from pytest_raq.engines.openai_compat.connection import Connection, Result
    from pytest_raq.engines.openai_compat.parameters import Parameters
    from pytest_raq.engines.openai_compat.prompt_logprobs import Way
    from pytest_raq.records import Prompt, ScoreOutcome, ScorePrompt

_REFUSED = frozenset({400, 404, 405, 422, 501})
"""What a server answers that does not know a way; another failure says nothing of it."""

Job = tuple["ScorePrompt", str]


class ServerScorer:
    """Asks a server for the probabilities of texts, in the way that it was found to know."""

    def __init__(
        self, connection: Connection, parameters: Parameters, *, model: str, parallel: int
    ) -> None:
        self._connection, self._parameters = connection, parameters
        self._model, self._parallel = model, parallel
        self._ways: dict[bool, Way | None] = {}
        """The way for chats, and for other prompts; None where there is none."""

    def scores(self, prompts: Sequence[ScorePrompt]) -> Iterator[ScoreOutcome]:
        """Yield what is known of each prompt; the requests of a prompt fly together."""
        for asked in prompts:
            yield self._score(asked)

    def _score(self, asked: ScorePrompt) -> ScoreOutcome:
        texts: dict[str, Likelihood] = {}
        problems: dict[str, str] = {text: "empty" for text in asked.continuations if not text}
        waiting = deque(text for text in dict.fromkeys(asked.continuations) if text)
        if waiting and asked.prompt.chat not in self._ways:
            found = self._find_way(asked, waiting[0])
            if isinstance(found, Problem):
                return self._failure(asked, found.reason)
        way = self._ways.get(asked.prompt.chat)
        if way is None:
            return self._failure(asked, UNAVAILABLE)
        flying: dict[Hashable, str] = {}
        while waiting or flying:
            while waiting and len(flying) < self._parallel:
                text = waiting.popleft()
                flying[text] = text
                self._send(way, asked.prompt, text)
            ticket, result = self._connection.take()
            text = flying.pop(ticket)
            if isinstance(result, Problem):
                if flying:
                    self._connection.cancel()
                return self._failure(asked, result.reason)
            score = _read(way, asked.prompt, text, result)
            if score is None:
                problems[text] = "the server's tokens do not spell it"
            else:
                texts[text] = score
        return Scores(asked.question_id, self._model, texts, problems)

    def _find_way(self, asked: ScorePrompt, text: str) -> Problem | None:
        """Try what is known; return a problem that says nothing of what the server can do."""
        problem: Problem | None = None
        replied = False
        for way in ways_of(asked.prompt):
            self._send(way, asked.prompt, text)
            _, result = self._connection.take()
            if isinstance(result, Problem):
                problem = problem or (result if result.status not in _REFUSED else None)
                continue
            replied = True
            if _read(way, asked.prompt, text, result) is not None:
                self._ways[asked.prompt.chat] = way
                return None
        if problem is not None and not replied:
            return problem
        self._ways[asked.prompt.chat] = None  # it does reply, but never with probabilities
        return None

    def _send(self, way: Way, prompt: Prompt, text: str) -> None:
        body = self._parameters.write(way.body(prompt, text))
        self._connection.start(text, Request(way.path, body, keeps_body=True))

    def _failure(self, asked: ScorePrompt, reason: str) -> Failure:
        return Failure(asked.question_id, self._model, one_line(reason, 2_000))


def _read(way: Way, prompt: Prompt, text: str, result: Result) -> Likelihood | None:
    body: Any = None if isinstance(result, Problem) else result.body
    tokens = way.read(body) if isinstance(body, Mapping) else []
    return likelihood(tokens, text, lead_of(prompt)) if tokens else None
