"""Runs as they are shown on a page: those in hand, those in the store, those in files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError
from pytest_raq.pipeline.planning import read_suites
from pytest_raq.report.page import PageSuite
from pytest_raq.report.result_json import suite_from_json
from pytest_raq.store import Store, show_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_raq.records import RunRecord, SuiteResult

LAST = "last"
"""Names the latest run whose results are kept."""


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """What a page is made of: suites, and facts that are told on top."""

    suites: tuple[PageSuite, ...]
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run whose results are in the store."""

    id: str
    records: tuple[RunRecord, ...]
    suites: tuple[str, ...]


def page_suite(result: SuiteResult, table: Mapping[str, object]) -> PageSuite:
    """Return a suite of a page from its result and the JSON of it, which knows the judges."""
    judge = table.get("judge")
    return PageSuite(result, judge if isinstance(judge, dict) else {})


def run_facts(records: Sequence[RunRecord]) -> dict[str, str]:
    """Return what is told of a run on top of its page: id, time, commit, options, state."""
    if not records:
        return {}
    first, last = records[0], records[-1]
    states = dict.fromkeys(record.state.value for record in records)
    facts = {
        "Run": first.id,
        "Ended": last.time.replace("T", " ").replace("Z", " UTC"),
        "Commit": _short(first.commit),
        "Options": " ".join(f"{option} {value}" for option, value in first.options.items()),
        "State": "" if list(states) == ["complete"] else ", ".join(states),
        "Accepted": "as the baseline" if any(record.accepted for record in records) else "",
    }
    return {name: value for name, value in facts.items() if value}


def _short(commit: str) -> str:
    digits, dash, dirty = commit.partition("-")
    return f"{digits[:12]}{dash}{dirty}"


def kept_runs(path: Path) -> Iterator[KeptRun]:
    """Yield the runs whose results are in a store, the latest first; StoreError without one."""
    with Store(path, mend=False) as store:
        yield from _kept_runs(store)


def _kept_runs(store: Store) -> list[KeptRun]:
    suites: dict[str, list[str]] = {}
    for run, suite in store.result_names():
        suites.setdefault(run, []).append(suite)
    records: dict[str, list[RunRecord]] = {}
    for record in store.get_runs():
        records.setdefault(record.id, []).append(record)
    return [KeptRun(run, tuple(records.get(run, ())), tuple(suites[run])) for run in suites]


def read_kept_run(path: Path, name: str) -> ReportedRun:
    """Return a run from the store, by the beginning of its id, or the `LAST`.

    ConfigError when no run, or more than one, is meant.
    """
    with Store(path, mend=False) as store:
        run = _choose(_kept_runs(store), name, path, store)
        suites = []
        for suite in run.suites:
            table = store.get_result(run.id, suite)
            if table is None:
                raise ConfigError(f"the results of {suite} in run {run.id} were just removed")
            where = f"{show_path(path)}: run {run.id}"
            suites.append(page_suite(_result(where, suite, table), table))
        return ReportedRun(tuple(suites), run_facts(run.records))


def _choose(runs: Sequence[KeptRun], name: str, path: Path, store: Store) -> KeptRun:
    where = show_path(path)
    if not runs:
        raise ConfigError(f"{where}: no run is kept; the next run of pytest keeps its results")
    found = runs[:1] if name == LAST else [run for run in runs if run.id.startswith(name)]
    if len(found) == 1 or (found and found[0].id == name):
        return found[0]
    if found:
        raise ConfigError(
            f"{name}: {len(found)} runs begin so, the latest is {found[0].id}; write more of the id"
        )
    if any(record.id.startswith(name) for record in store.get_runs()):
        raise ConfigError(
            f"{name}: {where} keeps the figures of that run and not its answers any more;"
            " raq report --list names the runs that can be shown"
        )
    raise ConfigError(f"{name}: is no file and no run of {where}; raq report --list names the runs")


def read_run_files(paths: Sequence[Path]) -> ReportedRun:
    """Return the suites of files of ``--raq-json`` or ``raq rank --json``.

    A suite that stands in several files is named with its file. ConfigError
    names file and field of what is wrong.
    """
    tables = [(path, name, table) for path in paths for name, table in read_suites(path).items()]
    names = [name for _, name, _ in tables]
    suites = []
    for path, name, table in tables:
        shown = name if names.count(name) == 1 else f"{name} ({show_path(path)})"
        suites.append(page_suite(_result(show_path(path), shown, table), _mapping(table)))
    if not suites:
        raise ConfigError(f"{show_path(paths[0])}: holds no suite")
    return ReportedRun(tuple(suites), {"From": ", ".join(show_path(path) for path in paths)})


def _mapping(table: object) -> Mapping[str, object]:
    return table if isinstance(table, dict) else {}


def _result(where: str, suite: str, table: object) -> SuiteResult:
    from pydantic import ValidationError

    if not isinstance(table, dict):
        raise ConfigError(f"{where}: suites.{suite}: is no object; write it anew with --raq-json")
    try:
        return suite_from_json(suite, table)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        place = ".".join(str(part) for part in ("suites", suite, *first["loc"]))
        told = f"{place}: {first['msg'][0].lower()}{first['msg'][1:]}"
    except ValueError as exc:
        told = f"suites.{suite}.{exc}"
    raise ConfigError(f"{where}: {told}; write it anew with --raq-json")
