"""A store as it lies there: nothing of it, and nothing beside it, is changed."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.errors import StoreError
from pytest_raq.store.database import is_damage
from pytest_raq.store.schema import FORMAT, DamagedError, ForeignError, check_tables, format_of

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = b"SQLite format 3\0"
_BUSY_SECONDS = 2.0
"""How long a lock must be held to be told: one write of a run takes a hundredth of that."""
_CHECK_SECONDS = 3.0
_STEPS = 10_000
"""Instructions of SQLite between two looks at the clock."""
_PAUSE = 0.05
_WRITE_LOCK = 120
"""The byte of the file ``-shm`` that a writer locks, by SQLite's format of a write-ahead log."""


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
    # Without a log that somebody writes, SQLite is told that nothing changes: else it makes one.
    # A log that a killed process left is not read, because that takes a new file beside it.
    is_shared = _log_size(path) and path.with_name(f"{path.name}-shm").exists()
    address = f"{path.absolute().as_uri()}?mode=ro{'' if is_shared else '&immutable=1'}"
    return sqlite3.connect(address, timeout=_BUSY_SECONDS, isolation_level=None, uri=True)


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
            f"{path}: is damaged ({exc}); the next run sets it aside and saves what it can"
        )
    told = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return StoreError(f"{path}: cannot be read ({told}): choose another with --raq-store")
