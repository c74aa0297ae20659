"""The workflow of a continuous integration, and what it installs."""

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
"""Where a workflow goes, and its template."""

OWN_WORKFLOW = b"The gate of model upgrades"
"""What the first line of every template says."""

_PULLING = tuple(
    re.compile(pattern)
    for pattern in (
        r" *- uses: actions/cache@v4.*\n +with:\n +path: models/.*\n(?: +.*raq-models-.*\n)+",
        r" *- (?:run: )?raq models pull --all\n",
        r" *- key: raq-models.*\n +paths: .*\n",
        r" *stage\('Models'\) \{\n(?: {6,}.*\n)+? {4}\}\n",
    )
)
"""The parts of the templates that fetch models and keep them."""


_PORTABLE = (
    "# CMAKE_ARGS=-DGGML_NATIVE=OFF in the environment of pip compiles llama.cpp for all machines;",
    "# without it only for the processors that are like this one. pip --no-cache-dir takes none",
    "# that was compiled otherwise before.",
)


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
    models = tuple(models)
    runs_here = any(not model.url for model in models)
    needed = {
        "llama": runs_here,
        "hub": any(model.hub for model in models),
        "openai": any(model.url for model in models),
    }
    extras = ",".join(name for name in _provided_extras() if needed.get(name))
    lines = [
        "# What the gate is run with; a newer llama-cpp-python is an upgrade to be gated, too.",
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
