"""``raq init``: a suite, a model, questions and a workflow to start from."""

from __future__ import annotations

import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.exit_codes import ExitCode
from pytest_raq.cli.init_questions import CI_SYSTEMS, ask_choices, read_choices
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from pytest_raq.scaffold import Choices, Plan

_LARGE = 500_000_000
"""Bytes of a file whose SHA-256 takes so long that one is told."""


def add_init_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq init``."""
    text = "write a suite, a model definition, questions and a CI workflow to start from"
    parser = commands.add_parser(
        "init",
        help=text,
        description=f"{text}. With --model nothing is asked; without, a terminal is.",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="the project (default: this folder)",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="[NAME=]MODEL",
        help="a GGUF file, URL[#MODEL] of an OpenAI-compatible server, OWNER/REPO/FILE.gguf or"
        " OWNER/REPO:Q4_K_M of a hub, or a definition that is there (repeatable)",
    )
    parser.add_argument(
        "--questions",
        metavar="FILE",
        help="SQuAD or other JSON, JSONL, CSV or Parquet (default: some to start from)",
    )
    parser.add_argument(
        "--suite", metavar="NAME", help="the name of the suite (default: that of the questions)"
    )
    parser.add_argument(
        "--judge",
        metavar="NAME",
        help="who ranks: reference, a definition, or URL#MODEL of a server (default: reference)",
    )
    parser.add_argument(
        "--ci", choices=CI_SYSTEMS, help="whose workflow to write (default: what the folder uses)"
    )
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.set_defaults(command=_init)


def _init(options: argparse.Namespace) -> int:
    from pytest_raq.scaffold import plan_project, write_files

    folder = _folder(options.folder)
    try:
        is_asked = not options.model and sys.stdin.isatty()
        choices = (ask_choices if is_asked else read_choices)(options, folder)
        _tell_hashing(choices)
        plan = plan_project(choices)
        written = write_files(plan, force=options.force)
    except (KeyboardInterrupt, EOFError) as exc:
        sys.stdout.write("\n")
        raise ConfigError("init: stopped; nothing was written") from exc
    for line in _told(choices, plan, written):
        sys.stdout.write(f"{line}\n")
    return ExitCode.FINE


def _folder(folder: Path) -> Path:
    try:
        path = Path(os.path.normpath(folder.expanduser().absolute()))
        str(path).encode()  # definitions are UTF-8, and name it
        is_wrong = path.exists() and not path.is_dir()
    except (OSError, RuntimeError, ValueError) as exc:
        raise ConfigError(f"{str(folder)!r}: is not a path: {exc}") from exc
    if is_wrong:
        raise ConfigError(f"{folder}: is a file; raq init needs a folder")
    return path


def _tell_hashing(choices: Choices) -> None:
    for model in choices.models:
        if model.file and (size := model.file.stat().st_size) > _LARGE:
            sys.stderr.write(f"raq: reading {model.file} for its SHA-256, {size / 1e9:.1f} GB\n")


def _told(choices: Choices, plan: Plan, written: Mapping[str, bool]) -> Iterator[str]:
    """Yield what was written, what to know of it, and what to type next."""
    from pytest_raq.store import show_path

    for name, is_new in written.items():
        yield f"{'wrote' if is_new else 'kept '} {show_path(plan.folder / name)}"
    for note in plan.notes:
        yield f"note: {note}"
    yield "next:"
    steps = list(_steps(choices, plan))
    width = max(len(command) for command, _ in steps)
    for command, why in steps:
        yield f"  {command:{width}}  # {why}"


def _steps(choices: Choices, plan: Plan) -> Iterator[tuple[str, str]]:
    folder = plan.folder
    if folder != Path.cwd():
        yield f"cd {shlex.quote(os.path.relpath(folder))}", "the project"
    runs_here = any(model.file or model.hub for model in choices.models)
    if runs_here and find_spec("llama_cpp") is None:
        yield "pip install -r suites/requirements.txt", "llama.cpp"
    hubs = [model.name for model in choices.models if model.hub]
    if hubs:
        yield f"raq models pull {' '.join(hubs)}", "fetch the file"
    yield "pytest suites/ --raq-update", "ask, rank, and accept today's answers"
    yield "pytest suites/", "the gate: green while nothing gets worse"
    if any((place / ".git").exists() for place in (folder, *folder.parents)):
        yield f"git add {' '.join(map(shlex.quote, plan.tracked))}", "baselines/ too"
