"""Servers that refuse parameters, in the words of real ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openai_server import Response

if TYPE_CHECKING:
    from collections.abc import Callable


def _openai(message: str, code: str) -> Callable[[str], Response]:
    def words(name: str) -> Response:
        said = {"message": message.format(name), "type": "invalid_request_error"}
        return Response({"error": {**said, "param": name, "code": code}}, 400)

    return words


def _azure(name: str) -> Response:
    message = f"Unrecognized request argument supplied: {name}"
    said = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return Response({"error": said}, 400)


def _vllm(name: str) -> Response:
    message = (
        f"[{{'type': 'extra_forbidden', 'loc': ('body', '{name}'), 'msg': 'Extra inputs are not"
        " permitted', 'input': 0}]"
    )
    said = {"object": "error", "message": message, "type": "BadRequestError", "code": 400}
    return Response({**said, "param": None}, 400)


def _mistral(name: str) -> Response:
    detail = {
        "type": "extra_forbidden",
        "loc": ["body", name],
        "msg": "Extra inputs are not permitted",
        "input": {"temperature": 0, "seed": 0, "stop": ["x"], "top_k": 1},  # the whole request
    }
    said = {"object": "error", "message": {"detail": [detail]}, "type": "invalid_request_error"}
    return Response({**said, "param": None, "code": None}, 422)


def _fastapi(name: str) -> Response:
    detail = {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs …"}
    return Response({"detail": [detail]}, 422)


def _anthropic(name: str) -> Response:
    message = f"`{name}` is deprecated for this model."
    said = {"type": "invalid_request_error", "message": message}
    return Response({"type": "error", "error": said}, 400)


def _llama_cpp(name: str) -> Response:
    said = {"code": 400, "message": f"Unsupported param: {name}", "type": "invalid_request_error"}
    return Response({"error": said}, 400)


def _openrouter(name: str) -> Response:
    raw = json.dumps({"error": {"message": f"{name} is not supported with this model"}})
    said = {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw}}
    return Response({"error": said}, 400)


def _tgi(name: str) -> Response:
    message = f"Input validation error: `{name}` must be strictly positive"
    return Response({"error": message, "error_type": "validation"}, 422)


def _in_a_reply(name: str) -> Response:
    """Return an error that comes with HTTP status 200."""
    return Response({"error": {"message": f"unknown field: {name}", "code": 400}})


REFUSALS: dict[str, Callable[[str], Response]] = {
    "OpenAI": _openai(
        "Unsupported parameter: '{}' is not supported with this model.", "unsupported_parameter"
    ),
    "OpenAI, of a value": _openai(
        "Unsupported value: '{}' does not support 0 with this model. Only the default (1) value is"
        " supported.",
        "unsupported_value",
    ),
    "OpenAI, in few words": _openai("Unsupported parameter", "unsupported_parameter"),
    "Azure": _azure,
    "vLLM": _vllm,
    "Mistral": _mistral,
    "FastAPI": _fastapi,
    "Anthropic": _anthropic,
    "llama.cpp": _llama_cpp,
    "OpenRouter": _openrouter,
    "text-generation-inference": _tgi,
    "with status 200": _in_a_reply,
}
"""How servers word that they do not take a parameter, by the server whose words they are."""


def refusing(
    words: Callable[[str], Response],
    names: tuple[str, ...],
    reply: Callable[[dict[str, Any]], Response],
) -> Callable[[dict[str, Any]], Response]:
    """Return what replies, but refuses requests with one of the parameters, one at a time."""

    def answer(request: dict[str, Any]) -> Response:
        refused = next((name for name in names if name in request), None)
        return reply(request) if refused is None else words(refused)

    return answer
