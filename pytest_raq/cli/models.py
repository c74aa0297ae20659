"""``raq models``: what is defined, whether the files are there and right, and how to get them."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.exit_codes import ExitCode
from pytest_raq.cli.models_pull import add_pull_action
from pytest_raq.errors import ConfigError, MeasurementError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pytest_raq.config import ModelDefinition


def add_models_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq models list``, ``raq models verify`` and ``raq models pull``."""
    parser = commands.add_parser("models", help="list, verify and pull models")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for name, help_text, command in (
        ("list", "name every definition with its file, and whether that is there", _list),
        ("verify", "check that every file is there and has the right SHA-256", _verify),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.add_argument("names", nargs="*", metavar="NAME", help="only these models")
        add_folder_option(action)
        action.set_defaults(command=command)
    add_folder_option(add_pull_action(actions))


def add_folder_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--folder FOLDER``."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("models"),
        help="folder of the definitions (default: models)",
    )


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
        sys.stdout.write(f"{model.name}: {model.engine}, {place}{_state(model)}\n")
    return ExitCode.FINE


def _state(model: ModelDefinition) -> str:
    from pytest_raq.report.text import size_text

    if model.file is None:
        return ""
    if _is_not_pulled(model):
        return f", not pulled (raq models pull {model.name})"
    problem = _problem(model)
    if problem and not model.file_path.is_file():
        return ", missing"
    size = size_text(model.file_path.stat().st_size)
    known = "present" if model.sha256 else "present, no sha256 to check it by"
    return f", {size}, {'another file than sha256 says' if problem else known}"


def _is_not_pulled(model: ModelDefinition) -> bool:
    """Whether there is no file yet, but a place to get it from."""
    return model.file is not None and model.source is not None and not model.file_path.exists()


def _verify(options: argparse.Namespace) -> int:
    problems = 0
    for model in _definitions(options):
        if _is_not_pulled(model):
            # Whoever names a model wants to know whether it can be run.
            problems += bool(options.names)
            sys.stdout.write(f"{model.name}: not pulled (raq models pull {model.name})\n")
            continue
        problem = _problem(model)
        problems += bool(problem)
        sys.stdout.write(f"{model.name}: {problem or _fine(model)}\n")
    if problems:
        raise MeasurementError(f"{problems} of the models cannot be run as they are defined")
    return ExitCode.FINE


def _fine(model: ModelDefinition) -> str:
    is_checked = model.file is None or model.sha256 is not None
    return "fine" if is_checked else "there, and the definition has no sha256 to check it by"


def _problem(model: ModelDefinition) -> str:
    if model.file is None:
        return ""
    try:
        with model.file_path.open("rb") as file:
            if model.sha256 is None:
                return ""
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        return f"{model.file_path}: {exc.strerror}"
    if digest != model.sha256:
        return f"{model.file_path}: SHA-256 is {digest}, the definition says {model.sha256}"
    return ""
