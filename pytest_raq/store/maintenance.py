"""What is in a store, and how to make it smaller."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.errors import StoreError
from pytest_raq.store.database import Database, distrust, in_transaction, is_damage
from pytest_raq.store.schema import (
    FORMAT,
    FORMER_TABLE,
    TABLES,
    DamagedError,
    ForeignError,
    check_tables,
    format_of,
    refuse_active,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


_LABELS = {
    "answers": "model",
    "likelihoods": "model",
    "verdicts": "judge",
    "runs": "suite",
    "results": "suite",
}
_PRUNED = ("answers", "verdicts", "runs", "results", "files")
_LATE = (
    "SELECT id, suite FROM (SELECT id, suite, row_number() OVER"
    " (PARTITION BY suite ORDER BY time DESC, id DESC) AS place FROM runs) WHERE place <= ?"
)

_MAGIC = b"SQLite format 3\0"
_BUSY_SECONDS = 2.0
"""How long a lock must be held to be reported: one write of a run takes a hundredth of that."""
_CHECK_SECONDS = 3.0
_STEPS = 10_000
"""Instructions of SQLite between two looks at the clock."""
_PAUSE = 0.05
_WRITE_LOCK = 120
"""The byte of the file ``-shm`` that a writer locks, by SQLite's format of a write-ahead log."""


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
        removed = dict.fromkeys(_PRUNED, 0)
        for rows in _selected(connection, selection):
            count = rows.count(connection) if dry_run else rows.remove(connection)
            if rows.table in _PRUNED or (count and rows.table != "run_models"):
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
        for table in ("answers", "likelihoods"):  # what was said of answers goes with them
            yield _Rows(table, " AND ".join(conditions), tuple(values))


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


@dataclass(frozen=True, slots=True)
class StoreState:
    """What a store is like.

    ``format`` is 0 for an empty file; ``size`` is in bytes, the log included;
    ``is_locked`` says that another process held the lock of writers all the
    time, ``is_checked`` that every page was looked at.
    """

    format: int
    size: int
    answers: int
    runs: int
    is_locked: bool
    is_checked: bool


def inspect_store(path: Path) -> StoreState | None:
    """Return what a store is like, None when there is none.

    StoreError when it is damaged or cannot be read.
    """
    try:
        if not path.exists():
            return None
        size = _require_database(path)
        with closing(_open(path)) as connection:
            found = format_of(connection)
            refuse_active(connection)
            if found == FORMAT:
                check_tables(connection)
            is_checked = _check_pages(connection)
            answers, runs = _count(connection, "answers"), _count(connection, "runs")
    except ForeignError as exc:
        raise StoreError(f"{path}: {exc}, or choose another with --raq-store") from exc
    except (OSError, sqlite3.Error, DamagedError) as exc:
        raise _tell(path, exc) from exc
    return StoreState(found, size, answers, runs, _is_locked(path), is_checked)


def _require_database(path: Path) -> int:
    """Return the bytes of a store; DamagedError when it does not begin as one."""
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise StoreError(f"{path}: is {kind}: choose another with --raq-store")
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head and head != _MAGIC:
        raise DamagedError("file is not a database")
    return path.stat().st_size + _log_size(path)


def _log_size(path: Path) -> int:
    with suppress(OSError):
        return path.with_name(f"{path.name}-wal").stat().st_size
    return 0


def _open(path: Path) -> sqlite3.Connection:
    # Without a log that somebody writes, SQLite gets `immutable`: otherwise it creates one.
    # A log that a killed process left is not read, because that takes a new file beside it.
    is_shared = _log_size(path) and path.with_name(f"{path.name}-shm").exists()
    address = f"{path.absolute().as_uri()}?mode=ro{'' if is_shared else '&immutable=1'}"
    connection = sqlite3.connect(address, timeout=_BUSY_SECONDS, isolation_level=None, uri=True)
    distrust(connection)
    return connection


def _check_pages(connection: sqlite3.Connection) -> bool:
    """Return whether there was time to look at all pages; DamagedError when one is wrong."""
    end = time.monotonic() + _CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return False
        raise
    finally:
        connection.set_progress_handler(None, 0)
    if said != "ok":
        raise DamagedError(" ".join(str(said).split()))
    return True


def _count(connection: sqlite3.Connection, table: str) -> int:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    if found is None:
        return 0
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def _is_locked(path: Path) -> bool:
    """Whether another process holds the lock of writers for longer than a write takes."""
    try:
        import fcntl

        handle = os.open(path.with_name(f"{path.name}-shm"), os.O_RDWR)
    except (ImportError, OSError):
        return False
    end = time.monotonic() + _BUSY_SECONDS
    try:
        while True:
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _WRITE_LOCK)
            except BlockingIOError:
                if time.monotonic() > end:
                    return True
                time.sleep(_PAUSE)
            except OSError:  # a file system without locks
                return False
            else:
                return False
    finally:
        os.close(handle)


def _tell(path: Path, exc: Exception) -> StoreError:
    if is_damage(exc):
        return StoreError(
            f"{path}: is damaged ({exc}); the next run moves it away and saves what it can"
        )
    told = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return StoreError(f"{path}: cannot be read ({told}): choose another with --raq-store")
