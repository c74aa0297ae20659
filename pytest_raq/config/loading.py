"""Read TOML files into definitions; all errors of a file are reported at once."""

from __future__ import annotations

import codecs
import tomllib
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from pytest_raq.config.diagnostics import nearest, tell_errors
from pytest_raq.config.models import ModelDefinition
from pytest_raq.config.permissions import place_in_project
from pytest_raq.config.prompts import PromptSettings, load_messages, load_template
from pytest_raq.config.suites import DatasetSettings, SuiteDefinition
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S", SuiteDefinition, ModelDefinition)

_MOST_BYTES = 1_000_000
"""A definition is short; a larger file was named by mistake."""


def suite_names(folder: Path) -> list[str]:
    """Return the names of all suites of a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.toml") if not path.name.startswith("."))


def load_suite(folder: Path, name: str) -> SuiteDefinition:
    """Read ``folder/NAME.toml``; ConfigError names the file and every wrong key."""
    suite = _load(SuiteDefinition, folder, name, "suite")
    _check_source(suite)
    if suite.prompt is None:
        return suite
    return suite.model_copy(update={"prompt": _load_prompt(suite.path, suite.prompt)})


def _check_source(suite: SuiteDefinition) -> None:
    """Raise ConfigError if the questions are in a file that a definition may not name.

    An id of a hub looks like a relative path to nowhere.
    """
    source = suite.dataset.source
    if source.startswith(("~", "/", ".")) or _exists(suite.path.parent / source):
        place_in_project(suite.path, "dataset.source", source)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # reported where the questions are read
        return False


def _load_prompt(path: Path, prompt: PromptSettings) -> PromptSettings:
    """Return the prompt of a suite with its files read."""
    if prompt.messages:
        return PromptSettings(messages=load_messages(path, "prompt.messages", prompt.messages))
    if prompt.file is not None:
        return PromptSettings(template=load_template(path, "prompt.file", prompt.file))
    return prompt


def choose_dataset(
    source: str, changes: Mapping[str, object], otherwise: Mapping[str, object] | None = None
) -> DatasetSettings:
    """Return the dataset settings for a source given as an option.

    The TOML file of a suite means the questions of that suite, whose path is made
    absolute. ``changes`` are settings from other options, ``otherwise`` those
    of a source that is not a suite.
    """
    path = Path(source).expanduser()
    if path.suffix != ".toml":
        return DatasetSettings.model_validate({**(otherwise or {}), "source": source, **changes})
    dataset = load_suite(path.parent, path.stem).dataset
    place = path.parent / Path(dataset.source).expanduser()
    known = {"source": str(place.absolute())} if place.exists() else {}
    return dataset.model_copy(update={**known, **changes})


def load_model(folder: Path, name: str) -> ModelDefinition:
    """Read ``folder/NAME.toml``; ConfigError names the file and every wrong key."""
    model = _load(ModelDefinition, folder, name, "model")
    if model.prompt_file is not None:
        template = load_template(model.path, "prompt_file", model.prompt_file)
        return model.model_copy(update={"prompt": template})
    if model.messages:
        return model.with_messages(load_messages(model.path, "messages", model.messages))
    return model


def named_files(path: Path) -> list[str]:
    """Return the text files that a suite or a definition names, as it writes them.

    None if it cannot be read: that is reported where it is loaded.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return []
    prompt = table.get("prompt")
    parts = [prompt] if isinstance(prompt, dict) else []
    parts += [
        item
        for holder in (table, *parts)
        if isinstance(items := holder.get("messages"), list)
        for item in items
        if isinstance(item, dict)
    ]
    found = [table.get("prompt_file"), *(part.get("file") for part in parts)]
    return [file for file in found if isinstance(file, str) and file]


def _load(kind: type[S], folder: Path, name: str, noun: str) -> S:
    known = suite_names(folder)
    if not name.isprintable() or not name or {"/", "\\"} & set(name):
        raise ConfigError(
            f"no {noun} {name!r}: the name must be that of a file NAME.toml in {folder}"
            f"{_hint(name, known)}"
        )
    path = folder / f"{name}.toml"
    table = read_toml(path, noun, known)
    for key in ("name", "path"):
        if key in table:
            raise ConfigError(f"{path}: {key} is not a key: it follows from the path of the file")
    if "python_allowed" in table:
        raise ConfigError(
            f"{path}: python_allowed is not a key: it is the option --raq-allow-python"
        )
    own = {"name": name, "path": path}
    try:
        return kind.model_validate({**table, **own})
    except ValidationError as exc:
        told = tell_errors(exc.errors(include_url=False), kind)
        told += _told_late(kind, table, own, exc)
        raise ConfigError(f"{path}: {'; '.join(told)}") from exc


def _told_late(
    kind: type[S], table: Mapping[str, Any], own: Mapping[str, Any], first: ValidationError
) -> list[str]:
    """Return errors of the file as a whole, which pydantic checks only if all keys are right.

    For this check the wrong keys are removed; an error about one of them is then
    caused by its absence and is removed too.
    """
    wrong = {str(error["loc"][0]) for error in first.errors() if error["loc"]}
    try:
        kind.model_validate({**{k: v for k, v in table.items() if k not in wrong}, **own})
    except ValidationError as exc:
        found = [error for error in exc.errors(include_url=False) if not error["loc"]]
        told = tell_errors(found, kind)
        return [text for text in told if wrong and not any(key in text for key in wrong)]
    return []


def read_toml(path: Path, noun: str, known: list[str]) -> dict[str, Any]:
    """Parse a TOML file; raise ConfigError if it is missing, unreadable or not TOML."""
    text = _read_text(path, noun, known)
    try:
        return tomllib.loads(text)
    except RecursionError as exc:
        raise ConfigError(f"{path}: is not TOML of a {noun}: it is nested too deeply") from exc
    except tomllib.TOMLDecodeError as exc:
        told = str(exc).replace("Cannot overwrite a value", "a key occurs twice")
        raise ConfigError(f"{path}: is not TOML: {told}") from exc
    except ValueError as exc:  # a number of thousands of digits, an impossible date
        raise ConfigError(f"{path}: is not TOML: {str(exc).split(';')[0]}") from exc


def _read_text(path: Path, noun: str, known: list[str]) -> str:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ConfigError(f"{path}: is not a regular file; a {noun} is a file NAME.toml")
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as exc:
        raise ConfigError(
            f"no {noun} {path.stem!r}: {path} does not exist{_hint(path.stem, known)}"
        ) from exc
    except IsADirectoryError as exc:
        raise ConfigError(f"{path}: is a folder; a {noun} is a file NAME.toml") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    if len(raw) > _MOST_BYTES:
        raise ConfigError(f"{path}: is larger than 1 MB, too large for a definition of a {noun}")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError(f"{path}: is UTF-16; save it as UTF-8")
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise ConfigError(f"{path}: is not UTF-8 in line {line}; save it as UTF-8") from exc


def _hint(wrong: str, known: list[str]) -> str:
    """Return the nearest name; of a file name or path its stem is used."""
    return nearest(PurePath(wrong.replace("\\", "/")).name.removesuffix(".toml"), known)
