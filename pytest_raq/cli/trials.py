"""``raq ladder`` and ``raq engine``: a suite with smaller files, or another engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import add_trial_options, session_options
from pytest_raq.cli.output import ExitCode, verdict_code, write_result
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from pytest_raq.records.command_results import Ladder


def add_ladder_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq ladder``."""
    text = "quantize a model step by step and name the smallest file that is not worse"
    parser = commands.add_parser(
        "ladder",
        help=text,
        description=text,
        epilog="exit codes: 0 a smaller file is not worse, 1 none is, 2 usage, 3 a file could"
        " not be made or measured",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a definition, run from its file; MODEL=FILE for another file, as with --raq-swap",
    )
    parser.add_argument(
        "--to",
        default="",
        metavar="TYPES",
        help="the rungs (default: Q8_0,Q6_K,Q5_K_M,Q4_K_M,Q3_K_M,Q2_K,TQ1_0)",
    )
    parser.add_argument(
        "--from",
        dest="top",
        default="",
        metavar="TYPE",
        help="the top, e.g. F16 (default: the file as it is)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it: .png, .svg or .pdf")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep the files there (default: the folder ladder beside the store)",
    )
    add_trial_options(parser)
    parser.set_defaults(command=_ladder)


def _ladder(options: argparse.Namespace) -> int:
    from contextlib import closing

    from pytest_raq.cli.output import CommandProgress
    from pytest_raq.report.figures.ladder import draw_ladder
    from pytest_raq.report.figures.plot_file import require_plot
    from pytest_raq.report.json.commands import ladder_to_json
    from pytest_raq.report.terminal.trials import ladder_lines
    from pytest_raq.running import Session, split_names
    from pytest_raq.trials.ladder import DEFAULT_KINDS, LadderClimber

    kinds = split_names(options.to) if options.to else DEFAULT_KINDS
    if not kinds:
        raise ConfigError(f"--to {options.to!r}: name types, e.g. Q8_0,Q4_K_M")
    if options.plot is not None:
        require_plot(options.plot)
    progress = CommandProgress()
    with closing(Session(session_options(options), progress=progress)) as session:
        try:
            climber = LadderClimber(session, progress, kept=options.keep)
            ladder = climber.climb(options.suite, options.model, kinds, top_kind=options.top)
        finally:
            progress.clear()
        notices = session.notices
    lines = [line.text for line in ladder_lines(ladder)]
    write_result([*lines, *notices], ladder_to_json(ladder), options.json)
    if options.plot is not None:
        draw_ladder(ladder, options.plot)
    return _exit_code(ladder)


def _exit_code(ladder: Ladder) -> ExitCode:
    from pytest_raq.records import Decision

    def is_measured(rung: object) -> bool:
        verdict = getattr(rung, "verdict", None)
        return verdict is not None and verdict.decision is not Decision.NOT_MEASURED

    if not all(is_measured(rung) for rung in ladder.rungs):
        return ExitCode.NOT_MEASURED
    return ExitCode.FINE if ladder.smallest else ExitCode.REGRESSION


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

    from pytest_raq.cli.output import CommandProgress
    from pytest_raq.report.json.commands import trial_to_json
    from pytest_raq.report.terminal.trials import trial_lines
    from pytest_raq.running import Session, split_names
    from pytest_raq.trials.engine_trial import try_engine

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
