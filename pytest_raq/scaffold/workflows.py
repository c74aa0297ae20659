"""The workflow for a CI system, and the packages that it installs."""

from __future__ import annotations

import re
from importlib import metadata
from importlib.resources import files
from typing import TYPE_CHECKING

from pytest_raq import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_raq.scaffold.models import Contestant

PLACES: Mapping[str, tuple[str, str]] = {
    "github": (".github/workflows/raq.yml", "github.yml"),
    "gitlab": (".gitlab-ci.yml", "gitlab.yml"),
    "jenkins": ("Jenkinsfile", "Jenkinsfile"),
}
"""The path of each workflow, and its template."""

OWN_WORKFLOW = b"The gate of model upgrades"
"""The first line of every template."""

_PULLING = tuple(
    re.compile(pattern)
    for pattern in (
        r" *# the models.*\n *- uses: .*\n +with:\n +path: models/.*\n(?: +.*raq-models-.*\n)+",
        r" *- (?:run: )?raq models pull --all\n",
        r" *- key: raq-models.*\n +paths: .*\n",
        r" *stage\('Models'\) \{\n(?: {6,}.*\n)+? {4}\}\n",
    )
)
"""The parts of the templates that fetch and keep models."""


_PORTABLE = (
    "# CMAKE_ARGS=-DGGML_NATIVE=OFF in the environment of pip compiles llama.cpp for all machines;",
    "# without it only for the processors that are like this one. pip --no-cache-dir takes none",
    "# that was compiled otherwise before.",
)


def workflow(system: str, *, pulls: bool) -> tuple[str, str]:
    """Return the path and the text of a workflow.

    Without ``pulls`` the models are in the repository or on a server, and
    nothing is fetched. Raises KeyError for a system that is not in PLACES.
    """
    path, name = PLACES[system]
    text = files("pytest_raq.scaffold").joinpath(f"templates/{name}").read_text(encoding="utf-8")
    for part in () if pulls else _PULLING:
        text = part.sub("", text)
    return path, text


def requirements_text(models: Iterable[Contestant]) -> str:
    """Return ``suites/requirements.txt`` with the installed versions.

    An accepted baseline belongs to one version of the engine, so the engine is pinned too.
    """
    models = tuple(models)
    runs_here = any(not model.url for model in models)
    needed = {
        "llama": runs_here,
        "hub": any(model.hub for model in models),
        "openai": any(model.url for model in models),
    }
    extras = ",".join(name for name in _provided_extras() if needed.get(name))
    lines = [
        "# The packages of the gate; a newer llama-cpp-python is an upgrade to be gated, too.",
        f"pytest-raq{f'[{extras}]' if extras else ''}=={__version__}",
        *(_pin("llama-cpp-python") if runs_here else ()),
        *(_PORTABLE if runs_here else ()),
    ]
    return "".join(f"{line}\n" for line in lines)


def _provided_extras() -> list[str]:
    try:
        return metadata.metadata("pytest-raq").get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return []


def _pin(package: str) -> list[str]:
    try:
        return [f"{package}=={metadata.version(package)}"]
    except metadata.PackageNotFoundError:
        return []
