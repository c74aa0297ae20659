"""A contestant behind an OpenAI-compatible server, streamed, so that it can be timed."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.engines.openai_compat.connection import Connection, Parameters, Request
from pytest_raq.engines.openai_compat.cut_prompts import CutPrompts
from pytest_raq.engines.openai_compat.failures import Problem
from pytest_raq.engines.openai_compat.reasoning import (
    reasoning_times,
    stops,
    tell_refused,
    token_limit,
    variables,
)
from pytest_raq.engines.openai_compat.scoring import ServerScorer
from pytest_raq.engines.openai_compat.server import find_server
from pytest_raq.engines.protocol import Closing
from pytest_raq.errors import EngineStartError
from pytest_raq.records import Answer, EngineInfo, Failure, FinishReason, Timing
from pytest_raq.records.answers import answer_from_reply
from pytest_raq.records.reasoning import opens_reasoning
from pytest_raq.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines.openai_compat.completions import Completion
    from pytest_raq.engines.openai_compat.connection import Result
    from pytest_raq.records import Outcome, Prompt, ScoreOutcome, ScorePrompt, Scores

DEFAULT_PARALLEL = 4
"""Requests in flight: what a small server of one's own still takes without a queue."""

_ONE_PACKET = 0.0002
"""Seconds; pieces that come so close together came in one packet: they show no speed."""

_REFUSED = {400, 413, 422}
"""HTTP states of a request that this one question cannot be: too long, or not allowed."""

_FINISHED = {"stop": FinishReason.STOP, "eos": FinishReason.STOP, "length": FinishReason.LENGTH}

_CALLS = frozenset(("tool_calls", "function_call"))


class OpenAIEngine(Closing):
    """One model of a server, asked ``parallel`` questions at a time.

    Chat prompts go to ``/chat/completions``, where the server applies its own
    template, plain ones to ``/completions`` as they are. EngineStartError when
    the key is not set, or the server cannot be reached or refuses the key.
    """

    block_questions = 1

    def __init__(self, definition: ModelDefinition) -> None:
        self._definition = definition
        self._parallel = definition.parallel or DEFAULT_PARALLEL
        self._parameters = Parameters(greedy=definition.temperature == 0)
        self._ended = ""
        self._cut_prompts = CutPrompts()
        server = find_server(definition)
        self._connection = Connection(server, self._parallel)
        if problem := self._connection.find_problem():
            self._connection.close()
            raise EngineStartError(problem.reason)
        self.info = EngineInfo(engine="openai", build="")
        self._scorer = ServerScorer(
            self._connection, self._parameters, model=definition.name, parallel=self._parallel
        )

    def answers(self, prompts: Sequence[Prompt]) -> Iterator[Outcome]:
        """Yield outcomes as they come; what is in flight is given up when nobody reads on."""
        waiting = deque(prompts)
        flying: dict[int, tuple[Prompt, dict[str, object]]] = {}
        ticket = 0
        try:
            while waiting or flying:
                while waiting and len(flying) < self._parallel and not self._ended:
                    ticket += 1
                    flying[ticket] = self._send(ticket, waiting.popleft())
                if self._is_closed:  # what was in flight is lost
                    waiting.extend(prompt for prompt, _ in flying.values())
                    flying.clear()
                if not flying:
                    yield self._failure(waiting.popleft(), f"not asked, because {self._ended}")
                    continue
                done, result = self._connection.take()
                assert isinstance(done, int)
                prompt, body = flying.pop(done)
                if isinstance(result, Problem) and self._parameters.learn(result, body):
                    waiting.appendleft(prompt)
                else:
                    yield self._read(prompt, result)
        finally:
            if flying and not self._is_closed:
                self._connection.cancel()

    def answers_and_scores(self, prompts: Sequence[Prompt]) -> Iterator[Outcome | Scores]:
        """Yield answers alone: a server reads the prompt again for scores."""
        return self.answers(prompts)

    def scores(self, prompts: Sequence[ScorePrompt]) -> Iterator[ScoreOutcome]:
        """Yield how likely texts are, where the server tells probabilities of a prompt."""
        for asked in prompts:
            if self._ended:
                reason = f"not asked, because {self._ended}"
                yield Failure(asked.question_id, self._definition.name, one_line(reason, 2_000))
            else:
                yield from self._scorer.scores([asked])

    def _send(self, ticket: int, prompt: Prompt) -> tuple[Prompt, dict[str, object]]:
        body = self._parameters.write(self._body(prompt))
        path = "/chat/completions" if prompt.chat else "/completions"
        self._connection.start(ticket, Request(path, body, stream=True))
        return prompt, body

    def _body(self, prompt: Prompt) -> dict[str, object]:
        definition = self._definition
        said: dict[str, object] = {"prompt": _encodable(prompt.text)}
        if prompt.chat:
            said = {
                "messages": [
                    {"role": message.role, "content": _encodable(message.content)}
                    for message in prompt.conversation
                ]
            }
        return {
            **said,
            "max_tokens": token_limit(definition, prompt),
            "temperature": definition.temperature,
            "seed": definition.seed,
            "stream_options": {"include_usage": True},
            **stops(definition),
            **variables(definition, prompt),
        }

    def _read(self, prompt: Prompt, result: Result) -> Outcome:
        if isinstance(result, Problem):
            if result.is_final:
                self._ended = self._ended or result.reason
            is_refused = (
                result.status in _REFUSED
                and not result.is_final
                and not tell_refused(result, self._definition)
            )
            return self._failure(
                prompt, self._tell(result, prompt), is_infrastructure=not is_refused
            )
        reason = _FINISHED.get(result.finish_reason)
        if result.finish_reason in _CALLS:
            return self._failure(
                prompt,
                f"answered with a tool call (finish_reason {result.finish_reason!r}), not with a"
                " text: start the server without tools",
            )
        if reason is None:
            said = one_line(repr(result.finish_reason), 80)
            withheld = f"the server withheld the answer (finish_reason {said})"
            return self._failure(prompt, withheld, is_infrastructure=False)
        if self._cut_prompts.is_cut(_length(prompt), result.prompt_tokens):
            return self._failure(
                prompt,
                f"the server cut the prompt: it counts {result.prompt_tokens:,} tokens for prompts"
                " of unlike length: raise its context length (num_ctx of Ollama)",
            )
        return self._answer(prompt, result, reason)

    def _answer(self, prompt: Prompt, result: Completion, reason: FinishReason) -> Answer:
        definition, timing = self._definition, _timing(result)
        if definition.reasoning == "keep":
            text = _until_stop(result.text, definition.stop).strip()
            return Answer(
                prompt.question_id, definition.name, text, reason, timing, result.reasoning.strip()
            )
        found = answer_from_reply(
            prompt.question_id,
            definition.name,
            result.text,
            reason,
            timing,
            opened=not prompt.chat and opens_reasoning(definition.templates[-1]),
            apart=result.reasoning,
        )
        text = _until_stop(found.text, definition.stop).strip()
        if not found.reasoning:
            return replace(found, text=text)
        tokens, seconds, first = reasoning_times(result, found.text)
        timed = replace(
            timing, reasoning_tokens=tokens, reasoning_seconds=seconds, time_to_first_answer=first
        )
        return replace(found, text=text, timing=timed)

    def _tell(self, problem: Problem, prompt: Prompt) -> str:
        if told := tell_refused(problem, self._definition):
            return told
        if problem.status == 404 and not prompt.chat:
            return f'{problem.reason}; a server without /completions needs prompt = "chat"'
        return problem.reason

    def _failure(self, prompt: Prompt, reason: str, *, is_infrastructure: bool = True) -> Failure:
        told = one_line(reason, 2_000)
        return Failure(prompt.question_id, self._definition.name, told, is_infrastructure)

    @property
    def _is_closed(self) -> bool:
        return self._ended == _CLOSED

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        self._ended = _CLOSED
        self._connection.close()


_CLOSED = "the engine is closed"


def _length(prompt: Prompt) -> int:
    if not prompt.chat:
        return len(prompt.text)
    return sum(len(message.content) for message in prompt.conversation)


def _encodable(text: str) -> str:
    """Return a text without halves of surrogate pairs, which no request can hold."""
    return text.encode("utf-8", "replace").decode()


def _until_stop(text: str, stops: Sequence[str]) -> str:
    """Return a text up to the first stop string, which some servers leave in."""
    ends = [at for at in map(text.find, stops) if at >= 0]
    return text[: min(ends)] if ends else text


def _timing(done: Completion) -> Timing:
    """Return what can be measured from here: the way to the server is a part of each time."""
    decoding = done.last_seconds - done.first_seconds
    return Timing(
        prompt_tokens=done.prompt_tokens,
        prefilled_tokens=max(0, done.prompt_tokens - done.cached_tokens),
        generated_tokens=done.completion_tokens or done.pieces,
        time_to_first_token=done.first_seconds or done.total_seconds,
        prefill_seconds=done.first_seconds,
        decode_seconds=decoding if decoding > _ONE_PACKET else 0.0,
        total_seconds=done.total_seconds,
        is_estimate=not done.completion_tokens and done.pieces > 0,
    )
