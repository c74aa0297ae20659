"""The choices for ``raq init``, from options or from answers to a few questions."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import guess_encoding, load_questions, sample_questions
from pytest_raq.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.records import Question
    from pytest_raq.scaffold.models import Contestant
    from pytest_raq.scaffold.price import Price
    from pytest_raq.scaffold.server_trial import ServerTrial


CI_SYSTEMS = ("github", "gitlab", "jenkins", "none")
"""CI systems that a workflow can be written for."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SIGNS = {"gitlab": ".gitlab-ci.yml", "jenkins": "Jenkinsfile"}
"""Files that show which CI system a folder uses."""

_MOST_COPIED = 50_000_000
"""Maximum bytes of a file of questions that is copied into the project."""

_EXAMPLES = 6
_ALL_UP_TO, _SAMPLE = 500, 200


@dataclass(frozen=True, slots=True)
class Choices:
    """What to write; ``folder`` is absolute.

    ``judge`` is ``reference``, the name of a definition in the folder, or a
    contestant whose definition will be written. ``prices`` says, by model, what
    reproducible answers cost, if that was measured, ``trials`` what two requests at once
    showed of its server.
    """

    folder: Path
    models: tuple[Contestant, ...]
    questions: Questions
    suite: str
    judge: str | Contestant
    ci: str
    prices: Mapping[str, Price] = field(default_factory=dict)
    trials: Mapping[str, ServerTrial] = field(default_factory=dict)


def check_suite_name(name: str) -> str:
    """Return the name; raise ConfigError if it is not valid for a suite."""
    if _NAME.fullmatch(name) and not name.endswith((".", ".toml")):
        return name
    raise ConfigError(
        f"{name!r} is not a valid name of a suite: use letters, digits, '.', '_' and '-',"
        " for example support"
    )


def guess_ci(folder: Path) -> str:
    """Return the CI system that a folder seems to use; GitHub if none is found."""
    for system, sign in _SIGNS.items():
        if (folder / sign).exists():
            return system
    try:
        remotes = (folder / ".git/config").read_text(encoding="utf-8", errors="replace")
    except OSError:
        remotes = ""
    return "gitlab" if "gitlab" in remotes and "github.com" not in remotes else "github"


@dataclass(frozen=True, slots=True)
class Questions:
    """The source of the questions, their number, and the length of the longest prompt.

    ``source`` is the path in the suite, relative to its folder. ``content`` is
    what to write there, or None if the file stays. ``longest`` counts the
    UTF-8 bytes of the longest passage with its question; ``passages`` is 0 for
    questions without passages. ``examples`` are a few of them. ``encoding`` is what a
    file that is not UTF-8 looks like, ``word`` a word of it that shows whether that is
    right.
    """

    source: str
    count: int
    passages: int
    longest: int
    content: bytes | None = None
    own: bool = True
    examples: tuple[Question, ...] = ()
    encoding: str = ""
    word: str = ""

    @property
    def sample(self) -> int | None:
        """The number of questions to ask; None for all."""
        return _SAMPLE if self.count > _ALL_UP_TO else None


def find_questions(text: str, folder: Path) -> Questions:
    """Read a file of questions; a file outside ``folder`` will be copied.

    Raises DatasetError if it does not exist or cannot be read.
    """
    try:
        path = Path(os.path.normpath(Path(text).expanduser().absolute()))
        str(path).encode()  # a suite is UTF-8, and contains the path
        found = path.exists()
    except (RuntimeError, ValueError, OSError) as exc:
        raise DatasetError(f"--questions {text!r}: is not a path: {exc}") from exc
    if not text.strip() or not found:
        raise DatasetError(
            f"--questions {text}: does not exist; give a JSON, JSONL, CSV or Parquet file"
        )
    measured = _measure(path)
    if path.is_relative_to(folder):
        return replace(measured, source=Path(os.path.relpath(path, folder / "suites")).as_posix())
    if path.is_dir() or path.stat().st_size > _MOST_COPIED:
        raise DatasetError(f"--questions {text}: is not copied: move it into {folder} first")
    return replace(measured, content=path.read_bytes())


def starter_questions(suite: str, folder: Path) -> Questions:
    """Return the starter questions; the file of an earlier `raq init` does not change."""
    path = folder / "suites" / f"{suite}.json"
    if path.is_file():
        return find_questions(str(path), folder)
    content = resources.files("pytest_raq.scaffold").joinpath("templates/starter.json").read_bytes()
    with resources.as_file(
        resources.files("pytest_raq.scaffold").joinpath("templates/starter.json")
    ) as template:
        found = _measure(template)
    return replace(found, source=path.name, content=content, own=False)


def _measure(path: Path) -> Questions:
    """Return the questions of a file: how many there are, how long, and some of them."""
    encoding, word = guess_encoding(path)
    settings = DatasetSettings(source=str(path), encoding=encoding or None)
    items = load_questions(settings, path.parent).questions
    longest = max(len(f"{item.passage}{item.question}".encode()) for item in items)
    passages = {item.passage for item in items if item.passage}
    examples = sample_questions(items, _EXAMPLES, seed=0)
    return Questions(
        path.name,
        len(items),
        len(passages),
        longest,
        examples=tuple(examples),
        encoding=encoding,
        word=word,
    )
