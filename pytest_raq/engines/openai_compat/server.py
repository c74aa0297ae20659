"""A server and its key: how they are shown, and how the key is kept secret."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_raq.config.permissions import is_loopback, refuse_key, server_host
from pytest_raq.errors import EngineStartError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_raq.config import ModelDefinition

_NO_KEY = "none"
"""Sent where a server wants no key: the client does not work without one."""
_SHORTEST_SECRET = 6
_HIDDEN = "[key]"


@dataclass(frozen=True, slots=True, repr=False)
class Server:
    """One model behind one address; neither its key nor a password shows in any text of it.

    ``path`` is the definition, to be named where something is wrong with it.
    """

    base_url: str
    model: str
    key_env: str
    key: str
    path: Path
    timeout: float
    max_retries: int

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

    def hide(self, text: str) -> str:
        """Return a text of the server without the key: servers may repeat what they were sent."""
        password = urlsplit(self.base_url).password or ""
        for secret in (self.key, password):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, _HIDDEN)
        return text


def find_server(definition: ModelDefinition) -> Server:
    """Return the server of a definition; EngineStartError when its key is not set.

    A server on this machine needs no key unless the definition names one.
    """
    settings = definition.openai
    assert settings is not None
    key = os.environ.get(settings.api_key_env, "").strip() if settings.api_key_env else ""
    optional = "api_key_env" not in settings.model_fields_set and is_loopback(settings.base_url)
    if settings.api_key_env and not key and not optional:
        raise EngineStartError(
            f"{definition.path}: the environment variable {settings.api_key_env} is not set: put "
            'the key of the server there, or write api_key_env = "" for a server that wants none'
        )
    if not (key.isascii() and key.isprintable()):
        raise EngineStartError(
            f"{definition.path}: the environment variable {settings.api_key_env} holds characters"
            " that no key has: copy the key again"
        )
    if key and (problem := refuse_key(settings.api_key_env, settings.base_url)):
        raise EngineStartError(f"{definition.path}: {problem}")
    return Server(
        base_url=settings.base_url,
        model=settings.model,
        key_env=settings.api_key_env,
        key=key or _NO_KEY,
        path=definition.path,
        timeout=definition.timeout,
        max_retries=settings.max_retries,
    )


def sent_keys(models: Iterable[ModelDefinition]) -> dict[str, str]:
    """Return the variables that are set and whose values servers get, and which hosts: A → h, i."""
    hosts: dict[str, set[str]] = {}
    for model in models:
        if model.openai is not None and model.engine == "openai":
            variable = model.openai.api_key_env
            if variable and os.environ.get(variable, "").strip():
                hosts.setdefault(variable, set()).add(server_host(model.openai.base_url))
    return {variable: ", ".join(sorted(found)) for variable, found in sorted(hosts.items())}
