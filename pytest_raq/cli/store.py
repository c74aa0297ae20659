"""``raq store``: what is kept between runs, and how to make it smaller."""

from __future__ import annotations

import argparse
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_raq.cli.options import add_json_option, add_store_option, whole_number_or_zero
from pytest_raq.cli.output import ExitCode, write_result
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_raq.store.maintenance import PruneReport, Selection, StoreInfo

_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}
_KINDS = {"entries": "answers and engines of format 1", "run_models": ""}
"""The name of a table in the output, where it differs; empty: not shown."""


def add_store_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq store info`` and ``raq store prune``."""
    parser = commands.add_parser("store", help="show what the store keeps, and make it smaller")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    text = "show what the store keeps"
    info = actions.add_parser("info", help=text, description=text)
    info.set_defaults(command=_info)
    text = "remove what is not needed any more and make the file smaller"
    prune = actions.add_parser("prune", help=text, description=text)
    prune.add_argument(
        "--older-than",
        type=_age,
        metavar="AGE",
        help="answers, verdicts and results made longer ago than this: 12h, 30d, 8w",
    )
    prune.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="answers of this model (repeatable); with --older-than only its older ones",
    )
    prune.add_argument(
        "--all-but-last-runs",
        type=whole_number_or_zero,
        metavar="N",
        help="runs of each suite but its last N, with their results",
    )
    prune.add_argument("--dry-run", action="store_true", help="only show how much would be removed")
    prune.set_defaults(command=_prune)
    for action in (info, prune):
        add_store_option(action)
        add_json_option(action)


def _age(text: str) -> int:
    """Return seconds."""
    found = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age: write 12h, 30d or 8w")
    return int(found[1]) * _SECONDS[found[2]]


def _info(options: argparse.Namespace) -> int:
    from pytest_raq.store.maintenance import describe_store

    info = describe_store(options.store)
    table = {
        "path": str(info.path),
        "size": info.size,
        "format": info.format,
        "entries": dict(info.entries),
        "models": dict(info.labels["answers"]),
        "judges": dict(info.labels["verdicts"]),
        "runs": dict(info.labels["runs"]),
        "oldest": _moment(info.oldest),
        "newest": _moment(info.newest),
    }
    write_result(_info_lines(info), table, options.json)
    return ExitCode.FINE


def _info_lines(info: StoreInfo) -> Iterator[str]:
    from pytest_raq.text import safe_text

    yield f"{info.path}: format {info.format}, {_bytes(info.size)}"
    kinds = {table: _KINDS.get(table, table) for table in info.entries}
    width = max(len(kind) for kind in kinds.values())
    for table, kind in kinds.items():
        if kind:
            labels = info.labels.get(table, {})
            parts = ", ".join(f"{safe_text(name)} {count}" for name, count in labels.items())
            yield f"{kind:{width}}  {info.entries[table]:>7}  {parts}".rstrip()
    if info.oldest is not None:
        yield f"answers and verdicts made from {_moment(info.oldest)} to {_moment(info.newest)}"


def _prune(options: argparse.Namespace) -> int:
    from pytest_raq.store.maintenance import Selection, prune_store

    if options.older_than is None and not options.model and options.all_but_last_runs is None:
        raise ConfigError(
            "raq store prune: choose what to remove: --older-than 30d, --model NAME"
            " or --all-but-last-runs N"
        )
    selection = Selection(
        before=None if options.older_than is None else int(time.time()) - options.older_than,
        models=tuple(dict.fromkeys(options.model)),
        keep_runs=options.all_but_last_runs,
    )
    _refuse_unknown(options.store, selection)
    report = prune_store(options.store, selection, dry_run=options.dry_run)
    table = {
        "path": str(options.store),
        "dry_run": options.dry_run,
        "removed": dict(report.removed),
        "size_before": report.size_before,
        "size_after": report.size_after,
        "problem": report.problem,
    }
    write_result(_prune_lines(options, report), table, options.json)
    return ExitCode.FINE


def _refuse_unknown(path: Path, selection: Selection) -> None:
    from pytest_raq.store.maintenance import describe_store
    from pytest_raq.text import safe_text

    known = describe_store(path).labels["answers"] if selection.models else {}
    for name in selection.models:
        if name not in known:
            raise ConfigError(
                f"--model {name}: {path} keeps no answers of it;"
                f" it has {safe_text(', '.join(known)) or 'answers of no model'}"
            )


def _prune_lines(options: argparse.Namespace, report: PruneReport) -> Iterator[str]:
    counts = ((count, _KINDS.get(table, table)) for table, count in report.removed.items())
    parts = ", ".join(f"{count} {kind}" for count, kind in counts if count)
    done = "would be removed" if options.dry_run else "removed"
    yield f"{options.store}: {done}: {parts or 'nothing'}"
    if not options.dry_run:
        yield f"{_bytes(report.size_before)} before, {_bytes(report.size_after)} now"
    if report.problem:
        yield f"the file could not be made smaller now: {report.problem}; prune again later"


def _moment(seconds: int | None) -> str | None:
    return None if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _bytes(size: int) -> str:
    for unit, amount in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= amount:
            return f"{size / amount:.1f} {unit}"
    return f"{size} B"
