"""Runs and their whole results in the store."""

from __future__ import annotations

import json
import time
import zlib
from typing import TYPE_CHECKING, Any, Final

from pytest_raq.store.codec import checksum_of_bytes, is_sound
from pytest_raq.store.schema import FIGURES, DamagedError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_raq.store.database import Database


RunKey = tuple[str, str]
"""The id of a run and its suite."""

UNDELIVERED = "undelivered"
"""A table that is made when it is first needed: it adds to the format and changes nothing in it."""

_MAKE = (
    f"CREATE TABLE IF NOT EXISTS {UNDELIVERED} (target TEXT NOT NULL, run TEXT NOT NULL,"
    " suite TEXT NOT NULL, PRIMARY KEY (target, run, suite)) WITHOUT ROWID"
)

KEPT: Final = 50
"""Results of each suite that stay; the figures of all runs do, for history."""

_RUNS = 100
"""Runs of one SELECT."""

_LATE_RUNS = (
    "SELECT id, suite, row_number() OVER (PARTITION BY suite ORDER BY time DESC, id DESC)"
    " FROM runs {where} ORDER BY time DESC, id DESC"
)
"""Keys of runs, the latest first, with the place of each among those of its suite."""


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


def pack(table: Mapping[str, object]) -> bytes:
    """Return a result as it is kept."""
    # Escaped, so that half of a surrogate pair survives; zlib makes up for the length.
    return zlib.compress(json.dumps(table, separators=(",", ":")).encode("ascii"))


def write(connection: sqlite3.Connection, run_id: str, suite: str, payload: bytes) -> None:
    """Write a result and remove those of the suite that are older than the last `KEPT`."""
    connection.execute(
        "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)",
        (run_id, suite, payload, checksum_of_bytes(run_id, suite, payload), int(time.time())),
    )
    connection.execute(
        "DELETE FROM results WHERE suite = ? AND run NOT IN"
        " (SELECT run FROM results WHERE suite = ? ORDER BY run DESC LIMIT ?)",
        (suite, suite, KEPT),
    )


def read(connection: sqlite3.Connection, run_id: str, suite: str) -> dict[str, Any] | None:
    """Return a result; DamagedError when it is not what was written there."""
    row = connection.execute(
        "SELECT payload, checksum FROM results WHERE run = ? AND suite = ?", (run_id, suite)
    ).fetchone()
    if row is None:
        return None
    if not is_sound(run_id, suite, *row):
        raise DamagedError(f"the result of {suite} in run {run_id} is not what was written")
    table: dict[str, Any] = json.loads(zlib.decompress(row[0]))
    return table


def names(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return run and suite of every result, the latest first, suites in their order of writing."""
    return connection.execute(
        "SELECT run, suite FROM results ORDER BY run DESC, created, suite"
    ).fetchall()
