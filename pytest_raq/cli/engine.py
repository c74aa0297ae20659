"""``raq engine``: the same suite under another llama-cpp-python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.exit_codes import verdict_code
from pytest_raq.cli.output import write_result
from pytest_raq.cli.trial_options import add_trial_options, session_options

if TYPE_CHECKING:
    import argparse


def add_engine_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq engine``."""
    text = "run a suite under today's llama-cpp-python and under another one, and gate the change"
    parser = commands.add_parser("engine", help=text, description=text)
    parser.add_argument(
        "--python",
        type=Path,
        required=True,
        metavar="PATH",
        help="the python, or the folder of the virtual environment, with the other one",
    )
    parser.add_argument("--models", default="", metavar="A,B", help="only these models")
    add_trial_options(parser)
    parser.set_defaults(command=_engine)


def _engine(options: argparse.Namespace) -> int:
    from contextlib import closing

    from pytest_raq.cli.progress import CommandProgress
    from pytest_raq.report.engine_trial import trial_lines, trial_to_json
    from pytest_raq.session import Session, split_names
    from pytest_raq.session.engine_trial import try_engine

    wanted = session_options(
        options,
        python=Path.cwd() / options.python.expanduser(),
        models=split_names(options.models),
    )
    progress = CommandProgress()
    with closing(Session(wanted, progress=progress)) as session:
        try:
            trial = try_engine(session, options.suite, progress)
        finally:
            progress.clear()
        settings, notices = session.suite(options.suite).gate, session.notices
    lines = [line.text for line in trial_lines(trial)]
    write_result([*lines, *notices], trial_to_json(trial), options.json)
    return verdict_code(trial.result, settings)
