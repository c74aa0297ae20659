"""``raq history``: trends over the runs of a suite, and what changed when."""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import add_json_option, whole_number
from pytest_raq.cli.output import ExitCode, write_result
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.history.shared import HistoryPlace, SharedHistory
    from pytest_raq.records import RunRecord
    from pytest_raq.records.history import SuiteHistory
    from pytest_raq.store.runs import RunTable

_STORE = Path(".raq/store.db")
_FORMATS = ("parquet", "csv")


def add_history_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq history``, ``raq history export`` and ``raq history sync``."""
    text = "show trends over the runs of a suite and name what changed"
    parser = commands.add_parser("history", help=text, description=text)
    _add_source_options(parser)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with charts")
    add_json_option(parser)
    parser.set_defaults(command=_show, suite="", model=[], last=None, store=None)
    actions = parser.add_subparsers(metavar="ACTION")
    text = "write the figures of all runs as a table"
    export = actions.add_parser("export", help=text, description=text)
    _add_source_options(export)
    export.add_argument("--format", choices=_FORMATS, help="(default: what --out ends with)")
    export.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="where the table is written"
    )
    export.set_defaults(command=_export)
    text = "send the runs that the database of RAQ_HISTORY does not have yet"
    sync = actions.add_parser("sync", help=text, description=text)
    sync.add_argument(
        "--all",
        action="store_true",
        help="every run of the store, also those that were delivered before",
    )
    _add_store(sync)
    sync.set_defaults(command=_sync)


def _add_source_options(parser: argparse.ArgumentParser) -> None:
    # Without defaults of their own: those of an action would hide those given before it.
    nothing = argparse.SUPPRESS
    parser.add_argument("--suite", default=nothing, metavar="S", help="only this suite")
    parser.add_argument(
        "--model",
        action="append",
        default=nothing,
        metavar="M",
        help="only this model (repeatable)",
    )
    parser.add_argument(
        "--last",
        type=whole_number,
        default=nothing,
        metavar="N",
        help="only the last N runs of a suite",
    )
    _add_store(parser)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="read this store, not the database that RAQ_HISTORY names (default: .raq/store.db)",
    )


def _show(options: argparse.Namespace) -> int:
    from pytest_raq.history.trends import make_history
    from pytest_raq.report.json.commands import trends_to_json
    from pytest_raq.report.terminal.history import trend_lines

    suites, place, notices = _read(options)
    histories = [
        make_history(suite, runs, models=options.model, place=place)
        for suite, runs in suites.items()
    ]
    lines = [line for history in histories for line in (*trend_lines(history), "")][:-1]
    if options.html is not None:
        _write_page(options.html, histories)
        lines += ["", f"page written to {options.html}"]
    table = {"suites": {history.suite: trends_to_json(history) for history in histories}}
    write_result([*lines, *notices], table, options.json)
    return ExitCode.FINE


def _write_page(path: Path, histories: Sequence[SuiteHistory]) -> None:
    from pytest_raq.files import write_atomically
    from pytest_raq.report.page.history import trend_page

    write_atomically(path, trend_page(histories))


def _export(options: argparse.Namespace) -> int:
    from pytest_raq.history.export import write_table
    from pytest_raq.text import safe_text

    kind = options.format or options.out.suffix.removeprefix(".")
    if kind not in _FORMATS:
        raise ConfigError(f"--out {options.out}: add --format parquet or --format csv")
    suites, _, notices = _read(options)
    runs = [run for some in suites.values() for run in some]
    count = write_table(options.out, kind, runs, models=options.model)
    told = f"{options.out}: {count} row{'s' * (count != 1)} of {len(runs)} runs"
    write_result([safe_text(told, 400), *notices], {}, None)
    return ExitCode.FINE


def _read(options: argparse.Namespace) -> tuple[dict[str, list[RunRecord]], str, list[str]]:
    """Return the runs by suite, the latest first, where they were read, and what to know.

    ConfigError when there are none of those asked for.
    """
    from pytest_raq.text import safe_text

    with _source(options) as (source, place, notices):
        found = list(source.latest(options.suite, last=options.last))
        told = [safe_text(text, 400) for text in (*source.notices, *notices)]
        if not found:
            raise ConfigError(_nothing(options, source, place))
    known = {name: None for run in found for name in run.models}
    for name in options.model:
        if name not in known:
            raise ConfigError(
                f"--model {name}: no run of it in {place}; there are"
                f" {safe_text(', '.join(known), 400) or 'no models'}"
            )
    suites: dict[str, list[RunRecord]] = {}
    for run in found:
        suites.setdefault(run.suite, []).append(run)
    return dict(sorted(suites.items())), place, told


def _nothing(options: argparse.Namespace, source: RunTable | SharedHistory, place: str) -> str:
    from pytest_raq.text import safe_text

    suites = sorted({run.suite for run in source.latest(last=1)})
    if suites:
        return (
            f"--suite {options.suite}: no run of it in {place}; there are runs of"
            f" {safe_text(', '.join(suites), 400)}"
        )
    return f"{place} holds no run yet: pytest suites/ keeps one"


@contextmanager
def _source(
    options: argparse.Namespace,
) -> Iterator[tuple[RunTable | SharedHistory, str, Sequence[str]]]:
    """Open the store, or the database of a team if one is named and no store is."""
    from pytest_raq.history.shared import SharedHistory, history_place
    from pytest_raq.store import Store

    place = history_place() if options.store is None else None
    if place is None:
        path = options.store or _STORE
        with Store(path, mend=False) as store:
            yield store.runs, str(path), ()
        return
    with SharedHistory(place) as history:
        yield history, place.shown, _undelivered(place)


def _undelivered(place: HistoryPlace) -> list[str]:
    """Say how many runs of this project the database did not get yet."""
    from pytest_raq.errors import StoreError
    from pytest_raq.store import Store

    try:
        with Store(_STORE, mend=False) as store:
            count = len(store.runs.deliveries(place.identity).keys())
    except StoreError:
        return []
    runs = f"{count} run{'s' * (count != 1)}"
    return [f"{runs} in {_STORE} not delivered yet: raq history sync"] if count else []


def _sync(options: argparse.Namespace) -> int:
    from pytest_raq.history.shared import VARIABLE, deliver_kept, history_place
    from pytest_raq.store import Store

    place = history_place()
    if place is None:
        raise ConfigError(f"{VARIABLE} is not set: it names the database that runs are sent to")
    with Store(options.store or _STORE, mend=False) as store:
        if options.all:
            store.runs.deliveries(place.identity).add(
                (run.id, run.suite) for run in store.runs.latest()
            )
        count = deliver_kept(store, place)
    write_result([f"{place.shown}: {count} run{'s' * (count != 1)} delivered"], {}, None)
    return ExitCode.FINE
