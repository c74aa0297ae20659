"""What a definition may add to each request to a server: keys of the body, headers, a query."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SECRET = re.compile(
    r"auth(?!or\b)|cookie|secret|token|password|credential|(^|[_-])(api)?key$", re.IGNORECASE
)
"""Names of headers and of parts of a query that usually hold a secret."""

_TRANSPORT = frozenset(
    ("host", "connection", "content-length", "content-type", "transfer-encoding", "accept")
)

_OWN: Mapping[str, str] = {
    "model": "is [openai] model",
    "messages": "is made from the question",
    "prompt": "is made from the question",
    "stream": "is set by the engine",
    "stream_options": "is set by the engine",
    "n": "is 1: one answer is read",
    "max_tokens": "is a key of the definition: max_tokens",
    "max_completion_tokens": "is a key of the definition: max_tokens",
    "temperature": "is a key of the definition: temperature",
    "seed": "is a key of the definition: seed",
    "stop": "is a key of the definition: stop",
    "reasoning_effort": "is a key of [openai]: reasoning_effort",
}
"""Keys of a request that the engine writes, and where their values come from."""


def is_variable(name: str) -> bool:
    """Whether a text can be the name of an environment variable."""
    return _VARIABLE.fullmatch(name) is not None


def canonical(body: Mapping[str, object]) -> str:
    """Return JSON that is the same whatever the order of the keys."""
    return json.dumps(body, sort_keys=True, ensure_ascii=False)


def check_body(body: Mapping[str, object]) -> None:
    """Raise ValueError if the engine writes one of the keys itself, or a value is not JSON."""
    for name in body:
        if name in _OWN:
            raise ValueError(f"{name!r} must not be in extra_body: it {_OWN[name]}")
    try:
        json.dumps(body, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"has a value that JSON does not know: {exc}") from exc


def check_headers(headers: Mapping[str, str], *, where: str) -> None:
    """Raise ValueError if a header cannot be sent, or its value should not be in a file.

    No message shows a value: it may be a secret.
    """
    _check_names(headers)
    for name, value in headers.items():
        if _SECRET.search(name):
            raise ValueError(_tell_secret(name, where))
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the value of {name!r} has characters that no header can have")


def check_header_variables(headers: Mapping[str, str]) -> None:
    """Raise ValueError if a header has no possible name, or its value names no variable."""
    _check_names(headers)
    for name, variable in headers.items():
        if not is_variable(variable):
            raise ValueError(
                f"the value of {name!r} is not the name of an environment variable: write that,"
                " not the secret"
            )


def check_query(query: Mapping[str, str]) -> None:
    """Raise ValueError if a part of a query looks like a secret, which logs of servers show."""
    for name in query:
        if _SECRET.search(name):
            raise ValueError(_tell_secret(name, "a query"))


def _check_names(headers: Iterable[str]) -> None:
    for name in headers:
        if not _HEADER.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if name.lower() in _TRANSPORT:
            raise ValueError(f"{name!r} is set by the client: remove it")


def _tell_secret(name: str, where: str) -> str:
    return (
        f"{name!r} looks like a secret, which must not be in {where}: put it into an environment"
        " variable, and name that in headers_env"
    )
