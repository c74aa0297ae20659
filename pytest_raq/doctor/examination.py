"""All checks, in order; a check that fails does not stop the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.doctor.context import CheckContext, unexpected
from pytest_raq.doctor.engine import look_at_engine
from pytest_raq.doctor.environment import (
    look_at_disk,
    look_at_extras,
    look_at_machine,
    look_at_versions,
)
from pytest_raq.doctor.hub import look_at_hub
from pytest_raq.doctor.project import look_at_definitions, look_at_files, look_at_store
from pytest_raq.doctor.repository import look_at_git
from pytest_raq.doctor.secrets import hide_secrets, known_secrets
from pytest_raq.doctor.services import look_at_judges, look_at_servers
from pytest_raq.records.command_results import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_raq.records.command_results import Finding

__all__ = ["CheckContext", "examine"]

_LOOKS: tuple[tuple[str, Callable[[CheckContext], Iterator[Finding]]], ...] = (
    ("versions", look_at_versions),
    ("machine", look_at_machine),
    ("machine", look_at_disk),
    ("llama.cpp", look_at_engine),
    ("project", look_at_definitions),
    ("project", look_at_files),
    ("project", look_at_store),
    ("project", look_at_git),
    ("hub", look_at_hub),
    ("servers", look_at_servers),
    ("judges", look_at_judges),
    ("extras", look_at_extras),
)


def examine(context: CheckContext, tell: Callable[[str], None] = lambda _: None) -> Diagnosis:
    """Return the findings about everything a run needs; ``tell`` receives the current check.

    Nothing in the project is changed, and no finding contains a secret.
    """
    found: list[Finding] = []
    for section, look in _LOOKS:
        tell(section)
        found += _look(section, look, context)
    servers = [model.openai for model in context.readable_models if model.openai is not None]
    variables = [
        name for server in servers for name in (server.api_key_env, *server.headers_env.values())
    ]
    secrets = known_secrets(variables, (server.base_url for server in servers))
    return Diagnosis(tuple(_without_secrets(finding, secrets) for finding in found))


def _look(
    section: str, look: Callable[[CheckContext], Iterator[Finding]], context: CheckContext
) -> Iterator[Finding]:
    try:
        yield from look(context)
    except Exception as exc:  # noqa: BLE001 - after any error, the other checks still run
        name = look.__name__.removeprefix("look_at_").replace("_", " ")
        yield unexpected(section, name, exc)


def _without_secrets(finding: Finding, secrets: tuple[str, ...]) -> Finding:
    name, text, step = (
        " ".join(hide_secrets(part, secrets).split())
        for part in (finding.name, finding.text, finding.next_step)
    )
    return replace(finding, name=name, text=text, next_step=step)
