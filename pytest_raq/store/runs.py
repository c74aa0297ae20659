"""Runs and their whole results in the store."""

from __future__ import annotations

import json
import time
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pytest_raq.store import codec
from pytest_raq.store.schema import FIGURES, DamagedError
from pytest_raq.store.tables import chunks, marks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_raq.records import RunRecord
    from pytest_raq.store.database import Database
    from pytest_raq.store.tables import Access


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

_MOST_BYTES = 128 * 2**20
"""The longest result: about that of 30,000 questions. A few bytes of zlib can mean gigabytes."""

_RUNS = 100
"""Runs of one SELECT."""

_LATE_RUNS = (
    "SELECT id, suite, row_number() OVER (PARTITION BY suite ORDER BY time DESC, id DESC)"
    " FROM runs {where} ORDER BY time DESC, id DESC"
)
"""Keys of runs, the latest first, with the place of each among those of its suite."""


class RunTable:
    """Runs with their models' figures."""

    def __init__(self, access: Access) -> None:
        self._access = access

    @property
    def notices(self) -> list[str]:
        """What a reader should know of the store: also of runs that could not be read."""
        return self._access.notices

    def put(self, run: RunRecord) -> None:
        """Keep a suite of a run; the same id and suite replaces what was kept."""
        payload = codec.run_to_payload(run)
        values = (run.id, run.suite, run.time, run.state.value, run.commit, run.accepted)
        names = ("run", "suite", "model", *FIGURES)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM run_models WHERE run = ? AND suite = ?", (run.id, run.suite)
            )
            connection.execute(
                f"INSERT OR REPLACE INTO runs VALUES ({marks(8)})",  # noqa: S608
                (*values, payload, codec.checksum(run.id, payload)),
            )
            connection.executemany(
                f"INSERT INTO run_models ({', '.join(names)}) VALUES ({marks(len(names))})",  # noqa: S608
                [
                    (run.id, run.suite, model, *codec.figure_values(figures))
                    for model, figures in run.models.items()
                ],
            )

        self._access.write(write)

    def latest(self, suite: str = "", *, last: int | None = None) -> Iterator[RunRecord]:
        """Yield the runs of a suite, or of all, the latest first, some read at a time.

        With ``last`` no more than that many of each suite.
        """
        where, values = ("WHERE suite = ?", [suite]) if suite else ("", [])
        statement = _LATE_RUNS.format(where=where)
        known: list[tuple[str, str, int]] = self._access.read(
            lambda connection: connection.execute(statement, values).fetchall(), []
        )
        wanted = [(run, of) for run, of, place in known if last is None or place <= last]
        return _chosen(self._access.database, wanted) if wanted else iter(())

    def deliveries(self, target: str) -> Deliveries:
        """Return the runs that a shared history is still to get; the store must be writable."""
        return Deliveries(self._access.database, target)


def _chosen(database: Database, keys: Sequence[RunKey]) -> Iterator[RunRecord]:
    """Yield runs in the order of their keys; those that do not exist are left out."""
    for some in chunks(keys, _RUNS):
        for key, row, figures in database.run(partial(_read_runs, keys=some)):
            try:
                run = codec.run_from(codec.from_payload(key[0], *row), figures)
            except (ValueError, DamagedError):  # pydantic's: another version knew other fields
                database.notices.append(
                    f"the run {key[0]} of {key[1]} in {database.path} cannot be read by"
                    " this version"
                )
            else:
                yield run


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

    def runs(self, keys: Sequence[RunKey]) -> Iterator[RunRecord]:
        """Yield runs in the order of their keys; those that do not exist are left out."""
        return _chosen(self._database, keys)


def _read_runs(
    connection: sqlite3.Connection, keys: Sequence[RunKey]
) -> list[tuple[RunKey, tuple[str, int], list[tuple[Any, ...]]]]:
    """Return the rows of runs in the order of their keys: key, payload and checksum, figures.

    What was pruned meanwhile is left out.
    """
    pairs = ", ".join(["(?, ?)"] * len(keys))
    values = [part for key in keys for part in key]
    found = {
        (row[0], row[1]): (row[2], row[3])
        for row in connection.execute(
            f"SELECT id, suite, payload, checksum FROM runs WHERE (id, suite) IN (VALUES {pairs})",  # noqa: S608
            values,
        )
    }
    figures: dict[RunKey, list[tuple[Any, ...]]] = {key: [] for key in found}
    for run, suite, *row in connection.execute(
        f"SELECT run, suite, model, {', '.join(FIGURES)} FROM run_models"  # noqa: S608
        f" WHERE (run, suite) IN (VALUES {pairs})",
        values,
    ):
        figures.setdefault((run, suite), []).append(tuple(row))
    wanted = [(run, suite) for run, suite in keys]
    return [(key, found[key], figures[key]) for key in wanted if key in found]


class ResultTable:
    """All that runs found out, for the last runs of each suite."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def put(self, run_id: str, suite: str, table: Mapping[str, object]) -> None:
        """Keep all that a run found out about a suite; of each suite the last ones stay."""
        packed = _pack(table)  # before anybody has to wait
        if packed is None:
            self._access.notices.append(
                f"the result of {suite} is longer than {_MOST_BYTES // 2**20} MiB and not kept for"
                " raq report: write it with --raq-json FILE"
            )
            return
        self._access.write(lambda connection: _write_result(connection, run_id, suite, packed))

    def get(self, run_id: str, suite: str) -> dict[str, object] | None:
        """Return all that a run found out about a suite; None when it is not kept any more."""
        return self._access.read(lambda connection: _read_result(connection, run_id, suite), None)

    def names(self) -> list[tuple[str, str]]:
        """Return run and suite of every result, the latest first."""
        return self._access.read(
            lambda connection: connection.execute(
                "SELECT run, suite FROM results ORDER BY run DESC, created, suite"
            ).fetchall(),
            [],
        )


def _pack(table: Mapping[str, object]) -> bytes | None:
    """Return a result as it is kept; None if it is too long."""
    # Escaped, so that half of a surrogate pair survives; zlib makes up for the length.
    text = json.dumps(table, separators=(",", ":")).encode("ascii")
    return zlib.compress(text) if len(text) <= _MOST_BYTES else None


def _write_result(connection: sqlite3.Connection, run_id: str, suite: str, payload: bytes) -> None:
    """Write a result and remove those of the suite that are older than the last `KEPT`."""
    connection.execute(
        "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)",
        (run_id, suite, payload, codec.checksum_of_bytes(run_id, suite, payload), int(time.time())),
    )
    connection.execute(
        "DELETE FROM results WHERE suite = ? AND run NOT IN"
        " (SELECT run FROM results WHERE suite = ? ORDER BY run DESC LIMIT ?)",
        (suite, suite, KEPT),
    )


def _read_result(connection: sqlite3.Connection, run_id: str, suite: str) -> dict[str, Any] | None:
    """Return a result; DamagedError when it was changed or damaged there."""
    row = connection.execute(
        "SELECT payload, checksum FROM results WHERE run = ? AND suite = ?", (run_id, suite)
    ).fetchone()
    if row is None:
        return None
    if not codec.is_sound(run_id, suite, *row):
        raise DamagedError(f"the result of {suite} in run {run_id} was changed or damaged")
    try:
        return _unpack(row[0])
    except (zlib.error, ValueError, RecursionError, MemoryError) as exc:
        raise DamagedError(f"the result of {suite} in run {run_id} is not one: {exc}") from exc


def _unpack(payload: bytes) -> dict[str, Any]:
    """Return a result; ValueError when it would be longer than any that is written."""
    inflater = zlib.decompressobj()
    text = inflater.decompress(payload, _MOST_BYTES)
    if inflater.unconsumed_tail or not inflater.eof:
        raise ValueError("it is incomplete or too long")
    table: dict[str, Any] = json.loads(text)
    return table
