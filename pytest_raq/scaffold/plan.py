"""What ``raq init`` writes, all or nothing."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.config.reference import schema_text
from pytest_raq.errors import ConfigError
from pytest_raq.files import show_path, write_atomically
from pytest_raq.scaffold.models import Contestant, read_file
from pytest_raq.scaffold.toml_text import MOST_IN_GIT, file_place, is_copied, model_text, suite_text
from pytest_raq.scaffold.workflows import OWN_WORKFLOW, requirements_text, workflow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_raq.scaffold.choices import Choices


IGNORED = (".raq/", ".venv/", ".pytest_cache/", ".benchmarks/", "__pycache__/")
"""Files of a run that do not belong in git."""


@dataclass(slots=True)
class Plan:
    """Files to write, by path from the folder, and files that do not change if they exist.

    ``notes`` is what a reader should know, one line each.
    """

    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    """Existing files of the folder that the new files refer to, by path from it."""

    @property
    def tracked(self) -> list[str]:
        """The paths in the folder that belong in git; baselines follow later."""
        places = [*self.files, *self.kept, "baselines/", *self.beside]
        return list(dict.fromkeys(place.partition("/")[0] for place in places))


def plan_project(choices: Choices) -> Plan:
    """Return what to write; raise ConfigError if the choices do not fit together."""
    _check(choices)
    plan = Plan(choices.folder)
    plan.files[f"suites/{choices.suite}.toml"] = suite_text(choices).encode()
    if choices.questions.content is not None:
        plan.files[f"suites/{choices.questions.source}"] = choices.questions.content
    written = [*choices.models, *([choices.judge] if isinstance(choices.judge, Contestant) else [])]
    for model in written:
        if model.file and is_copied(model.file, choices.folder):
            plan.files[f"models/{model.file.name}"] = read_file(model.file)
        if not model.exists:
            plan.files[f"models/{model.name}.toml"] = model_text(model, choices).encode()
    template = files("pytest_raq.scaffold").joinpath("templates/test_suites.txt")
    plan.kept["suites/test_suites.py"] = template.read_bytes()
    plan.kept["suites/requirements.txt"] = requirements_text(written).encode()
    plan.kept["suites/suite.schema.json"] = schema_text("suite").encode()
    plan.kept["models/model.schema.json"] = schema_text("model").encode()
    ignored = (*IGNORED, *(["*.gguf"] if any(map(_is_too_large, written)) else []))
    plan.kept[".gitignore"] = "".join(f"{line}\n" for line in ignored).encode()
    if choices.ci != "none":
        path, text = workflow(choices.ci, pulls=any(map(_is_too_large, written)))
        plan.files[path] = text.encode()
    plan.notes += [*_notes(choices, written), *_ignoring(choices.folder)]
    used = [model.file for model in written if model.file and not _is_too_large(model)]
    used.append(Path(os.path.normpath(choices.folder / "suites" / choices.questions.source)))
    plan.beside += [
        path.relative_to(choices.folder).as_posix()
        for path in used
        if path.is_relative_to(choices.folder)
    ]
    return plan


def _check(choices: Choices) -> None:
    names = [model.name for model in choices.models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"two models would have the name {twice[0]!r}: give one a name: --model NAME=FILE"
        )
    judge = choices.judge if isinstance(choices.judge, str) else choices.judge.name
    if judge in names:
        raise ConfigError(f"--judge {judge}: is also asked in this suite; use another judge")


def _is_too_large(model: Contestant) -> bool:
    """Whether the file of a model is too large for git; GitHub refuses files of 100 MB."""
    return bool(model.hub or (model.file and model.file.stat().st_size > MOST_IN_GIT))


def _notes(choices: Choices, written: list[Contestant]) -> list[str]:
    notes = []
    for model in written:
        if model.file and model.file == file_place(model.file, choices.folder):
            notes.append(
                f"models/{model.name}.toml names {model.file}, which other machines do not have:"
                f" put the file into models/ or add [source] for raq models pull"
            )
        elif model.file and _is_too_large(model):
            notes.append(
                f"{model.file.name} is too large for git: add [source] to models/{model.name}.toml,"
                " for raq models pull"
            )
        if model.header and model.header.parts > 1:
            notes.append(
                f"{model.name} is split into {model.header.parts} files: sha256 is that of the"
                " first, the others must be in the same folder"
            )
        trial = choices.trials.get(model.name)
        if trial and trial.drops_replies:
            key = "concurrency" if model is choices.judge else "parallel"
            notes.append(
                f"the server of {model.name} drops a reply when the next request comes:"
                f" models/{model.name}.toml has {key} = 1"
            )
        elif trial and trial.is_single:
            notes.append(
                f"the server of {model.name} seems to answer one request at a time: with"
                f" parallel = 1 in models/{model.name}.toml it is as fast, and the times to first"
                " token include no wait for other questions"
            )
    if choices.questions.encoding:
        shown = f", as in {choices.questions.word!r}" if choices.questions.word else ""
        notes.append(
            f"{Path(choices.questions.source).name} is not UTF-8 and is read as"
            f" {choices.questions.encoding}{shown}: if that is wrong, change encoding in"
            f" suites/{choices.suite}.toml"
        )
    if not choices.questions.own:
        notes.append(
            f"suites/{choices.questions.source} has {choices.questions.count} questions as a start:"
            " replace them with your own, the file says how"
        )
    return notes


def _ignoring(folder: Path) -> list[str]:
    """Return what to add to an existing ``.gitignore``."""
    try:
        lines = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    is_ignored = any(line.strip().strip("/") in {".raq", "**/.raq"} for line in lines)
    return [] if is_ignored else [".gitignore is not changed: add .raq/, where answers are kept"]


def write_files(plan: Plan, *, force: bool) -> dict[str, bool]:
    """Write the files of a plan; return each path with whether it was written.

    A workflow of an earlier `raq init` does not change. Raises ConfigError if a file
    with other content exists and not ``force``; StoreError if one cannot be
    written. After any error the folder is as it was before.
    """
    absent = {name: text for name, text in plan.kept.items() if not (plan.folder / name).exists()}
    content = plan.files | absent
    before = {name: _read(plan.folder / name) for name in content}
    if not force:
        content = {name: text for name, text in content.items() if not _is_own(text, before[name])}
        _refuse_overwriting(plan, {name: before[name] for name in content})
    changed = [name for name, wanted in content.items() if before[name] != wanted]
    made = _missing_folders(plan.folder / name for name in changed)
    try:
        for name in changed:
            write_atomically(plan.folder / name, content[name])
    except BaseException:  # after Ctrl-C too, nothing is half-written
        _restore(plan.folder, {name: before[name] for name in changed}, made)
        raise
    return {name: name in changed for name in {**plan.files, **plan.kept}}


def _read(path: Path) -> bytes | None:
    """Return the content of a file, None if there is none; raise ConfigError if unknown."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        why = exc.strerror or exc
        raise ConfigError(f"{show_path(path)}: exists and cannot be read: {why}") from exc


def _is_own(wanted: bytes, found: bytes | None) -> bool:
    """Whether a file is a workflow that was written for another suite of the folder."""
    start = wanted.partition(b"\n")[0]
    return found is not None and OWN_WORKFLOW in start and found.startswith(start)


def _refuse_overwriting(plan: Plan, before: dict[str, bytes | None]) -> None:
    there = [name for name, found in before.items() if found not in (None, plan.files.get(name))]
    if there:
        verb = "exists" if len(there) == 1 else "exist"
        raise ConfigError(
            f"{', '.join(show_path(plan.folder / name) for name in there)} {verb} already:"
            f" nothing was written; {_ways_out(there)}--force replaces existing files"
        )


def _ways_out(there: list[str]) -> str:
    ways = {
        "suites/": "--suite NAME writes another suite",
        "models/": "--model NAME uses an existing definition",
        "": "--ci none writes no workflow",
    }
    found = [next(way for start, way in ways.items() if name.startswith(start)) for name in there]
    return "".join(f"{way}, " for way in dict.fromkeys(found))


def _missing_folders(paths: Iterable[Path]) -> list[Path]:
    """Return the folders that will be made, the innermost first."""
    missing = {folder for path in paths for folder in path.parents if not folder.exists()}
    return sorted(missing, key=lambda folder: len(folder.parts), reverse=True)


def _restore(folder: Path, before: dict[str, bytes | None], made: list[Path]) -> None:
    for name, content in before.items():
        path = folder / name
        with contextlib.suppress(OSError):
            if content is None:
                path.unlink(missing_ok=True)
            elif path.read_bytes() != content:
                path.write_bytes(content)
    for folder_made in made:
        with contextlib.suppress(OSError):
            folder_made.rmdir()
