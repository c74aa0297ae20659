"""``raq judge check``: a judge under test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import (
    add_folder_options,
    add_gate_options,
    add_json_option,
    add_python_option,
    add_store_option,
    gate_settings,
    whole_number,
)
from pytest_raq.cli.output import ExitCode, write_result
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from pytest_raq.config import SuiteDefinition
    from pytest_raq.judging.suite_check import CheckedJudge

GATE_OPTIONS = ("min_judge_accuracy",)
QUESTIONS = 20
"""Questions that sentinels are made from: 60 cases, 120 pairs of known order."""

DESCRIPTION = (
    "Let a judge rank sentinels, answers of known order that are made from the questions of a"
    " suite, and report its accuracy; with --human also its agreement with people."
)
EXIT_CODES = "exit codes: 0 the judge can be trusted, 1 it cannot, 2 usage, 3 could not be measured"


def add_judge_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq judge check``."""
    parser = commands.add_parser("judge", help="test a judge")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        help="let a judge rank answers of known order",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
    )
    check.add_argument(
        "--suite",
        action="append",
        default=[],
        metavar="NAME",
        help="take questions and judges from this suite (repeatable);"
        " default: every suite with default = true",
    )
    check.add_argument(
        "--judge", default="", metavar="NAME", help="check this judge instead, or several: A,B,C"
    )
    check.add_argument(
        "--human", type=Path, metavar="FILE", help="rankings by people, one JSON object per line"
    )
    check.add_argument(
        "--questions",
        type=whole_number,
        default=QUESTIONS,
        metavar="N",
        help=f"make sentinels from N questions, three cases each (default: {QUESTIONS})",
    )
    add_folder_options(check, "suites", "models", "baselines")
    check.add_argument("--fresh", action="store_true", help="do not reuse stored rankings")
    add_python_option(check)
    add_store_option(check)
    add_json_option(check)
    add_gate_options(check, GATE_OPTIONS)
    check.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    from pytest_raq.cli.output import CommandProgress
    from pytest_raq.judging.suite_check import Check, check_suite
    from pytest_raq.running import split_names
    from pytest_raq.store import open_for_run

    suites = [
        suite.model_copy(
            update={"gate": gate_settings(options, GATE_OPTIONS, suite.gate)}
            | ({"judge": suite.judged_by(split_names(options.judge))} if options.judge else {})
        )
        for suite in _suites(options)
    ]
    if not all(suite.judges for suite in suites):
        raise ConfigError(f"--judge {options.judge!r}: name a judge, or several as A,B,C")
    store = open_for_run(options.store)
    check = Check(
        models_folder=options.models_folder,
        baselines_folder=options.baselines_folder,
        store=store,
        questions=options.questions,
        progress=CommandProgress(),
        human=options.human,
        fresh=options.fresh,
        allow_python=options.allow_python,
    )
    try:
        found = {suite.name: check_suite(suite, check) for suite in suites}
    finally:
        store.close()
    _write(found, store.notices, options)
    return _exit_code([item for items in found.values() for item in items])


def _suites(options: argparse.Namespace) -> list[SuiteDefinition]:
    from pytest_raq.config import load_suite, suite_names

    folder = options.suites_folder
    if options.suite:
        return [load_suite(folder, name) for name in dict.fromkeys(options.suite)]
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is not a folder; name it with --suites-folder")
    found = [load_suite(folder, name) for name in suite_names(folder)]
    chosen = [suite for suite in found if suite.default]
    if not chosen:
        names = ", ".join(suite.name for suite in found)
        told = f"name one with --suite ({names})" if found else "a suite is a file NAME.toml there"
        raise ConfigError(f"no suite in {folder} has default = true: {told}")
    return chosen


def _write(
    found: dict[str, list[CheckedJudge]], notices: list[str], options: argparse.Namespace
) -> None:
    from pytest_raq.report.json.result import JSON_FORMAT, check_to_json, humans_to_json
    from pytest_raq.report.terminal.judges import check_lines, human_lines

    lines = []
    for suite, items in found.items():
        for item in items:
            lines += ["", f"{suite}: {check_lines(item.check)[0]}", *check_lines(item.check)[1:]]
            lines += human_lines(item.people) if item.people else []
            lines += [f"spent        {item.spent}"] if item.spent else []
            lines += [f"note         {item.note}"] if item.note else []
            lines.append(f"verdict      {item.problem or 'the judge can be trusted'}")
    tables = {
        suite: {
            item.check.judge: {
                "check": check_to_json(item.check),
                "human": humans_to_json(item.people) if item.people else None,
                "problem": item.problem,
            }
            for item in items
        }
        for suite, items in found.items()
    }
    write_result([*lines[1:], *notices], {"format": JSON_FORMAT, "suites": tables}, options.json)


def _exit_code(found: list[CheckedJudge]) -> ExitCode:
    if any(item.unmeasured for item in found):
        return ExitCode.NOT_MEASURED
    return ExitCode.REGRESSION if any(item.problem for item in found) else ExitCode.FINE
