"""The reasoning of models behind servers: how it is asked for, and how long it took."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines.openai_compat.completions import Completion
    from pytest_raq.engines.openai_compat.failures import Problem
    from pytest_raq.records import Prompt

VARIABLES = "chat_template_kwargs"
"""How vLLM, SGLang and llama-server take variables of a chat template."""


def variables(definition: ModelDefinition, prompt: Prompt) -> dict[str, object]:
    """Return the part of a request that sets variables of the chat template; mostly nothing."""
    return template_body(definition) if prompt.chat else {}


def template_body(definition: ModelDefinition) -> dict[str, object]:
    """Return the same for a chat."""
    given = definition.template_variables
    return {VARIABLES: given} if given else {}


def token_limit(definition: ModelDefinition, prompt: Prompt) -> int:
    """Return how many tokens a reply may have, reasoning included."""
    return (prompt.max_tokens or definition.max_tokens) + (definition.max_reasoning_tokens or 0)


def stops(definition: ModelDefinition) -> dict[str, object]:
    """Return the stop strings to be sent.

    A server also stops inside the reasoning. So a model with room for reasoning is stopped here.
    """
    is_sent = definition.stop and definition.max_reasoning_tokens is None
    return {"stop": list(definition.stop)} if is_sent else {}


def tell_refused(problem: Problem, definition: ModelDefinition) -> str:
    """Return what to do where a server takes no variables of a template; empty if it is not so."""
    if not (definition.template_variables and problem.refuses(VARIABLES)):
        return ""
    keys = ['reasoning = "off"'] if definition.reasoning == "off" else []
    keys += ["[template]"] if definition.template else []
    return (
        f"{problem.reason}: the server takes no variables of a chat template; remove"
        f" {' and '.join(keys)} from {definition.path}"
    )


def reasoning_times(done: Completion, answer: str) -> tuple[int, float, float]:
    """Return tokens and seconds of the reasoning, and seconds until the answer began.

    ``answer`` is the answer that was found in the reply. 0 stands for what is not known. Without
    a count of the server the tokens are the share of the pieces.
    """
    first, before = _first_piece(done, answer)
    tokens = done.reasoning_tokens
    if not tokens and done.pieces:
        whole = done.completion_tokens or done.pieces
        tokens = round(whole * before / done.pieces)
    if done.pieces < 2:
        return tokens, 0.0, 0.0
    until = first or done.last_seconds
    return tokens, max(0.0, until - done.first_seconds), first


def _first_piece(done: Completion, answer: str) -> tuple[float, int]:
    """Return when the first piece of the answer came, and how many came before it."""
    at = done.text.rfind(answer) if answer else -1
    if at < 0:
        return 0.0, done.pieces
    ends = [end for end, _, _ in done.parts]
    place = bisect_right(ends, at)
    if place == len(ends):
        return 0.0, done.pieces
    _, seconds, before = done.parts[place]
    return seconds, before
