"""The ways in which servers tell how likely the tokens of a prompt are.

Two are known: ``prompt_logprobs`` of vLLM, for texts and for chats, and ``echo``
with ``logprobs`` of OpenAI's first completions, which several servers have. A
server is known by what it replies, never by its name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_raq.records import Likelihood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_raq.records import Prompt

_SLACK = 1e-6
"""Nats by which the log-probability of the likeliest token may differ from itself."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a prompt: its text, log p in nats, and whether it is the likeliest there."""

    text: str
    log_p: float
    is_greedy: bool | None


@dataclass(frozen=True, slots=True)
class Way:
    """How the tokens of a prompt are asked for, and read from a reply.

    ``body`` is made of the prompt and of what follows it; ``read`` returns no
    tokens where the reply has none.
    """

    path: str
    body: Callable[[Prompt, str], dict[str, object]]
    read: Callable[[Mapping[str, Any]], list[Token]]


def lead_of(prompt: Prompt) -> str:
    """Return what stands between a prompt and what follows: a space, unless one is there."""
    return " " if not prompt.chat and prompt.text[-1:].strip() else ""


def ways_of(prompt: Prompt) -> tuple[Way, ...]:
    """Return what can be tried for a prompt."""
    return (_CHAT,) if prompt.chat else (_PROMPT_LOGPROBS, _ECHO)


def likelihood(tokens: Sequence[Token], text: str, lead: str) -> Likelihood | None:
    """Return the likelihood of a text with which the prompt of these tokens ends.

    A token that holds the border counts whole. None where the tokens do not spell the text.
    """
    wanted, spelled, taken = lead + text, "", []
    for token in reversed(tokens):
        if len(spelled) >= len(wanted):
            break
        spelled = token.text + spelled
        taken.append(token)
    if not spelled.endswith(text) or any(math.isnan(token.log_p) for token in taken):
        return None
    known = all(token.is_greedy is not None for token in taken)
    greedy = "".join("01"[bool(token.is_greedy)] for token in reversed(taken)) if known else ""
    log_p = math.fsum(token.log_p for token in taken)
    return Likelihood(log_p, len(taken), len(text.encode("utf-8", "replace")), greedy)


def _prompt_logprobs(choice: Mapping[str, Any]) -> list[Token]:
    """Read vLLM's list: for each token null, or the token's id with what is known of it."""
    found = choice.get("prompt_logprobs")
    return [_vllm_token(entry) for entry in found] if isinstance(found, list) else []


def _vllm_token(entry: object) -> Token:
    # The token of the prompt comes first, after it the likeliest ones that were asked for.
    value = next(iter(entry.values()), None) if isinstance(entry, Mapping) else None
    if not isinstance(value, Mapping):
        return Token("", math.nan, None)
    rank = value.get("rank")
    is_greedy = rank == 1 if isinstance(rank, int) else None
    return Token(str(value.get("decoded_token") or ""), _number(value.get("logprob")), is_greedy)


def _read_completion(reply: Mapping[str, Any]) -> list[Token]:
    return _prompt_logprobs(_choice(reply))


def _read_chat(reply: Mapping[str, Any]) -> list[Token]:
    return _prompt_logprobs(reply) or _prompt_logprobs(_choice(reply))


def _read_echo(reply: Mapping[str, Any]) -> list[Token]:
    """Read the lists of OpenAI's completions; the last token is the one that was generated."""
    table = _choice(reply).get("logprobs")
    if not isinstance(table, Mapping):
        return []
    names = ("tokens", "token_logprobs")
    texts, values = ([*_list(table.get(name))] for name in names)
    best = [_highest(entry) for entry in _list(table.get("top_logprobs"))]
    if len(texts) < 2 or len(values) != len(texts):
        return []
    if len(best) != len(texts):
        best = [math.nan] * len(texts)
    found = [
        Token(str(text), value, None if math.isnan(top) else value >= top - _SLACK)
        for text, value, top in zip(texts, map(_number, values), best, strict=True)
    ]
    usage = reply.get("usage")
    generated = usage.get("completion_tokens") if isinstance(usage, Mapping) else 1
    return found[: len(found) - (generated if isinstance(generated, int) else 1)]


def _list(value: object) -> Iterator[object]:
    return iter(value if isinstance(value, list) else [])


def _choice(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = reply.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _highest(entry: object) -> float:
    values = [_number(value) for value in entry.values()] if isinstance(entry, Mapping) else []
    return max(values, default=math.nan)


def _text(prompt: Prompt, following: str) -> dict[str, object]:
    return {"prompt": _encodable(prompt.text + lead_of(prompt) + following), **_ONE_TOKEN}


def _conversation(prompt: Prompt, following: str) -> dict[str, object]:
    said = [(message.role, message.content) for message in prompt.conversation]
    messages = [
        {"role": role, "content": _encodable(content)}
        for role, content in [*said, ("assistant", following)]
    ]
    return {
        "messages": messages,
        "add_generation_prompt": False,
        "continue_final_message": True,
        **_ONE_TOKEN,
    }


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


_ONE_TOKEN = {"max_tokens": 1, "temperature": 0}
"""Some servers take 0 tokens for as many as there is room for."""

_PROMPT_LOGPROBS = Way(
    "/completions", lambda *given: {**_text(*given), "prompt_logprobs": 0}, _read_completion
)
_ECHO = Way(
    "/completions", lambda *given: {**_text(*given), "echo": True, "logprobs": 1}, _read_echo
)
_CHAT = Way(
    "/chat/completions", lambda *given: {**_conversation(*given), "prompt_logprobs": 0}, _read_chat
)
