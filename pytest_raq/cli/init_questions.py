"""What ``raq init`` wants to know: from flags, or asked on a terminal."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_raq.errors import ConfigError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pytest_raq.scaffold import Choices, Contestant, Questions

T = TypeVar("T")

CI_SYSTEMS = ("github", "gitlab", "jenkins", "none")
_FIRST_SUITE = "first"
_NONE = "none"
_STARTER = "some to start from"


def read_choices(options: argparse.Namespace, folder: Path) -> Choices:
    """Return what the flags say, with defaults; ConfigError when they do not suffice."""
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
    """Ask for what the flags leave open; a wrong answer is told and asked for again.

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
    """Return what a flag or the user says; asks again until it can be read."""
    if given is not None:
        return read(given)
    while True:
        text = input(f"{label} [{default}]: " if default else f"{label}: ").strip() or default
        try:
            return read(text)
        except UsageError as exc:
            sys.stdout.write(f"  {exc}\n")


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
        raise ConfigError(f"{text!r} is no CI that is known{nearest(text, CI_SYSTEMS)}")
    return text
