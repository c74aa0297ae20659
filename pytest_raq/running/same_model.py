"""Two definitions of a suite that reach one model of one server: it would be ranked twice."""

from __future__ import annotations

import ipaddress
from itertools import combinations
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_raq.errors import ConfigError
from pytest_raq.files import show_path
from pytest_raq.records.server_identity import (
    DIGEST,
    LISTED,
    REPLY_MODEL,
    ROOT,
    changed_fields,
    served_name,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pytest_raq.config import ModelDefinition, SuiteDefinition
    from pytest_raq.records import Identity

_PORTS = {"http": 80, "https": 443}
_NAMES = (REPLY_MODEL, LISTED)
"""Fields that a server may fill with the name that it was asked for."""


def refuse_same_model(
    suite: SuiteDefinition,
    models: Mapping[str, ModelDefinition],
    swapped: Collection[str],
) -> None:
    """Raise ConfigError if two definitions name one model of one server.

    What the servers say of themselves is found out later, by `same_model_problems`.
    """
    given = {name: model for name, model in models.items() if name not in swapped}
    for problem in same_model_problems(suite, given.values(), {}).values():
        raise ConfigError(f"suite {suite.name}: {problem}")


def same_model_problems(
    suite: SuiteDefinition,
    models: Iterable[ModelDefinition],
    identities: Mapping[str, Identity],
) -> dict[str, str]:
    """Return, by model, with which other one it is one model, as far as that is known."""
    servers = [model for model in models if model.engine == "openai" and model.openai]
    if suite.same_model:
        return {}
    found: dict[str, str] = {}
    for first, second in combinations(servers, 2):
        said = identities.get(first.name, {}), identities.get(second.name, {})
        if _address(first) == _address(second) and _is_one(first, second, *said):
            name = _served(first, said[0])
            problem = (
                f"{first.name} and {second.name} are one model: {_shown(first)} serves {name!r}"
                f" to both: remove one of them, or write same_model = true in"
                f" {show_path(suite.path)} if that is intended, e.g. to compare prompts"
            )
            found = {first.name: problem, second.name: problem, **found}
    return found


def _is_one(
    first: ModelDefinition, second: ModelDefinition, before: Identity, now: Identity
) -> bool:
    if changed_fields(without(before, _NAMES), without(now, _NAMES)):
        return False
    same = [name for name in (ROOT, DIGEST) if before.get(name) and now.get(name)]
    return bool(same) or _served(first, before) == _served(second, now)


def _served(model: ModelDefinition, identity: Identity) -> str:
    assert model.openai is not None
    return served_name(identity, model.openai.model)


def _address(model: ModelDefinition) -> tuple[str, str, int, str]:
    """Return the address of a server; the names of this machine are one."""
    assert model.openai is not None
    parts = urlsplit(model.openai.base_url)
    host = (parts.hostname or "").casefold()
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost" or host.endswith(".localhost")
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return parts.scheme, "localhost" if is_here else host, port, parts.path.rstrip("/")


def _shown(model: ModelDefinition) -> str:
    assert model.openai is not None
    parts = urlsplit(model.openai.base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
