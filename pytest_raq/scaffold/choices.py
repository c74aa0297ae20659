"""What the user chose of a new project."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_raq.scaffold.contestants import Contestant
    from pytest_raq.scaffold.questions import Questions

CI_SYSTEMS = ("github", "gitlab", "jenkins", "none")
"""Continuous integration that a workflow can be written for."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SIGNS = {"gitlab": ".gitlab-ci.yml", "jenkins": "Jenkinsfile"}
"""Files that tell which continuous integration a folder uses."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What to write; ``folder`` is absolute.

    ``judge`` is ``reference``, the name of a definition in the folder, or a
    contestant whose definition is to be written.
    """

    folder: Path
    models: tuple[Contestant, ...]
    questions: Questions
    suite: str
    judge: str | Contestant
    ci: str


def check_suite_name(name: str) -> str:
    """Return the name; ConfigError when no suite can be called so."""
    if _NAME.fullmatch(name) and not name.endswith((".", ".toml")):
        return name
    raise ConfigError(
        f"{name!r} is no name of a suite: write letters, digits, '.', '_' and '-',"
        " for example support"
    )


def guess_ci(folder: Path) -> str:
    """Return the continuous integration that a folder seems to use; GitHub's if none."""
    for system, sign in _SIGNS.items():
        if (folder / sign).exists():
            return system
    try:
        remotes = (folder / ".git/config").read_text(encoding="utf-8", errors="replace")
    except OSError:
        remotes = ""
    return "gitlab" if "gitlab" in remotes and "github.com" not in remotes else "github"
