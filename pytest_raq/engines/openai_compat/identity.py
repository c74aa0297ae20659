"""What a server says of itself: of its model, its weights and its software.

Nobody knows beforehand which server it is: each route is tried, for a short time.
What counts as identity, and what does not:

- ``model`` and ``system_fingerprint`` of replies count. Replicas may have several of them, so all
  values of a run are kept, and one in common is enough.
- ``root``, ``owned_by`` and ``meta`` (vocabulary, parameters, bytes) of ``/v1/models`` count: they
  are those of the files. ``created`` does not: vLLM, llama-server and others write the time of
  the request or of their own start there, so the same weights have another one each time.
- ``model_path``, ``build_info`` and the chat template of ``/props`` (llama-server) count, as the
  file and the build of llama.cpp do where we run it ourselves. Its slots and samplers do not:
  a request sets what it needs.
- ``/version`` (vLLM) counts: another version may compute another answer.
- ``/api/show`` (Ollama): the digest of the weights, the template and the parameters count;
  ``modified_at`` does not: pulling the same model again changes it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_raq.records.server_identity import (
    DIGEST,
    FINGERPRINT,
    LISTED,
    MOST_VALUES,
    REPLY_MODEL,
    ROOT,
    join_values,
)
from pytest_raq.text import one_line

if TYPE_CHECKING:
    import httpx2

    from pytest_raq.engines.openai_compat.completions import Completion
    from pytest_raq.engines.openai_compat.server import Server

ROUTE_SECONDS = 3.0
"""How long one route may take."""
_ALL_SECONDS = 6.0
"""How long all of them may take."""
_MOST_BYTES = 8 * 2**20
"""A longer reply is not read to its end: what it says of a model fits into less."""
_LONGEST = 200
_SHOWN_HASH = 12
_FROM = re.compile(r"^FROM\s+\S*sha256[-:]([0-9a-f]{64})\s*$", re.MULTILINE)


class SeenReplies:
    """What the replies of a server say of who wrote them."""

    def __init__(self) -> None:
        self._values: dict[str, set[str]] = {}

    def add(self, completion: Completion) -> None:
        """Take what one reply says."""
        told = {REPLY_MODEL: completion.model, FINGERPRINT: completion.fingerprint}
        for name, value in told.items():
            known = self._values.setdefault(name, set())
            if value and len(known) <= MOST_VALUES:
                known.add(_short(value))

    @property
    def identity(self) -> dict[str, str]:
        """What all replies so far say."""
        return {name: join_values(values) for name, values in self._values.items() if values}


def look_up(server: Server) -> dict[str, str]:
    """Return what the routes of a server say of its model; a route that it lacks says nothing.

    The key goes to the address of the definition alone: no redirection is followed.
    """
    base = server.base_url.rstrip("/")
    root = base.removesuffix("/v1")
    routes = (
        (f"{base}/models", None, lambda reply: _listed(reply, server.model)),
        (f"{root}/props", None, _props),
        (f"{root}/version", None, _version),
        (f"{root}/api/show", {"model": server.model}, _show),
    )
    found: dict[str, str] = {}
    deadline = time.monotonic() + _ALL_SECONDS
    with _client(server) as client:
        for url, body, read in routes:
            seconds = min(ROUTE_SECONDS, deadline - time.monotonic())
            reply = _look(client, url, body, seconds) if seconds > 0 else None
            if isinstance(reply, Mapping):
                told = read(reply).items()
                found |= {name: _short(server.hide(value)) for name, value in told if value}
    return found


def _client(server: Server) -> httpx2.Client:
    import httpx2

    secure = server.base_url.startswith("https://")
    return httpx2.Client(
        trust_env=not server.is_local,
        verify=httpx2.create_ssl_context() if secure else False,
        headers={"Authorization": f"Bearer {server.key}"},
    )


def _look(
    client: httpx2.Client, url: str, body: Mapping[str, object] | None, seconds: float
) -> object:
    """Return the JSON of a route; None where there is none, or not in time."""
    import httpx2

    deadline = time.monotonic() + seconds
    content = bytearray()
    method = "GET" if body is None else "POST"
    try:
        with client.stream(method, url, json=body, timeout=seconds) as response:
            if response.status_code != httpx2.codes.OK:
                return None
            for part in response.iter_bytes():
                content += part
                if len(content) > _MOST_BYTES or time.monotonic() > deadline:
                    return None
        found: object = json.loads(content)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError):
        return None
    return found


def _listed(reply: Mapping[str, Any], model: str) -> dict[str, str]:
    rows = reply.get("data")
    rows = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    entry = next((row for row in rows if row.get("id") == model), None)
    if entry is None and len(rows) == 1:  # a server of one model may take any name for it
        entry = rows[0]
    if entry is None:
        return {}
    found = {
        LISTED: _text(entry.get("id")),
        ROOT: _text(entry.get("root")),
        "models.owned_by": _text(entry.get("owned_by")),
    }
    meta = entry.get("meta")
    if isinstance(meta, Mapping):
        found |= {
            f"models.{name}": _text(meta.get(name)) for name in ("n_vocab", "n_params", "size")
        }
    return found


def _props(reply: Mapping[str, Any]) -> dict[str, str]:
    return {
        "props.model_path": _text(reply.get("model_path")),
        "props.build_info": _text(reply.get("build_info")),
        "props.chat_template": _hash(reply.get("chat_template")),
    }


def _version(reply: Mapping[str, Any]) -> dict[str, str]:
    return {"version": _text(reply.get("version"))}


def _show(reply: Mapping[str, Any]) -> dict[str, str]:
    weights = _FROM.search(_text(reply.get("modelfile")))
    digest = _text(reply.get("digest")) or (weights[1] if weights else "")
    details = reply.get("details")
    details = details if isinstance(details, Mapping) else {}
    return {
        DIGEST: digest.removeprefix("sha256:"),
        "show.quantization": _text(details.get("quantization_level")),
        "show.template": _hash(reply.get("template")),
        "show.parameters": _hash(reply.get("parameters")),
    }


def _text(value: object) -> str:
    is_plain = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value) if is_plain else ""


def _hash(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_SHOWN_HASH] if text else ""


def _short(value: str) -> str:
    """Return a value on one line; a long one keeps its difference as a hash."""
    text = one_line(value, _LONGEST).replace("|", "/")
    if len(value) <= _LONGEST:
        return text
    return f"{text} ({_hash(value)})"
