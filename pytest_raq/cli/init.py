"""``raq init``: from flags, or a few questions, to a project."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_raq.cli.output import ExitCode
from pytest_raq.engines.llamacpp.engine_build import pip_install
from pytest_raq.errors import ConfigError, UsageError
from pytest_raq.text import message_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping

    from pytest_raq.scaffold import Choices, Contestant, Plan, Questions


T = TypeVar("T")

CI_SYSTEMS = ("github", "gitlab", "jenkins", "none")
_FIRST_SUITE = "first"
_NONE = "none"
_STARTER = "some to start from"

_LARGE = 500_000_000
"""Bytes of a file whose SHA-256 takes so long that it is announced."""


def read_choices(options: argparse.Namespace, folder: Path) -> Choices:
    """Return the choices of the flags, with defaults; ConfigError when a flag is missing."""
    from pytest_raq.scaffold import Choices, check_suite_name, find_judge, guess_ci

    models = tuple(_model(text, folder) for text in options.model or [_only_model(folder)])
    questions = _questions(options.questions or _STARTER, folder)
    suite = check_suite_name(options.suite or _suite_name(questions))
    return Choices(
        folder=folder,
        models=models,
        questions=questions or _starter(suite, folder),
        suite=suite,
        judge=find_judge(options.judge or "reference", folder),
        ci=options.ci or guess_ci(folder),
    )


def ask_choices(options: argparse.Namespace, folder: Path) -> Choices:
    """Ask for what the flags leave open; a wrong answer is reported, then asked again.

    KeyboardInterrupt and EOFError when the user stops.
    """
    from pytest_raq.scaffold import Choices, check_suite_name, find_judge, guess_ci

    sys.stdout.write("A model: a GGUF file, the URL of an OpenAI-compatible server, a hub id\n")
    models = _ask_models(folder)
    questions = _ask(
        "Questions, a file",
        options.questions,
        _STARTER,
        lambda text: _questions(text, folder),
    )
    suite = _ask("Name of the suite", options.suite, _suite_name(questions), check_suite_name)
    judge = _ask("Judge", options.judge, "reference", lambda text: find_judge(text, folder))
    ci = _ask(f"CI: {', '.join(CI_SYSTEMS)}", options.ci, guess_ci(folder), _ci)
    starter = questions or _starter(suite, folder)
    return Choices(folder, models, starter, suite, judge, ci)


def _ask_models(folder: Path) -> tuple[Contestant, ...]:
    from pytest_raq.scaffold import local_models

    here = local_models(folder)
    default = _shown(here[0], folder) if here else ""
    models = [_ask("Model", None, default, lambda text: _model(text, folder))]
    while True:
        more = _ask("Another model", None, _NONE, lambda text: _another(text, folder))
        if more is None:
            return tuple(models)
        models.append(more)


def _ask(label: str, given: str | None, default: str, read: Callable[[str], T]) -> T:
    """Return the value of a flag, or of the user; ask again until it can be read."""
    if given is not None:
        return read(given)
    while True:
        text = input(f"{label} [{default}]: " if default else f"{label}: ").strip() or default
        try:
            return read(text)
        except UsageError as exc:
            sys.stdout.write(f"  {message_text(str(exc))}\n")


def _only_model(folder: Path) -> str:
    from pytest_raq.scaffold import local_models

    here = local_models(folder)
    if len(here) == 1:
        return _shown(here[0], folder)
    told = f"{len(here)} GGUF files are in {folder}" if here else f"no GGUF file is in {folder}"
    raise ConfigError(
        f"raq init: which model? {told}: give --model FILE, the URL of a server, or a hub id"
    )


def _shown(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if folder == Path.cwd() else str(path)


def _model(text: str, folder: Path) -> Contestant:
    from pytest_raq.scaffold import find_contestant

    return find_contestant(text, folder)


def _another(text: str, folder: Path) -> Contestant | None:
    return None if text == _NONE else _model(text, folder)


def _questions(text: str, folder: Path) -> Questions | None:
    """Return the questions of a file; None for those to start from, which need a name first."""
    from pytest_raq.scaffold import find_questions

    return None if text == _STARTER else find_questions(text, folder)


def _starter(suite: str, folder: Path) -> Questions:
    from pytest_raq.scaffold import starter_questions

    return starter_questions(suite, folder)


def _suite_name(questions: Questions | None) -> str:
    """Return the name that the file of questions suggests."""
    stem = Path(questions.source).name.partition(".")[0] if questions else _FIRST_SUITE
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or _FIRST_SUITE


def _ci(text: str) -> str:
    from pytest_raq.config import nearest

    if text not in CI_SYSTEMS:
        raise ConfigError(f"{text!r} is not a known CI{nearest(text, CI_SYSTEMS)}")
    return text


def add_init_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq init``."""
    text = "write a suite, a model definition, questions and a CI workflow to start from"
    parser = commands.add_parser(
        "init",
        help=text,
        description=f"{text}. With --model it asks nothing; without it, it asks on the terminal.",
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
        " OWNER/REPO:Q4_K_M of a hub, or an existing definition (repeatable)",
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
    parser.add_argument("--force", action="store_true", help="replace existing files")
    parser.set_defaults(command=_init)


def _init(options: argparse.Namespace) -> int:
    from pytest_raq.scaffold import plan_project, write_files

    folder = _folder(options.folder)
    try:
        is_asked = not options.model and sys.stdin.isatty()
        choices = (ask_choices if is_asked else read_choices)(options, folder)
        _tell_hashing(choices)
        choices = _tried(_priced(choices))
        plan = plan_project(choices)
        written = write_files(plan, force=options.force)
    except (KeyboardInterrupt, EOFError) as exc:
        sys.stdout.write("\n")
        raise ConfigError("init: stopped; nothing was written") from exc
    for line in _told(choices, plan, written):
        sys.stdout.write(f"{message_text(line)}\n")
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


def _priced(choices: Choices) -> Choices:
    """Return the choices with what reproducible answers cost, of each file that can be timed."""
    from pytest_raq.scaffold.price import can_be_timed, measure_price
    from pytest_raq.scaffold.toml_text import context_length

    prices = {}
    for model in choices.models:
        if model.file is None or not can_be_timed(model.file):
            continue
        told = f"raq: asking {model.file.name} some questions, to see what reproducible answers"
        sys.stderr.write(f"{told} cost; takes up to a minute\n")
        length = context_length(model, choices.questions.longest)
        if price := measure_price(model.file, choices.questions.examples, length):
            prices[model.name] = price
    return replace(choices, prices=prices)


def _tried(choices: Choices) -> Choices:
    """Return the choices with what two requests at once showed of each server."""
    from pytest_raq.scaffold import Contestant
    from pytest_raq.scaffold.server_trial import can_be_tried, try_two_at_once

    asked = [*choices.models, *([choices.judge] if isinstance(choices.judge, Contestant) else [])]
    trials = {}
    for model in asked:
        if can_be_tried(model):
            told = f"raq: asking {model.name} twice at once, to see whether its server takes that"
            sys.stderr.write(f"{told}\n")
            trials[model.name] = try_two_at_once(model)
    return replace(choices, trials=trials)


def _told(choices: Choices, plan: Plan, written: Mapping[str, bool]) -> Iterator[str]:
    """Yield what was written, what to know of it, and what to type next."""
    from pytest_raq.files import show_path

    for name, is_new in written.items():
        yield f"{'wrote' if is_new else 'kept '} {show_path(plan.folder / name)}"
    for name, price in choices.prices.items():
        yield f"note: reproducible answers of {name} take ×{price.ratio:.2f} of the usual time here"
    for note in plan.notes:
        yield f"note: {note}"
    yield "next:"
    steps = list(_steps(choices, plan))
    width = min(max(len(command) for command, _ in steps), 60)
    for command, why in steps:
        yield f"  {command:{width}}  # {why}"


def _steps(choices: Choices, plan: Plan) -> Iterator[tuple[str, str]]:
    folder = plan.folder
    if folder != Path.cwd():
        yield f"cd {shlex.quote(os.path.relpath(folder))}", "the project"
    runs_here = any(model.file or model.hub for model in choices.models)
    if runs_here and find_spec("llama_cpp") is None:
        yield pip_install("-r suites/requirements.txt"), "llama.cpp"
    hubs = [model.name for model in choices.models if model.hub]
    if hubs:
        yield f"raq models pull {' '.join(hubs)}", "fetch the file"
    yield "pytest suites/ --raq-update", "ask, rank, and accept today's answers"
    yield "pytest suites/", "the gate: green while nothing gets worse"
    if any((place / ".git").exists() for place in (folder, *folder.parents)):
        yield f"git add {' '.join(map(shlex.quote, plan.tracked))}", "baselines/ too"
