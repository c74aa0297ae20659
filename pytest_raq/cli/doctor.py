"""``raq doctor``: what is wrong here, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import (
    add_folder_options,
    add_json_option,
    add_python_option,
    add_store_option,
)
from pytest_raq.cli.output import ExitCode, write_result

if TYPE_CHECKING:
    import argparse


def add_doctor_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq doctor``."""
    text = "check everything that a run needs; report what is wrong and what to do next"
    parser = commands.add_parser(
        "doctor",
        help=text,
        description=f"{text}. Nothing is changed, and no key is shown: send its output along"
        " with a report of a bug.",
        epilog="exit codes: 0 nothing failed (there may be warnings), 2 usage, 3 a failure",
    )
    parser.add_argument(
        "--python",
        type=Path,
        metavar="PATH",
        help="check the llama-cpp-python of another python or virtual environment",
    )
    add_python_option(parser)
    parser.add_argument("--offline", action="store_true", help="contact no hub and no server")
    add_folder_options(parser, "suites", "models")
    add_store_option(parser)
    add_json_option(parser)
    parser.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from pytest_raq.cli.output import CommandProgress
    from pytest_raq.doctor import CheckContext, examine
    from pytest_raq.records.command_results import Health
    from pytest_raq.report.terminal.commands import diagnosis_lines, diagnosis_to_json

    context = CheckContext(
        folder=Path.cwd(),
        suites_folder=options.suites_folder,
        models_folder=options.models_folder,
        store=options.store,
        python=options.python.expanduser() if options.python else None,
        offline=options.offline,
        allow_python=options.allow_python,
    )
    progress = CommandProgress()
    try:
        diagnosis = examine(context, lambda section: progress.show(f"looking at {section}"))
    finally:
        progress.clear()
    write_result(diagnosis_lines(diagnosis), diagnosis_to_json(diagnosis), options.json)
    return ExitCode.NOT_MEASURED if diagnosis.count(Health.FAILURE) else ExitCode.FINE
