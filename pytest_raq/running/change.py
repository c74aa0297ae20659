"""What the change under review does to the files that the gate rests on."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.baselines.file import anchor_path, baseline_path
from pytest_raq.config import GateSettings
from pytest_raq.config.loading import named_files
from pytest_raq.gate.strictness import gate_table, laxer_settings
from pytest_raq.git import find_repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.config import SuiteDefinition
    from pytest_raq.git import Repository
    from pytest_raq.running.options import SessionOptions

TARGETS = (
    ("CI_MERGE_REQUEST_DIFF_BASE_SHA", ""),  # GitLab
    ("GITHUB_BASE_REF", "origin/"),
    ("CHANGE_TARGET", "origin/"),  # Jenkins
    ("BITBUCKET_PR_DESTINATION_BRANCH", "origin/"),
    ("SYSTEM_PULLREQUEST_TARGETBRANCH", "origin/"),  # Azure
)
"""Variables in which CI systems name where a change is to be merged, and what stands before."""

_WORDS = {"A": "adds", "D": "deletes"}


def target_of_change() -> str:
    """Return the revision that the change under review is based on; empty if CI names none."""
    for variable, prefix in TARGETS:
        if name := os.environ.get(variable, "").strip().removeprefix("refs/heads/"):
            return f"{prefix}{name}"
    return ""


_MODEL = "a definition"
_TESTS = "code of the tests"
_PROMPT = "a prompt"
_MODEL_PROMPT = "the prompt of a definition"
_OF_THE_CHANGE = frozenset({_MODEL, _MODEL_PROMPT, _TESTS})
"""What another revision does not replace."""


def describe_change(options: SessionOptions, suite: SuiteDefinition) -> tuple[str, ...]:
    """Return what a change does to the files of a suite, one line each; nothing outside of CI.

    It is compared with the revision of ``--raq-base``, or with the merge base of the branch
    that CI names.
    """
    target = options.base or target_of_change()
    if not target:
        return ()
    repository = find_repository(options.suites_folder)
    commit = repository.commit(target) if repository else ""
    if repository and commit and not options.base:
        commit = repository.merge_base(commit)
    if repository and commit:
        return tuple(_Change(repository, commit, target, options, suite).lines())
    told = (
        "what this change does to baselines, settings and questions is not known: git does not"
        f" find where it left {target}: fetch the whole history (fetch-depth: 0)"
    )
    return (told,)


@dataclass(frozen=True, slots=True)
class _Change:
    """A change since a commit, as far as the gate of a suite rests on it."""

    repository: Repository
    commit: str
    target: str
    options: SessionOptions
    suite: SuiteDefinition

    def lines(self) -> Iterator[str]:
        """Yield what it does to each file, and whether the gate became laxer."""
        watched = {
            name: kind for path, kind in self._watched() if (name := self.repository.relative(path))
        }
        changed = self.repository.changed(self.commit, list(watched)) if watched else {}
        for path, status in sorted(changed.items()):
            kind = watched.get(path) or _folder_kind(path, watched)
            is_replaced = bool(self.options.base) and kind not in _OF_THE_CHANGE
            unused = f"; not used: {self.target} decides" if is_replaced else ""
            yield f"this change {_WORDS.get(status, 'modifies')} {path} ({kind}){unused}"
        if not self.options.base and (laxer := self._laxer()):
            yield f"this change makes the gate laxer than at {self.target}: {', '.join(laxer)}"

    def _watched(self) -> Iterator[tuple[Path, str]]:
        """Yield the files that decide what is asked, of whom, and when a test fails."""
        suites, models = self.options.suites_folder, self.options.models_folder
        path = suites / f"{self.suite.name}.toml"
        yield baseline_path(self.options.baselines_folder, self.suite.name), "the accepted answers"
        yield anchor_path(self.options.baselines_folder, self.suite.name), "the anchor"
        yield path, "the suite"
        yield _place(path, self.suite.dataset.source), "the questions"
        for judge in self.suite.judges:
            yield models / f"{judge}.toml", "the definition of a judge"
        for model in self.suite.models:
            yield models / f"{model}.toml", _MODEL
        names = (*self.suite.models, *self.suite.judges)
        for definition in (path, *(models / f"{name}.toml" for name in names)):
            is_model = definition != path and definition.stem in self.suite.models
            kind = _MODEL_PROMPT if is_model else _PROMPT
            yield from ((_place(definition, file), kind) for file in named_files(definition))
        for code in (*suites.glob("*.py"), self.repository.top / "conftest.py"):
            yield code, _TESTS

    def _laxer(self) -> tuple[str, ...]:
        """Return the settings that are laxer than in the file of the suite at the commit."""
        path = self.repository.relative(self.options.suites_folder / f"{self.suite.name}.toml")
        raw = self.repository.content(self.commit, path) if path else None
        if raw is None:
            return ()
        try:
            table = tomllib.loads(raw.decode("utf-8-sig")).get("gate", {})
            before = GateSettings.model_validate(table)
        except (ValueError, RecursionError):  # refused today, with its reason
            return ()
        return laxer_settings(gate_table(self.suite.gate), gate_table(before))


def _place(definition: Path, file: str) -> Path:
    return Path(os.path.normpath(definition.parent / file))


def _folder_kind(path: str, watched: Mapping[str, str]) -> str:
    """Return what a file in a watched folder is."""
    return next((kind for name, kind in watched.items() if path.startswith(f"{name}/")), "a file")
