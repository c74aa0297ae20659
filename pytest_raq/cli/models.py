"""``raq models``: what is defined, and whether the files are there and right."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError, RaqError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pytest_raq.config import ModelDefinition


def add_models_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq models list`` and ``raq models verify``."""
    parser = commands.add_parser("models", help="list and verify model definitions")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for name, help_text, command in (
        ("list", "name every definition with its file", _list),
        ("verify", "check that every file is there and has the right SHA-256", _verify),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.add_argument("names", nargs="*", metavar="NAME", help="only these models")
        action.add_argument(
            "--folder",
            type=Path,
            default=Path("models"),
            help="folder of the definitions (default: models)",
        )
        action.set_defaults(command=command)


def _definitions(options: argparse.Namespace) -> Iterator[ModelDefinition]:
    from pytest_raq.config import load_model, suite_names

    if not options.folder.is_dir():
        raise ConfigError(f"{options.folder}: is no folder; name it with --folder")
    names = options.names or suite_names(options.folder)
    if not names:
        raise ConfigError(f"{options.folder}: holds no definition; a model is a file NAME.toml")
    for name in names:
        yield load_model(options.folder, name)


def _list(options: argparse.Namespace) -> int:
    for model in _definitions(options):
        place = str(model.file_path) if model.file else getattr(model.openai, "base_url", "")
        sys.stdout.write(f"{model.name}: {model.engine}, {place}\n")
    return 0


def _verify(options: argparse.Namespace) -> int:
    problems = 0
    for model in _definitions(options):
        problem = _problem(model)
        problems += bool(problem)
        sys.stdout.write(f"{model.name}: {problem or 'fine'}\n")
    if problems:
        raise RaqError(f"{problems} of the models cannot be run as they are defined")
    return 0


def _problem(model: ModelDefinition) -> str:
    if model.file is None:
        return ""
    try:
        with model.file_path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        return f"{model.file_path}: {exc.strerror}"
    if model.sha256 is not None and digest != model.sha256:
        return f"{model.file_path}: SHA-256 is {digest}, the definition says {model.sha256}"
    return ""
