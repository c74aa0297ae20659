"""The suites, questions, judges and baselines of another revision, in a folder of their own."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pytest_raq.config.loading import named_files, read_toml
from pytest_raq.config.permissions import PROJECT_MARKER, place_in_project
from pytest_raq.errors import ConfigError
from pytest_raq.git import find_repository

if TYPE_CHECKING:
    from pytest_raq.git import Repository
    from pytest_raq.running.options import SessionOptions

_LARGE_FILE = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class BaseRevision:
    """What decides in a run with ``--raq-base``: the folders of a revision.

    ``suites``, ``models`` and ``baselines`` are copies of the folders as they are in that
    revision; the models under test are not taken from there. ``name`` is what the user wrote.
    """

    name: str
    root: Path
    suites: Path
    models: Path
    baselines: Path
    repository: Repository
    commit: str
    _folder: tempfile.TemporaryDirectory[str] = field(repr=False)

    def shown(self, path: Path) -> str:
        """Return a path of a copy as git spells it: ``origin/main:baselines/mini.json``."""
        return f"{self.name}:{path.relative_to(self.root).as_posix()}"

    def take_questions(self, suite: str) -> None:
        """Copy the questions and prompts that a suite of the revision names.

        Files that git does not have at all, such as downloaded questions, are those of today.
        """
        path = self.suites / f"{suite}.toml"
        if not path.is_file():
            raise ConfigError(
                f"--raq-base {self.name}: has no suite {suite!r}: run it without --raq-base until"
                " it is merged"
            )
        dataset = read_toml(path, "suite", []).get("dataset")
        source = dataset.get("source") if isinstance(dataset, dict) else None
        for file in (*named_files(path), *([source] if isinstance(source, str) else [])):
            self._take(path, file)

    def take_prompts(self) -> None:
        """Copy the prompts that definitions name, and link their model files, for judges."""
        for definition in self.models.glob("*.toml"):
            for file in named_files(definition):
                self._take(definition, file)
            weights = read_toml(definition, "model", []).get("file")
            if isinstance(weights, str):
                self._link(definition, weights)

    def _take(self, definition: Path, file: str) -> None:
        name = self._named(definition, file)
        if name is None:
            return  # a hub id, or refused where it is loaded
        found = self.repository.files(self.commit, name)
        for each in found:
            copy_file(self.repository, self.commit, each, self.root / each)
        if not found:
            own = self.repository.top / definition.relative_to(self.root)
            today, target = place_in_project(own, "a file", file), self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if today.is_file():
                shutil.copyfile(today, target)
            elif today.is_dir():
                shutil.copytree(today, target, dirs_exist_ok=True)

    def _link(self, definition: Path, file: str) -> None:
        name = self._named(definition, file)
        if name is not None and not (self.root / name).exists():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).symlink_to(self.repository.top / name)

    def _named(self, definition: Path, file: str) -> str | None:
        """Return the path in the repository that a definition names; None if it is outside."""
        if PurePosixPath(file).is_absolute() or file.startswith("~"):
            return None
        parts: list[str] = []
        for part in (definition.parent.relative_to(self.root) / file).parts:
            if part != "..":
                parts.append(part)
            elif not parts:
                return None
            else:
                parts.pop()
        return "/".join(parts) or None

    def close(self) -> None:
        """Remove the copies; safe to call twice."""
        self._folder.cleanup()


def open_base(options: SessionOptions) -> BaseRevision:
    """Return the folders of the revision that ``--raq-base`` names; ConfigError if that fails."""
    told = f"--raq-base {options.base}"
    repository = find_repository(options.suites_folder)
    if repository is None:
        raise ConfigError(f"{told}: {options.suites_folder} is in no git repository")
    commit = repository.commit(options.base)
    if not commit:
        raise ConfigError(f"{told}: git does not know that revision: fetch it (fetch-depth: 0)")
    folder = tempfile.TemporaryDirectory(prefix="raq-base-")
    root = Path(folder.name).resolve()
    (root / PROJECT_MARKER).touch()
    places = []
    for each, suffix in (
        (options.suites_folder, ".toml"),
        (options.models_folder, ".toml"),
        (options.baselines_folder, ".json"),
    ):
        name = repository.relative(each)
        if not name:
            raise ConfigError(f"{told}: {each} is not in the repository {repository.top}")
        for file in repository.files(commit, name):
            if PurePosixPath(file).suffix == suffix:
                copy_file(repository, commit, file, root / file)
        (root / name).mkdir(parents=True, exist_ok=True)
        places.append(root / name)
    suites, models, baselines = places
    base = BaseRevision(options.base, root, suites, models, baselines, repository, commit, folder)
    base.take_prompts()
    return base


def copy_file(repository: Repository, commit: str, name: str, target: Path) -> None:
    """Write a file of a revision; ConfigError if only a pointer to it is in git."""
    content = repository.content(commit, name)
    if content is None:
        raise ConfigError(f"git cannot read {name} of {commit[:12]}: fetch it, or repair the clone")
    if content.startswith(_LARGE_FILE):
        if name in repository.changed(commit, [name]):
            raise ConfigError(
                f"{name} is kept by Git LFS and differs from {commit[:12]}: check that revision out"
                " and run there"
            )
        content = (repository.top / name).read_bytes()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
