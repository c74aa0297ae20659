"""A contestant behind an OpenAI-compatible server, streamed, so that it can be timed."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.engines.openai_compat.connection import Connection, Request
from pytest_raq.engines.openai_compat.cut_prompts import CutPrompts
from pytest_raq.engines.openai_compat.failures import Problem
from pytest_raq.engines.openai_compat.identity import SeenReplies, look_up
from pytest_raq.engines.openai_compat.parameters import sent_for
from pytest_raq.engines.openai_compat.reasoning import (
    reasoning_times,
    stops,
    tell_refused,
    token_limit,
    variables,
)
from pytest_raq.engines.openai_compat.scoring import ServerScorer
from pytest_raq.engines.openai_compat.server import find_server
from pytest_raq.engines.openai_compat.stops import until_stop
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
        self._ended = ""
        self._cut_prompts = CutPrompts()
        self._seen = SeenReplies()
        self._routes: dict[str, str] | None = None
        self._left_out: tuple[str, ...] | None = None
        self._note = ""
        self._server = server = find_server(definition)
        self._connection = Connection(server, self._parallel)
        self._parameters = self._connection.site.parameters(server.model)
        if problem := self._connection.find_problem():
            self._connection.close()
            raise EngineStartError(problem.reason)
        self._scorer = ServerScorer(
            self._connection, self._parameters, model=definition.name, parallel=self._parallel
        )

    @property
    def info(self) -> EngineInfo:
        """What runs the model, and what the server said of itself so far."""
        if self._routes is None:
            self._routes = look_up(self._server)
        identity = {**self._routes, **self._seen.identity}
        return EngineInfo(
            engine="openai", build="", identity=identity, left_out=self._left_out, note=self._note
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
                    self._describe(result)
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

    def _describe(self, result: Result) -> None:
        """Say in ``info`` what a reply has shown of the server."""
        if isinstance(result, Problem):
            return
        site, sent = self._connection.site, sent_for(self._definition)
        self._left_out = tuple(name for name in self._parameters.left_out if name in sent)
        notes = (site.pace.tell("parallel"), site.slots.note if site.pace.limit is None else "")
        self._note = "; ".join(filter(None, notes))

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
        server = definition.openai
        assert server is not None
        effort = {"reasoning_effort": server.reasoning_effort} if server.reasoning_effort else {}
        return {
            **server.extra_body,
            **(effort if prompt.chat else {}),
            **said,
            "max_tokens": token_limit(definition, prompt),
            "temperature": 0.0 if prompt.greedy else definition.temperature,
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
        self._seen.add(result)
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
        return self._answer(prompt, result)

    def _answer(self, prompt: Prompt, result: Completion) -> Answer:
        """Return the answer without its reasoning, cut at the first stop text in the answer."""
        definition = self._definition
        found = self._split(prompt, result)
        start = result.text.rfind(found.text) if found.text else len(result.text)
        kept = until_stop(result, definition.stop, start=max(0, start))
        text = kept.text[max(0, start) :].strip() if start >= 0 else found.text
        timing = _timing(kept)
        if found.reasoning and definition.reasoning != "keep":
            tokens, seconds, first = reasoning_times(result, found.text)
            timing = replace(
                timing,
                reasoning_tokens=tokens,
                reasoning_seconds=seconds,
                time_to_first_answer=first,
            )
        reason = found.finish_reason if kept is result else FinishReason.STOP
        return replace(found, text=text, timing=timing, finish_reason=reason)

    def _split(self, prompt: Prompt, result: Completion) -> Answer:
        """Return the reply as an answer with its reasoning apart."""
        definition, reason = self._definition, _FINISHED[result.finish_reason]
        if definition.reasoning == "keep":
            apart = result.reasoning.strip()
            text = result.text.strip()
            return Answer(prompt.question_id, definition.name, text, reason, Timing(), apart)
        return answer_from_reply(
            prompt.question_id,
            definition.name,
            result.text,
            reason,
            Timing(),
            opened=not prompt.chat and opens_reasoning(definition.templates[-1]),
            apart=result.reasoning,
        )

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
        is_estimate=done.is_estimate or (not done.completion_tokens and done.pieces > 0),
    )
