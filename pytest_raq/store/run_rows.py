"""Runs in the tables of the store, many at a time; which of them are not delivered yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_raq.store.schema import FIGURES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from pytest_raq.store.database import Database

RunKey = tuple[str, str]
"""The id of a run and its suite."""

UNDELIVERED = "undelivered"
"""A table that is made when it is first needed: it adds to the format and changes nothing in it."""

_MAKE = (
    f"CREATE TABLE IF NOT EXISTS {UNDELIVERED} (target TEXT NOT NULL, run TEXT NOT NULL,"
    " suite TEXT NOT NULL, PRIMARY KEY (target, run, suite)) WITHOUT ROWID"
)


def read_runs(
    connection: sqlite3.Connection, keys: Sequence[RunKey]
) -> list[tuple[RunKey, tuple[str, int], list[tuple[Any, ...]]]]:
    """Return the rows of runs in the order of their keys: key, payload and checksum, figures.

    What was pruned meanwhile is left out.
    """
    marks = ", ".join(["(?, ?)"] * len(keys))
    values = [part for key in keys for part in key]
    found = {
        (row[0], row[1]): (row[2], row[3])
        for row in connection.execute(
            f"SELECT id, suite, payload, checksum FROM runs WHERE (id, suite) IN (VALUES {marks})",  # noqa: S608
            values,
        )
    }
    figures: dict[RunKey, list[tuple[Any, ...]]] = {key: [] for key in found}
    for run, suite, *row in connection.execute(
        f"SELECT run, suite, model, {', '.join(FIGURES)} FROM run_models"  # noqa: S608
        f" WHERE (run, suite) IN (VALUES {marks})",
        values,
    ):
        figures.setdefault((run, suite), []).append(tuple(row))
    wanted = [(run, suite) for run, suite in keys]
    return [(key, found[key], figures[key]) for key in wanted if key in found]


class Deliveries:
    """Runs that are kept here and that a shared history, ``target``, is still to get."""

    def __init__(self, database: Database, target: str) -> None:
        self._database = database
        self._target = target

    def add(self, keys: Iterable[RunKey]) -> None:
        """Note runs that are to be delivered."""
        rows = [(self._target, *key) for key in keys]

        statement = f"INSERT OR IGNORE INTO {UNDELIVERED} VALUES (?, ?, ?)"  # noqa: S608

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_MAKE)
            connection.executemany(statement, rows)

        self._database.transaction(write)

    def remove(self, keys: Iterable[RunKey]) -> None:
        """Strike out runs that were delivered."""
        rows = [(self._target, *key) for key in keys]
        statement = f"DELETE FROM {UNDELIVERED} WHERE target = ? AND run = ? AND suite = ?"  # noqa: S608
        self._database.transaction(lambda connection: connection.executemany(statement, rows))

    def keys(self) -> list[RunKey]:
        """Return the runs that are not delivered, the oldest first; pruned ones are forgotten."""

        def read(connection: sqlite3.Connection) -> list[RunKey]:
            if not connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = ?", (UNDELIVERED,)
            ).fetchone():
                return []
            rows = connection.execute(
                f"SELECT run, u.suite FROM {UNDELIVERED} u JOIN runs r"  # noqa: S608
                " ON r.id = u.run AND r.suite = u.suite WHERE target = ? ORDER BY run, u.suite",
                (self._target,),
            )
            return [(run, suite) for run, suite in rows]

        return self._database.run(read)
