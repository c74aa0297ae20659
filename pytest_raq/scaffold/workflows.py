"""The workflow of a continuous integration, and what it installs."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.resources import files
from typing import TYPE_CHECKING

from pytest_raq import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_raq.scaffold.contestants import Contestant

PLACES: Mapping[str, tuple[str, str]] = {
    "github": (".github/workflows/raq.yml", "github.yml"),
    "gitlab": (".gitlab-ci.yml", "gitlab.yml"),
    "jenkins": ("Jenkinsfile", "Jenkinsfile"),
}
"""Where a workflow goes, and its template."""

OWN_WORKFLOW = b"The gate of model upgrades"
"""What the first line of every template says."""

_PULLING = tuple(
    re.compile(pattern)
    for pattern in (
        r" *- uses: actions/cache@v4.*\n +with:\n +path: models/.*\n(?: +.*raq-models-.*\n)+",
        r" *- (?:run: )?raq models pull\n",
        r" *- key: raq-models.*\n +paths: .*\n",
        r" *stage\('Models'\) \{\n(?: {6,}.*\n)+? {4}\}\n",
    )
)
"""The parts of the templates that fetch models and keep them."""


def workflow(system: str, *, pulls: bool) -> tuple[str, str]:
    """Return the path and the text of a workflow.

    Without ``pulls`` the models are in the repository or behind a server, and
    nothing is fetched. KeyError for a system that PLACES does not have.
    """
    path, name = PLACES[system]
    text = files("pytest_raq.scaffold").joinpath(f"templates/{name}").read_text(encoding="utf-8")
    for part in () if pulls else _PULLING:
        text = part.sub("", text)
    return path, text


def requirements_text(models: Iterable[Contestant]) -> str:
    """Return ``suites/requirements.txt``: the versions here, as far as they are installed.

    An accepted baseline belongs to the engine that answered, so that is pinned too.
    """
    servers = {bool(model.url) for model in models}
    extras = ",".join(
        name
        for name, is_needed in (("llama", servers != {True}), ("openai", True in servers))
        if is_needed
    )
    lines = [
        "# What the gate is run with; a newer llama-cpp-python is an upgrade to be gated, too.",
        f"pytest-raq[{extras}]=={__version__}",
    ]
    if servers != {True}:
        lines += _pin("llama-cpp-python")
    return "".join(f"{line}\n" for line in lines)


def _pin(package: str) -> list[str]:
    try:
        return [f"{package}=={metadata.version(package)}"]
    except metadata.PackageNotFoundError:
        return []
