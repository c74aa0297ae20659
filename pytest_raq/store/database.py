"""The file of the store: opened, migrated, and replaced when it is damaged."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, TypeVar

from pytest_raq.errors import StoreError
from pytest_raq.files import folder_lock
from pytest_raq.store.codec import checksum, is_sound
from pytest_raq.store.schema import TABLES, DamagedError, ForeignError, prepare, refuse_active

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


_HASHED = ("answers", "engines", "verdicts")
_PREFIXES = tuple(f"{number:02x}" for number in range(256))
"""Keys are spread evenly, so that a bad page costs one part in 256, not all behind it."""

BUSY_SECONDS = 30.0
"""How long a write waits for other processes."""

MOST_ROW_BYTES = 64 * 2**20
"""The largest row that is read or written; compressed, a result of 30,000 questions is smaller."""

_SUFFIXES = ("", "-wal", "-shm")
_ATTEMPTS = 3
_MAGIC = b"SQLite format 3\0"
_LEAST_SIZE = 512
"""Bytes of the smallest page; SQLite takes a shorter file for an empty one."""
_READ_ONLY = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)

T = TypeVar("T")


def salvage(damaged: Path, store: sqlite3.Connection) -> int:
    """Copy the sound rows of a damaged file into a new store and return how many.

    Rows whose checksum is wrong are left behind, and so are remembered hashes
    of files. Never raises for what is wrong with the damaged file.
    """
    saved = 0
    if not damaged.stat().st_size:  # SQLite would remove its log
        return saved
    with suppress(sqlite3.Error, ForeignError):
        uri = f"{damaged.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source:
            distrust(source)
            refuse_active(source)
            store.execute("BEGIN IMMEDIATE")
            try:
                saved = sum(_copy_hashed(table, source, store) for table in _HASHED)
                saved += _copy_runs(source, store) + _copy_results(source, store)
            finally:
                store.execute("COMMIT")
    return saved


def distrust(connection: sqlite3.Connection) -> None:
    """Read a file as if anybody had written it: no functions in its schema, no endless rows."""
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_ROW_BYTES)


def _copy_hashed(table: str, source: sqlite3.Connection, store: sqlite3.Connection) -> int:
    names = [column.split()[0] for column in TABLES[table]]
    return sum(
        _insert(table, store, row)
        for prefix in _PREFIXES
        for row in _rows(source, table, "key >= ? AND key < ?", (prefix, f"{prefix}g"))
        if _is_sound(dict(zip(names, row, strict=True)), "key")
    )


def _copy_runs(source: sqlite3.Connection, store: sqlite3.Connection) -> int:
    names = [column.split()[0] for column in TABLES["runs"]]
    saved = 0
    for row in _rows(source, "runs", "?", (1,)):
        values = dict(zip(names, row, strict=True))
        if _is_sound(values, "id"):
            key = (values["id"], values["suite"])
            for figures in _rows(source, "run_models", "run = ? AND suite = ?", key):
                _insert("run_models", store, figures)
            saved += _insert("runs", store, row)
    return saved


def _copy_results(source: sqlite3.Connection, store: sqlite3.Connection) -> int:
    return sum(
        _insert("results", store, row)
        for row in _rows(source, "results", "?", (1,))
        if is_sound(*row[:4])
    )


def _rows(
    source: sqlite3.Connection, table: str, where: str, values: tuple[object, ...]
) -> Iterator[tuple[object, ...]]:
    with suppress(sqlite3.Error):
        yield from source.execute(f"SELECT * FROM {table} WHERE {where}", values)  # noqa: S608


def _is_sound(values: dict[str, object], key: str) -> bool:
    return values["checksum"] == checksum(str(values[key]), str(values["payload"]))


def _insert(table: str, store: sqlite3.Connection, row: tuple[object, ...]) -> int:
    marks = ", ".join("?" * len(row))
    return store.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row).rowcount  # noqa: S608


class Database:
    """One SQLite file that many processes share.

    Each write is a transaction of its own in the write-ahead log: it is kept
    from the moment it returns, also when the process is killed next. A file
    that turns out to be damaged, at once or in the middle of a run, is set
    aside under another name; what can still be read of it goes into a new one.
    ``notices`` says what happened. Without ``mend`` nothing is made and nothing
    set aside. StoreError when the file cannot be used.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_seconds: float = BUSY_SECONDS,
        mend: bool = True,
        notices: list[str] | None = None,
    ) -> None:
        self.path = path
        self.notices = [] if notices is None else notices
        self._mend = mend
        self._busy_seconds = busy_seconds
        self._identity: tuple[int, int] | None = None
        self._connection = self._connect()

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``work`` does, on a file that is still the store when it is done.

        ``work`` may be called again: it is one statement, or one transaction.
        """
        for _ in range(_ATTEMPTS):
            try:
                result = work(self._connection)
            except (sqlite3.Error, DamagedError) as exc:
                self._require_damage(exc)
                self._replace(exc)
            else:
                if self._identity == self._identify():
                    return result
                # Another process moved the file away, or somebody removed it.
                self._replace(None)
        raise StoreError(f"{self.path}: was damaged several times: check its disk")

    def transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``work`` does, all of it or nothing."""
        return self.run(lambda connection: in_transaction(connection, work))

    def close(self) -> None:
        """Release the file."""
        with suppress(sqlite3.Error):  # what is committed stands in the log
            self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        if self.path.is_dir():
            raise StoreError(f"{self.path}: is a folder; --raq-store needs a file")
        if self.path.exists() and not self.path.is_file():
            raise StoreError(f"{self.path}: is not a regular file; --raq-store needs one")
        if self._mend:
            self._make_folder()
        elif not self.path.exists():
            raise StoreError(f"{self.path}: does not exist; the first run creates it")
        with folder_lock(self.path.parent, self._busy_seconds):
            return self._open_or_replace()

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise self._error(exc) from exc

    def _open_or_replace(self) -> sqlite3.Connection:
        try:
            return self._open()
        except (sqlite3.Error, DamagedError) as exc:
            self._require_damage(exc)
            aside = self._set_aside(str(exc))
        try:
            connection = self._open()
        except (sqlite3.Error, DamagedError) as exc:
            raise self._error(exc) from exc
        self._tell_saved(salvage(aside, connection))
        return connection

    def _open(self) -> sqlite3.Connection:
        self._inspect()
        try:
            return self._open_at(str(self.path.absolute()))
        except sqlite3.OperationalError as exc:
            if _primary(exc) not in _READ_ONLY or not self._is_still():
                raise
        return self._open_at(f"{self.path.absolute().as_uri()}?mode=ro&immutable=1")

    def _open_at(self, place: str) -> sqlite3.Connection:
        uri = place.startswith("file:")
        timeout = self._busy_seconds
        connection = sqlite3.connect(place, timeout=timeout, isolation_level=None, uri=uri)
        try:
            distrust(connection)
            prepare(connection)
        except ForeignError as exc:
            connection.close()
            raise StoreError(f"{self.path}: {exc}, or choose another with --raq-store") from exc
        except BaseException:
            connection.close()
            raise
        self._identity = self._identify()
        return connection

    def _inspect(self) -> None:
        """DamagedError where SQLite would write over what it takes for an empty file."""
        try:
            with self.path.open("rb") as file:
                head = file.read(_LEAST_SIZE)
        except OSError:  # SQLite will say why
            return
        if head and (len(head) < _LEAST_SIZE or not head.startswith(_MAGIC)):
            raise DamagedError("file is not a database")
        with suppress(OSError):
            if not head and self._named("-wal").stat().st_size:
                raise DamagedError("it is empty, and its log is not")

    def _is_still(self) -> bool:
        """Whether a file stands there that nobody writes: it can be read without a log."""
        log = self._named("-wal")
        return self.path.is_file() and not (log.exists() and log.stat().st_size)

    def _identify(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _replace(self, exc: Exception | None) -> None:
        """Open the file again; move it away first if it is the damaged one."""
        if not self._mend:
            raise StoreError(f"{self.path}: was replaced while it was being read; try again")
        damaged = self._connection
        self._make_folder()
        with folder_lock(self.path.parent, self._busy_seconds):
            aside = None
            if exc is not None and self._identity == self._identify():
                aside = self._set_aside(str(exc))
            # Closed under its new name, SQLite leaves it and its log as they are.
            with suppress(sqlite3.Error):
                damaged.close()
            self._connection = self._open_or_replace()
            if aside is not None:
                self._tell_saved(salvage(aside, self._connection))

    def _set_aside(self, why: str) -> Path:
        number = 1
        while (aside := self._named(f".damaged-{number}")).exists():
            number += 1
        try:
            for suffix in reversed(_SUFFIXES):
                with suppress(FileNotFoundError):
                    self._named(suffix).rename(self._named(f".damaged-{number}{suffix}"))
        except OSError as exc:
            raise self._error(exc) from exc
        self.notices.append(
            f"the store {self.path} could not be read ({why}); it is kept as {aside.name}"
        )
        return aside

    def _require_damage(self, exc: Exception) -> None:
        """StoreError unless a new file is the remedy."""
        if not is_damage(exc):
            raise self._error(exc) from exc
        if not self._mend:
            raise StoreError(
                f"{self.path}: is damaged ({exc}); the next run moves it away and saves what it can"
            ) from exc

    def _tell_saved(self, rows: int) -> None:
        if rows:
            self.notices[-1] += f"; {rows} of its entries were saved"

    def _named(self, suffix: str) -> Path:
        return self.path.with_name(f"{self.path.name}{suffix}")

    def _error(self, exc: Exception) -> StoreError:
        return StoreError(f"{self.path}: cannot be used: {exc}; choose another with --raq-store")


def in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Return what ``work`` does, all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise
    return result


def is_damage(exc: Exception) -> bool:
    """Whether the file itself is wrong, and not its place, its disk or its lock."""
    if isinstance(exc, DamagedError):
        return True
    code = getattr(exc, "sqlite_errorcode", None)
    if code is None:  # raised by Python's own module, for text that is not UTF-8
        return str(exc).startswith("Could not decode")
    if code == sqlite3.SQLITE_ERROR:
        return str(exc).startswith(("no such table", "no such column", "table "))
    if code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return True
    return _primary(exc) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _primary(exc: Exception) -> int:
    """Return the result code of SQLite without its extension."""
    return int(getattr(exc, "sqlite_errorcode", 0)) & 0xFF
