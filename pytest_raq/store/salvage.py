"""What can still be read of a damaged store."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from pytest_raq.store.results import is_sound
from pytest_raq.store.rows import checksum
from pytest_raq.store.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HASHED = ("answers", "engines", "verdicts")
_PREFIXES = tuple(f"{number:02x}" for number in range(256))
"""Keys are spread evenly, so that a bad page costs one part in 256, not all behind it."""


def salvage(damaged: Path, store: sqlite3.Connection) -> int:
    """Copy the sound rows of a damaged file into a new store and return how many.

    Rows whose checksum is wrong are left behind, and so are remembered hashes
    of files. Never raises for what is wrong with the damaged file.
    """
    saved = 0
    if not damaged.stat().st_size:  # SQLite would remove its log
        return saved
    with suppress(sqlite3.Error):
        uri = f"{damaged.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source:
            source.execute("PRAGMA cell_size_check = ON")
            store.execute("BEGIN IMMEDIATE")
            try:
                saved = sum(_copy_hashed(table, source, store) for table in _HASHED)
                saved += _copy_runs(source, store) + _copy_results(source, store)
            finally:
                store.execute("COMMIT")
    return saved


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
