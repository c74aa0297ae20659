"""Checks the project: definitions, questions, baselines, model files, the store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.baselines.file import load_anchor, load_baseline
from pytest_raq.datasets import load_questions
from pytest_raq.doctor.context import file_size, finding, split_step, unexpected
from pytest_raq.engines.llamacpp.model_file import verify_model_file
from pytest_raq.errors import RaqError
from pytest_raq.records.command_results import Health
from pytest_raq.store.maintenance import inspect_store
from pytest_raq.store.schema import FORMAT
from pytest_raq.text import size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.config import ModelDefinition, SuiteDefinition
    from pytest_raq.doctor.context import CheckContext
    from pytest_raq.records.command_results import Finding
    from pytest_raq.store.maintenance import StoreState

_SECTION = "project"
_QUICKLY_READ = 500_000_000
"""Maximum bytes of a file whose SHA-256 is computed here: one or two seconds."""
_QUICKLY_PARSED = 20_000_000
"""Maximum bytes of a file whose questions are read here."""
_SLOW_TO_READ = {".parquet"}


def look_at_definitions(context: CheckContext) -> Iterator[Finding]:
    """Yield whether the suites and models can be read, with the models and questions they use."""
    for name, folder in (("suites", context.suites_folder), ("models", context.models_folder)):
        if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
            step = f"check the owner and the permissions of {folder}"
            yield finding(_SECTION, name, Health.FAILURE, f"{folder} cannot be read", step)
    if not context.suites_folder.is_dir():
        text = f"there is no folder {context.suites_folder}"
        yield finding(_SECTION, "suites", Health.WARNING, text, "raq init starts a project here")
    elif not context.suites:
        text = f"{context.suites_folder} has no suite NAME.toml"
        yield finding(_SECTION, "suites", Health.WARNING, text, "raq init writes one")
    for kind, folder, read in (
        ("suite", context.suites_folder, context.suites),
        ("model", context.models_folder, context.models),
    ):
        for name, item in read.items():
            if isinstance(item, RaqError):
                told = split_step(str(item), f"correct {folder / name}.toml")
                yield finding(_SECTION, f"{kind} {name}", Health.FAILURE, *told)
    for suite in context.readable_suites:
        try:
            yield _suite(context, suite)
        except Exception as exc:  # noqa: BLE001 - the other suites are still checked
            yield unexpected(_SECTION, f"suite {suite.name}", exc)


def _suite(context: CheckContext, suite: SuiteDefinition) -> Finding:
    name, health = f"suite {suite.name}", Health.FAILURE if suite.default else Health.WARNING
    known = {*context.models, "reference"}
    absent = [each for each in (*suite.models, *suite.judges) if each not in known]
    if absent:
        text = f"names {', '.join(absent)}, but {context.models_folder} has no such definition"
        return finding(_SECTION, name, Health.FAILURE, text, f"correct {suite.path}")
    try:
        questions = _questions(context, suite)
        accepted = _accepted(context, suite)
    except RaqError as exc:
        return finding(_SECTION, name, health, *split_step(str(exc), f"correct {suite.path}"))
    text = f"{_count(len(suite.models), 'model')}, judge {', '.join(suite.judges)}"
    return finding(_SECTION, name, Health.OK, f"{text}, {questions}, {accepted}")


def _questions(context: CheckContext, suite: SuiteDefinition) -> str:
    """Return a text about the questions of a suite; raise DatasetError if unreadable."""
    source, folder = suite.dataset.source, suite.path.parent
    if context.asks_hub(suite):
        return f"questions of {source} on a hub"
    path = folder / Path(source).expanduser()
    is_quick = path.is_file() and path.stat().st_size <= _QUICKLY_PARSED
    if path.exists() and (not is_quick or path.suffix.lower() in _SLOW_TO_READ):
        return f"questions of {source}"
    found = load_questions(suite.dataset, folder)
    return f"{_count(len(found.questions), 'question')} of {source}"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _accepted(context: CheckContext, suite: SuiteDefinition) -> str:
    """Return when baseline and anchor were accepted; BaselineError if one cannot be read."""
    folder = context.baselines_folder
    baseline, anchor = load_baseline(folder, suite.name), load_anchor(folder, suite.name)
    if baseline is None:
        return "no baseline yet"
    told = f"accepted {baseline.accepted_at[:10]}"
    return told if anchor is None else f"{told}, anchor of {anchor.accepted_at[:10]}"


def look_at_files(context: CheckContext) -> Iterator[Finding]:
    """Yield whether the files of models exist, are complete, and are the right ones."""
    for model in context.readable_models:
        if model.file is not None:
            try:
                yield _model_file(context, model)
            except Exception as exc:  # noqa: BLE001 - the other files are still checked
                yield unexpected(_SECTION, f"model {model.name}", exc)


def _model_file(context: CheckContext, model: ModelDefinition) -> Finding:
    name = f"model {model.name}"
    try:
        size = file_size(model.file_path)
        checked = bool(model.sha256) and size <= _QUICKLY_READ
        verify_model_file(model, None if checked else lambda _: model.sha256 or "")
    except RaqError as exc:
        told = split_step(str(exc), f"correct {model.path}")
        return finding(_SECTION, name, context.trouble(model.name), *told)
    text = f"{model.file}, {size_text(size)}"
    if model.sha256 and not checked:
        return finding(_SECTION, name, Health.OK, f"{text}; raq models verify checks its SHA-256")
    return finding(_SECTION, name, Health.OK, f"{text}{', SHA-256 as defined' * checked}")


def look_at_store(context: CheckContext) -> Iterator[Finding]:
    """Yield whether the store can be read and written."""
    path = context.store
    try:
        state = inspect_store(path)
    except RaqError as exc:
        otherwise = "keep a copy of it if you need its answers, or choose another with --raq-store"
        told = split_step(str(exc), otherwise)
        yield finding(_SECTION, "store", Health.WARNING, *told)
    else:
        yield _store(path, state)


def _store(path: Path, state: StoreState | None) -> Finding:
    if state is None:
        text = f"{path} does not exist; the first run creates it"
        return finding(_SECTION, "store", Health.OK, text)
    told = f"{path}, {size_text(state.size)}, {_count(state.answers, 'answer')}"
    told += f", {_count(state.runs, 'run')}, format {state.format}"
    if state.format < FORMAT:
        told += f"; the next run makes it format {FORMAT}"
    if not state.is_checked:
        told += "; too large to check each page"
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        step = f"check the permissions of {path}, or choose another with --raq-store"
        text = f"{told}; it cannot be written"
        return finding(_SECTION, "store", Health.WARNING, text, step)
    if state.is_locked:
        step = "wait for that process, or end it"
        return finding(
            _SECTION, "store", Health.WARNING, f"{told}; locked by another process", step
        )
    return finding(_SECTION, "store", Health.OK, told)
