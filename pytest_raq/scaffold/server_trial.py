"""Whether the server of a new model takes two requests at once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_raq.config import ModelDefinition
from pytest_raq.engines.openai_compat import Connection, Problem, Request, find_server
from pytest_raq.errors import RaqError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from pytest_raq.scaffold.models import Contestant

_BODY: Mapping[str, object] = MappingProxyType(
    {
        "messages": [{"role": "user", "content": "Count from one to thirty, in words."}],
        "max_tokens": 48,
        "temperature": 0.0,
    }
)
"""Long enough for the second request to arrive while the first one is being answered."""
_PATIENCE = 30.0
"""Seconds without a sign of life, after which nothing is said about a server."""


@dataclass(frozen=True, slots=True)
class ServerTrial:
    """What two requests at once showed of a server.

    ``drops_replies`` says that one was cut because of the other, ``is_single`` that the second
    reply began when the first one had ended.
    """

    drops_replies: bool = False
    is_single: bool = False


def can_be_tried(model: Contestant) -> bool:
    """Whether a model runs on a server whose key, if it has one, is at hand."""
    return bool(model.url) and (not model.key or bool(os.environ.get(model.key)))


def try_two_at_once(model: Contestant) -> ServerTrial:
    """Send two short requests at the same time; nothing is found if the server does not answer."""
    definition = ModelDefinition.model_validate(
        {
            "name": model.name,
            "path": Path(f"models/{model.name}.toml"),
            "engine": "openai",
            "timeout": _PATIENCE,
            "openai": {
                "base_url": model.url,
                "model": model.served_as,
                "api_key_env": model.key,
                "max_retries": 0,
            },
        }
    )
    try:
        connection = Connection(find_server(definition), most=2)
    except RaqError:
        return ServerTrial()
    try:
        _ask_twice(connection, model.served_as)
    finally:
        connection.close()
    drops = bool(connection.site.pace.tell("parallel"))
    return ServerTrial(drops, is_single=not drops and connection.site.slots.seems_single)


def _ask_twice(connection: Connection, served_as: str) -> None:
    """Wait for two replies, whatever they are; what the server refuses is left out."""
    parameters = connection.site.parameters(served_as)
    flying: dict[Hashable, dict[str, object]] = {}
    waiting = [0, 1]
    while waiting or flying:
        for ticket in waiting:
            flying[ticket] = body = parameters.write(_BODY)
            connection.start(ticket, Request("/chat/completions", body, stream=True))
        waiting = []
        done, result = connection.take()
        sent = flying.pop(done)
        if isinstance(result, Problem) and parameters.learn(result, sent):
            waiting = [int(str(done))]
