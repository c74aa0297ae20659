"""What lies in the project: definitions, model files, the store, git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from pytest_raq.doctor.patient import finding, split_step
from pytest_raq.engines.llamacpp.model_file import verify_model_file
from pytest_raq.errors import RaqError
from pytest_raq.records.doctor import Health
from pytest_raq.report.text import size_text
from pytest_raq.store.upkeep import describe_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_raq.config import ModelDefinition
    from pytest_raq.doctor.patient import Patient
    from pytest_raq.records.doctor import Finding

_SECTION = "project"
_GIT_SECONDS = 10.0
_QUICKLY_READ = 500_000_000
"""Bytes of a file whose SHA-256 is computed here: a second or two."""


def look_at_definitions(patient: Patient) -> Iterator[Finding]:
    """Yield whether the suites and models can be read, and name what they name."""
    if not patient.suites_folder.is_dir():
        text = f"there is no folder {patient.suites_folder}"
        yield finding(_SECTION, "suites", Health.WARNING, text, "raq init starts a project here")
    elif not patient.suites:
        text = f"{patient.suites_folder} holds no suite NAME.toml"
        yield finding(_SECTION, "suites", Health.WARNING, text, "raq init writes one")
    for kind, read in (("suite", patient.suites), ("model", patient.models)):
        for name, item in read.items():
            if isinstance(item, RaqError):
                yield finding(_SECTION, f"{kind} {name}", Health.FAILURE, *split_step(str(item)))
    for suite in patient.readable_suites:
        known = {*patient.models, "reference"}
        absent = [name for name in (*suite.models, *suite.judges) if name not in known]
        if absent:
            text = f"names {', '.join(absent)}, and {patient.models_folder} has no such definition"
            step = f"correct {suite.path}"
            yield finding(_SECTION, f"suite {suite.name}", Health.FAILURE, text, step)
        else:
            count = len(suite.models)
            text = f"{count} model{'s' * (count != 1)}, judge {', '.join(suite.judges)}"
            yield finding(_SECTION, f"suite {suite.name}", Health.OK, text)


def look_at_files(patient: Patient) -> Iterator[Finding]:
    """Yield whether the files of models are there, whole, and the ones that are meant."""
    for model in patient.readable_models:
        if model.file is not None:
            yield _model_file(patient, model)


def _model_file(patient: Patient, model: ModelDefinition) -> Finding:
    name = f"model {model.name}"
    try:
        size = model.file_path.stat().st_size if model.file_path.is_file() else 0
        checked = bool(model.sha256) and size <= _QUICKLY_READ
        verify_model_file(model, None if checked else lambda _: model.sha256 or "")
    except RaqError as exc:
        return finding(_SECTION, name, patient.trouble(model.name), *split_step(str(exc)))
    told = f"{model.file}, {size_text(size)}"
    if model.sha256 and not checked:
        return finding(_SECTION, name, Health.OK, f"{told}; check it with raq models verify")
    return finding(_SECTION, name, Health.OK, f"{told}{', SHA-256 as defined' * checked}")


def look_at_store(patient: Patient) -> Iterator[Finding]:
    """Yield whether the store can be read and written."""
    path = patient.store
    if not path.exists():
        yield finding(
            _SECTION, "store", Health.OK, f"{path} does not exist; the first run makes it"
        )
        return
    try:
        info = describe_store(path)
    except RaqError as exc:
        yield finding(_SECTION, "store", Health.WARNING, *split_step(str(exc)))
        return
    told = f"{path}, format {info.format}, {size_text(info.size)},"
    told += f" {info.entries.get('answers', 0)} answers, {info.entries.get('runs', 0)} runs"
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        yield finding(_SECTION, "store", Health.OK, told)
    else:
        step = f"check the permissions of {path}, or choose another with --raq-store"
        yield finding(_SECTION, "store", Health.WARNING, f"{told}; it cannot be written", step)


def look_at_git(patient: Patient) -> Iterator[Finding]:
    """Yield whether git keeps the baselines, and what of them is not committed."""
    try:
        version = _git(patient.folder, "--version")
    except (OSError, subprocess.TimeoutExpired):
        yield finding(_SECTION, "git", Health.WARNING, "cannot be run", "install git")
        return
    told = version.stdout.strip().removeprefix("git version ")
    if _git(patient.folder, "rev-parse", "--is-inside-work-tree").returncode:
        text = f"{told}; this folder is in no repository, where baselines belong"
        yield finding(_SECTION, "git", Health.WARNING, text, "git init")
        return
    changed = _git(patient.folder, "status", "--porcelain", "--", "baselines").stdout.splitlines()
    if changed:
        names = ", ".join(line[3:] for line in changed[:3])
        text = f"{told}; baselines that are not committed: {names}"
        step = "git add baselines && git commit, or git checkout baselines"
        yield finding(_SECTION, "git", Health.WARNING, text, step)
    else:
        yield finding(_SECTION, "git", Health.OK, told)


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - no shell, and our own arguments
        ["git", "--no-optional-locks", "-C", str(folder), *arguments],  # noqa: S607 - the user's
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_GIT_SECONDS,
        check=False,
    )
