"""What is in a store, and how to make it smaller."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.store.database import Database, in_transaction
from pytest_raq.store.schema import FORMAT, FORMER_TABLE, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LABELS = {"answers": "model", "verdicts": "judge", "runs": "suite", "results": "suite"}
_LATE = (
    "SELECT id, suite FROM (SELECT id, suite, row_number() OVER"
    " (PARTITION BY suite ORDER BY time DESC, id DESC) AS place FROM runs) WHERE place <= ?"
)


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store holds.

    ``size`` is in bytes, the write-ahead log included. ``entries`` counts rows
    by table, ``labels`` by table and model, judge or suite. ``oldest`` and
    ``newest`` are seconds since 1970 of answers and verdicts, None without any.
    """

    path: Path
    size: int
    format: int
    entries: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    oldest: int | None
    newest: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be removed; what is not selected stays.

    ``before`` (seconds since 1970) selects answers, verdicts and whole results
    made before, ``models`` answers of these models only (both: their answers
    made before), ``keep_runs`` all runs of a suite but its last so many, with
    their results.
    """

    before: int | None = None
    models: tuple[str, ...] = ()
    keep_runs: int | None = None


@dataclass(frozen=True, slots=True)
class PruneReport:
    """Rows that were, or would be, removed by table; bytes before and after.

    ``problem`` says why the file could not be made smaller.
    """

    removed: Mapping[str, int]
    size_before: int
    size_after: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Rows:
    table: str
    where: str
    values: tuple[object, ...] = field(default=())

    def count(self, connection: sqlite3.Connection) -> int:
        statement = f"SELECT count(*) FROM {self.table} WHERE {self.where}"  # noqa: S608
        return int(connection.execute(statement, self.values).fetchone()[0])

    def remove(self, connection: sqlite3.Connection) -> int:
        statement = f"DELETE FROM {self.table} WHERE {self.where}"  # noqa: S608
        return connection.execute(statement, self.values).rowcount


def describe_store(path: Path) -> StoreInfo:
    """Return what a store holds; StoreError when it cannot be read."""
    database = Database(path, mend=False)
    try:
        return database.run(lambda connection: _describe(path, connection))
    finally:
        database.close()


def _describe(path: Path, connection: sqlite3.Connection) -> StoreInfo:
    tables = [*TABLES, *([FORMER_TABLE] if _has_table(connection, FORMER_TABLE) else [])]
    ages = connection.execute(
        "SELECT min(created), max(created) FROM"
        " (SELECT created FROM answers UNION ALL SELECT created FROM verdicts)"
    ).fetchone()
    return StoreInfo(
        path=path,
        size=_size(path),
        format=FORMAT,
        entries={table: _Rows(table, "true").count(connection) for table in tables},
        labels={table: _count_by(connection, table, label) for table, label in _LABELS.items()},
        oldest=ages[0],
        newest=ages[1],
    )


def _count_by(connection: sqlite3.Connection, table: str, label: str) -> dict[str, int]:
    return dict(
        connection.execute(
            f"SELECT {label}, count(*) FROM {table} GROUP BY {label} ORDER BY {label}"  # noqa: S608
        ).fetchall()
    )


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,))
    return found.fetchone() is not None


def prune_store(path: Path, selection: Selection, *, dry_run: bool = False) -> PruneReport:
    """Remove what is selected, and hashes of files that are gone; make the file smaller.

    Safe while other processes write: they wait, or the file keeps its size and
    the report says why. With ``dry_run`` rows are only counted. StoreError
    when the store cannot be read or written.
    """
    database = Database(path, mend=False)
    try:
        before = _size(path)
        removed = database.run(lambda connection: _prune(connection, selection, dry_run=dry_run))
        shrinks = not dry_run and any(removed.values())
        problem = database.run(_shrink) if shrinks else ""
        return PruneReport(removed, before, _size(path), problem)
    finally:
        database.close()


def _prune(
    connection: sqlite3.Connection, selection: Selection, *, dry_run: bool
) -> dict[str, int]:
    def work(connection: sqlite3.Connection) -> dict[str, int]:
        removed = dict.fromkeys(("answers", "verdicts", "runs", "results", "files"), 0)
        for rows in _selected(connection, selection):
            count = rows.count(connection) if dry_run else rows.remove(connection)
            if rows.table != "run_models":
                removed[rows.table] = removed.get(rows.table, 0) + count
        return removed

    return work(connection) if dry_run else in_transaction(connection, work)


def _selected(connection: sqlite3.Connection, selection: Selection) -> Iterator[_Rows]:
    yield from _selected_answers(selection)
    yield from _selected_results(selection)
    if selection.before is not None and not selection.models:
        yield _Rows("verdicts", "created < ?", (selection.before,))
        if _has_table(connection, FORMER_TABLE):
            made = "created < datetime(?, 'unixepoch')"
            yield _Rows(FORMER_TABLE, made, (selection.before,))
    if selection.keep_runs is not None:
        yield _Rows("run_models", f"(run, suite) NOT IN ({_LATE})", (selection.keep_runs,))
        yield _Rows("runs", f"(id, suite) NOT IN ({_LATE})", (selection.keep_runs,))
    paths = connection.execute("SELECT path FROM files").fetchall()
    for (path,) in paths:
        if not Path(path).exists():
            yield _Rows("files", "path = ?", (path,))


def _selected_answers(selection: Selection) -> Iterator[_Rows]:
    conditions: list[str] = []
    values: list[object] = []
    if selection.before is not None:
        conditions.append("created < ?")
        values.append(selection.before)
    if selection.models:
        conditions.append(f"model IN ({', '.join('?' * len(selection.models))})")
        values += selection.models
    if conditions:
        yield _Rows("answers", " AND ".join(conditions), tuple(values))


def _selected_results(selection: Selection) -> Iterator[_Rows]:
    """Yield results that are old, or of runs that go; before the runs themselves."""
    conditions: list[str] = []
    values: list[object] = []
    if selection.before is not None and not selection.models:
        conditions.append("created < ?")
        values.append(selection.before)
    if selection.keep_runs is not None:
        conditions.append(f"(run, suite) NOT IN ({_LATE})")
        values.append(selection.keep_runs)
    if conditions:
        yield _Rows("results", " OR ".join(conditions), tuple(values))


def _shrink(connection: sqlite3.Connection) -> str:
    """Give free pages back to the disk; return why that was not possible."""
    try:
        connection.execute("VACUUM")
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as exc:
        return str(exc)
    return "another process reads it" if busy else ""


def _size(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
