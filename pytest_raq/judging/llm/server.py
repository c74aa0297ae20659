"""Asks an LLM on a server, in the strictest form of reply that the server supports."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING

from pytest_raq.engines.openai_compat import Completion, Connection, Problem, Request, find_server
from pytest_raq.engines.openai_compat.identity import SeenReplies, look_up
from pytest_raq.engines.openai_compat.parameters import NEEDED, sent_for, tell_left_out
from pytest_raq.engines.openai_compat.reasoning import template_body
from pytest_raq.errors import EngineError, JudgeError
from pytest_raq.judging.llm.backend import JudgeReply
from pytest_raq.judging.llm.prompt import label
from pytest_raq.judging.llm.replies import read_reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines.openai_compat.connection import Result
    from pytest_raq.engines.openai_compat.pace import Site
    from pytest_raq.engines.openai_compat.parameters import Parameters
    from pytest_raq.judging.llm.backend import JudgeRequest


_TOOL = "rank"

_PATH = "/chat/completions"

_NEEDED = NEEDED | {"response_format", "tools", "tool_choice"}
"""What is never left out: a server that refuses a form is asked in the next one."""


class Form(Enum):
    """Forms of request, in the order in which they are tried; servers support some of them."""

    JSON_SCHEMA = "a JSON schema as response format"
    JSON_OBJECT = "a JSON object with a schema as response format"
    TOOL = "a tool call"
    PLAIN = "plain JSON"

    def constrain(self, schema: str) -> dict[str, object]:
        """Return what a request needs apart from the prompt."""
        table = json.loads(schema)
        if self is Form.JSON_SCHEMA:
            named = {"name": _TOOL, "schema": table, "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        if self is Form.JSON_OBJECT:
            return {"response_format": {"type": "json_object", "schema": table}}
        if self is Form.TOOL:
            function = {"name": _TOOL, "parameters": table, "description": "Rank the answers."}
            return {
                "tools": [{"type": "function", "function": function}],
                "tool_choice": {"type": "function", "function": {"name": _TOOL}},
            }
        return {}

    def text(self, completion: Completion) -> str:
        """Return the part of a completion that holds the JSON."""
        return (self is Form.TOOL and completion.arguments) or completion.text


class ServerBackend:
    """Sends each request as one chat message, in the strictest form the server supports."""

    def __init__(self, definition: ModelDefinition) -> None:
        self._definition = definition
        self._form = Form.PLAIN
        self._opened: Connection | None = None
        self._known: tuple[Site, Parameters] | None = None
        self._flying: dict[int, tuple[JudgeRequest, dict[str, object]]] = {}
        self._seen = SeenReplies()
        self._routes: dict[str, str] | None = None

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is not sent, because the server refuses it; nothing before it was asked."""
        if self._known is None:
            return ()
        sent = sent_for(self._definition) - {"stop", "stream_options"}
        return tuple(name for name in self._known[1].left_out if name in sent)

    @property
    def note(self) -> str:
        """What the server does not take, and what that means for rankings."""
        if self._known is None:
            return ""
        temperature = self._definition.temperature
        notes = (
            tell_left_out(self.left_out, temperature=temperature, subject="rankings"),
            self._known[0].pace.tell("concurrency"),
        )
        return "; ".join(filter(None, notes))

    @property
    def served(self) -> dict[str, str]:
        """What the routes of the server and its replies so far say of it."""
        if self._routes is None:
            self._routes = look_up(find_server(self._definition))
        return {**self._routes, **self._seen.identity}

    def _connection(self) -> Connection:
        if self._opened is None:
            try:
                server = find_server(self._definition)
                self._opened = Connection(server, self._definition.judge.concurrency)
                self._known = self._opened.site, self._opened.site.parameters(server.model)
            except EngineError as exc:
                raise JudgeError(str(exc)) from exc
        return self._opened

    def prepare(self, trial: JudgeRequest) -> list[JudgeReply]:
        """Find the form; raise JudgeError when the server cannot be asked at all.

        The first form with a readable reply to the trial is used, otherwise the first
        one that the server accepted: the model may still not follow the form.
        """
        replies: list[JudgeReply] = []
        accepted: Form | None = None
        for form in Form:
            self._form = form
            replies += self._try(trial)
            if replies[-1].problem:
                continue
            accepted = accepted or form
            if _can_be_read(replies[-1].text):
                return replies
        if accepted is None:
            raise JudgeError(replies[-1].problem)
        if all(reply.is_cut or reply.problem for reply in replies):
            raise JudgeError(
                f"its reply was cut after {trial.max_tokens} tokens: raise max_tokens in"
                f" {self._definition.path}; a model that reasons needs some thousands"
            )
        self._form = accepted
        return replies

    def _try(self, trial: JudgeRequest) -> Iterator[JudgeReply]:
        """Yield the replies to the trial in a form; JudgeError if the form is not the cause.

        Some servers fail on a form that they do not support, so there are few retries.
        """
        retries: int | None = 0
        while True:
            connection, body = self._connection(), self._body(trial)
            connection.start(0, Request(_PATH, body, retries=retries))
            _, result = connection.take()
            yield self._reply(result)
            if not isinstance(result, Problem):
                return
            if self._learn(result, body):
                continue
            if not _is_hopeless(result):
                return
            if result.is_final or result.is_timeout or retries is None:
                raise JudgeError(result.reason)
            retries = None

    def _learn(self, problem: Problem, sent: dict[str, object]) -> bool:
        assert self._known is not None
        return self._known[1].learn(problem, sent, _NEEDED)

    def _body(self, ask: JudgeRequest) -> dict[str, object]:
        """Return a request as the server takes it; there must be a connection."""
        assert self._known is not None
        settings = self._definition.openai
        assert settings is not None
        effort = settings.reasoning_effort
        body = {
            **settings.extra_body,
            **({"reasoning_effort": effort} if effort else {}),
            "messages": [{"role": "user", "content": ask.prompt}],
            "temperature": self._definition.temperature,
            "seed": ask.seed,
            "max_tokens": ask.max_tokens,
            **template_body(self._definition),
            **self._form.constrain(ask.schema),
        }
        return self._known[1].write(body, _NEEDED)

    def _reply(self, result: Result) -> JudgeReply:
        if isinstance(result, Problem):
            return JudgeReply(problem=result.reason, is_final=result.is_final)
        self._seen.add(result)
        return JudgeReply(
            self._form.text(result), _usage(result), is_cut=result.finish_reason == "length"
        )

    def start(self, ticket: int, ask: JudgeRequest) -> None:
        """Send a request."""
        connection, body = self._connection(), self._body(ask)
        self._flying[ticket] = ask, body
        connection.start(ticket, Request(_PATH, body))

    def take(self) -> tuple[int, JudgeReply]:
        """Return the next reply; what is refused only now is left out, and sent again."""
        while True:
            ticket, result = self._connection().take()
            assert isinstance(ticket, int)
            ask, body = self._flying.pop(ticket)
            if not (isinstance(result, Problem) and self._learn(result, body)):
                return ticket, self._reply(result)
            self.start(ticket, ask)

    def cancel(self) -> None:
        """Cancel the requests in flight."""
        self._flying.clear()
        self._connection().cancel()

    def close(self) -> None:
        """Close the connections."""
        self._flying.clear()
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _is_hopeless(problem: Problem) -> bool:
    """Whether a problem does not come from the form: server busy, down, or access denied."""
    return problem.is_final or problem.status in {0, 429}


def _can_be_read(text: str) -> bool:
    try:
        read_reply(text, [label(0), label(1)])
    except JudgeError:
        return False
    return True


def _usage(completion: Completion) -> dict[str, float]:
    counts = {
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
    }
    return {name: count for name, count in counts.items() if count}
