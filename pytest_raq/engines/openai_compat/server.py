"""A server and its key: how they are shown, and how the key is kept secret."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_raq.config.permissions import is_loopback, refuse_key, server_host
from pytest_raq.errors import EngineStartError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_raq.config import ModelDefinition
    from pytest_raq.config.servers import OpenAISettings

_NO_KEY = "none"
"""Sent where a server wants no key: the client does not work without one."""
_SHORTEST_SECRET = 6
_HIDDEN = "[key]"


@dataclass(frozen=True, slots=True, repr=False)
class Server:
    """One model behind one address; no key, password or secret header shows in any text of it.

    ``path`` is the definition, to be named where something is wrong with it.
    ``headers`` and ``query`` are added to each request; ``secrets`` are the values
    of those headers that came from the environment.
    """

    base_url: str
    model: str
    key_env: str
    key: str
    path: Path
    timeout: float
    max_retries: int
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return what may be shown."""
        return f"Server({self.address}, {self.model})"

    @property
    def address(self) -> str:
        """The address without user, password and query."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, where no proxy leads."""
        return is_loopback(self.base_url)

    @property
    def shows_key(self) -> bool:
        """Whether a request has the usual header with the key.

        A server that wants its key in another header may refuse a second one.
        """
        own = any(name.lower() == "authorization" for name in self.headers)
        return own or self.key != _NO_KEY or not self.secrets

    def hide(self, text: str) -> str:
        """Return a text of the server without secrets: servers may repeat what they were sent."""
        password = urlsplit(self.base_url).password or ""
        for secret in (self.key, password, *self.secrets):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, _HIDDEN)
        return text


def find_server(definition: ModelDefinition) -> Server:
    """Return the server of a definition; EngineStartError when its key is not set.

    A server on this machine needs no key unless the definition names one.
    """
    settings = definition.openai
    assert settings is not None
    url = settings.base_url
    key = _read(settings.api_key_env, definition.path, url) if settings.api_key_env else ""
    is_optional = "api_key_env" not in settings.model_fields_set and (
        is_loopback(url) or bool(settings.headers_env)
    )
    if settings.api_key_env and not key and not is_optional:
        raise EngineStartError(
            f"{definition.path}: the environment variable {settings.api_key_env} is not set: put "
            'the key of the server there, or write api_key_env = "" for a server that wants none'
        )
    secret = _secret_headers(settings, definition.path)
    return Server(
        base_url=settings.base_url,
        model=settings.model,
        key_env=settings.api_key_env,
        key=key or _NO_KEY,
        path=definition.path,
        timeout=definition.timeout,
        max_retries=settings.max_retries,
        headers={**settings.headers, **secret},
        query=settings.query,
        # A server may repeat a key without the scheme that stands before it.
        secrets=tuple(part for value in secret.values() for part in (value, value.split()[-1])),
    )


def _secret_headers(settings: OpenAISettings, path: Path) -> dict[str, str]:
    """Return the headers whose values are in the environment; EngineStartError if one is not."""
    found = {}
    for name, variable in settings.headers_env.items():
        found[name] = _read(variable, path, settings.base_url)
        if not found[name]:
            raise EngineStartError(
                f"{path}: the environment variable {variable} is not set: put the value of the"
                f" header {name} there, or remove it from headers_env"
            )
    return found


def _read(variable: str, path: Path, base_url: str) -> str:
    """Return the value of a variable; EngineStartError if it may not go to that server."""
    value = os.environ.get(variable, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise EngineStartError(
            f"{path}: the environment variable {variable} holds characters"
            " that no key has: copy the key again"
        )
    if value and (problem := refuse_key(variable, base_url)):
        raise EngineStartError(f"{path}: {problem}")
    return value


def sent_keys(models: Iterable[ModelDefinition]) -> dict[str, str]:
    """Return the variables that are set and whose values servers get, and which hosts: A → h, i."""
    hosts: dict[str, set[str]] = {}
    for model in models:
        if model.openai is not None and model.engine == "openai":
            for variable in (model.openai.api_key_env, *model.openai.headers_env.values()):
                if variable and os.environ.get(variable, "").strip():
                    hosts.setdefault(variable, set()).add(server_host(model.openai.base_url))
    return {variable: ", ".join(sorted(found)) for variable, found in sorted(hosts.items())}
