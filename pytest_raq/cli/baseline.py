"""``raq baseline``: what is accepted, and what changed between two accepted states."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import add_json_option, whole_number_or_zero
from pytest_raq.cli.output import ExitCode, write_result
from pytest_raq.errors import BaselineError

if TYPE_CHECKING:
    from pytest_raq.records import Baseline

_WHERE = "a file, the name of a suite, or REVISION:PATH of git"


def add_baseline_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq baseline show`` and ``raq baseline diff``."""
    parser = commands.add_parser("baseline", help="show accepted baselines and their changes")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    text = "show an accepted baseline"
    show = actions.add_parser("show", help=text, description=text)
    show.add_argument("baseline", metavar="SUITE|FILE", help=_WHERE)
    show.set_defaults(command=_show)
    text = "show what changed between two baselines, as Markdown for a pull request"
    diff = actions.add_parser("diff", help=text, description=text)
    diff.add_argument("old", metavar="OLD", help=_WHERE)
    diff.add_argument("new", metavar="NEW", help=_WHERE)
    diff.add_argument(
        "--alpha",
        type=_share,
        default=0.05,
        help="level at which two models count as different (default: 0.05)",
    )
    diff.add_argument(
        "--limit",
        type=whole_number_or_zero,
        default=50,
        metavar="N",
        help="changed answers listed for each model (default: 50); --json has all",
    )
    diff.set_defaults(command=_diff)
    for action in (show, diff):
        action.add_argument(
            "--folder",
            type=Path,
            default=Path("baselines"),
            help="folder of the baselines of suites (default: baselines)",
        )
        add_json_option(action)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return value


def _show(options: argparse.Namespace) -> int:
    from pytest_raq.records.plain import plain
    from pytest_raq.report.terminal.commands import baseline_lines

    baseline = _find(options.baseline, options.folder)
    write_result(baseline_lines(baseline), plain(baseline), options.json)
    return ExitCode.FINE


def _diff(options: argparse.Namespace) -> int:
    from pytest_raq.baselines.diff import diff_baselines
    from pytest_raq.report.json.commands import diff_to_json
    from pytest_raq.report.markdown.baseline_diff import diff_lines

    diff = diff_baselines(
        _find(options.old, options.folder),
        _find(options.new, options.folder),
        names=(options.old, options.new),
        alpha=options.alpha,
    )
    write_result(diff_lines(diff, limit=options.limit), diff_to_json(diff), options.json)
    return ExitCode.FINE


def _find(spec: str, folder: Path) -> Baseline:
    """Return a baseline by file, by suite, or by revision; in this order."""
    from pytest_raq.baselines.file import (
        load_anchor,
        load_baseline,
        read_baseline,
        read_revision,
    )

    if _is_file(spec):
        return read_baseline(Path(spec))
    if ":" in spec:
        return read_revision(spec)
    if Path(spec).name != spec or Path(spec).suffix == ".json":
        raise BaselineError(f"{spec}: is not a file; give {_WHERE}")
    suite, dot, _ = spec.rpartition(".anchor")
    baseline = load_anchor(folder, suite) if dot and suite else load_baseline(folder, spec)
    if baseline is None:
        known = ", ".join(sorted(path.stem for path in folder.glob("*.json"))) or "none"
        raise BaselineError(
            f"{spec}: is not a file, and {folder} has no baseline of that suite; it has {known}"
        )
    return baseline


def _is_file(spec: str) -> bool:
    try:
        return Path(spec).is_file()
    except OSError:  # too long for a name
        return False
