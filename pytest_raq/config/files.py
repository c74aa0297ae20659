"""Read TOML files into definitions; every error of a file is told at once."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from pytest_raq.config.base import Settings
from pytest_raq.config.models import ModelDefinition
from pytest_raq.config.prompts import PromptSettings, load_messages, load_template
from pytest_raq.config.suites import DatasetSettings, SuiteDefinition
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

S = TypeVar("S", SuiteDefinition, ModelDefinition)


def suite_names(folder: Path) -> list[str]:
    """Return the names of all suites of a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load_suite(folder: Path, name: str) -> SuiteDefinition:
    """Read ``folder/NAME.toml``; ConfigError names the file and every wrong key."""
    suite = _load(SuiteDefinition, folder, name, "suite")
    if suite.prompt is None:
        return suite
    return suite.model_copy(update={"prompt": _load_prompt(suite.path, suite.prompt)})


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
    """Return where questions come from by a source that was typed.

    The TOML file of a suite stands for its questions, whose path is made
    absolute. ``changes`` are settings that were typed beside, ``otherwise``
    those of a source that is no suite.
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


def _load(kind: type[S], folder: Path, name: str, noun: str) -> S:
    path = folder / f"{name}.toml"
    table = read_toml(path, noun, suite_names(folder))
    for key in ("name", "path"):
        if key in table:
            raise ConfigError(f"{path}: {key} is not a key: the file's name and place say it")
    try:
        return kind.model_validate({**table, "name": name, "path": path})
    except ValidationError as exc:
        told = "; ".join(_tell(error, kind) for error in exc.errors(include_url=False))
        raise ConfigError(f"{path}: {told}") from exc


def read_toml(path: Path, noun: str, known: list[str]) -> dict[str, Any]:
    """Parse a TOML file; ConfigError when it is absent, unreadable or not TOML."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as exc:
        raise ConfigError(
            f"no {noun} {path.stem!r}: {path} does not exist{_hint(path.stem, known)}"
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read: {exc}") from exc
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}: is not TOML: {exc}") from exc


def _hint(wrong: str, known: list[str]) -> str:
    near = difflib.get_close_matches(wrong, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(known)}" if known else ""


def _tell(error: ErrorDetails, kind: type[Settings]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {where}{_hint(str(error['loc'][-1]), _keys(kind, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{where} is missing"
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    given = f" (got {error['input']!r})" if error["type"] != "value_error" else ""
    return f"{where}: {message}{given}" if where else message


def _keys(kind: type[Settings], loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the table at ``loc``."""
    for part in loc:
        if isinstance(part, int):  # of a list; its items all have the same keys
            continue
        annotation = kind.model_fields[part].annotation
        options = getattr(annotation, "__args__", (annotation,))
        kind = next(o for o in options if isinstance(o, type) and issubclass(o, Settings))
    return [key for key in kind.model_fields if key not in ("name", "path") or loc]
