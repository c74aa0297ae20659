"""Whole results of runs: everything that ``--raq-json`` writes, compressed, for the last runs."""

from __future__ import annotations

import json
import time
import zlib
from typing import TYPE_CHECKING, Any, Final

from pytest_raq.store.schema import DamagedError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

KEPT: Final = 50
"""Results of each suite that stay; the figures of all runs do, for history."""


def pack(table: Mapping[str, object]) -> bytes:
    """Return a result as it is kept."""
    # Escaped, so that half of a surrogate pair survives; zlib makes up for the length.
    return zlib.compress(json.dumps(table, separators=(",", ":")).encode("ascii"))


def checksum(run_id: str, suite: str, payload: bytes) -> int:
    """Return the CRC-32 that stands beside a result."""
    return zlib.crc32(f"{run_id}\0{suite}\0".encode("utf-8", "replace") + payload)


def write(connection: sqlite3.Connection, run_id: str, suite: str, payload: bytes) -> None:
    """Write a result and remove those of the suite that are older than the last `KEPT`."""
    connection.execute(
        "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)",
        (run_id, suite, payload, checksum(run_id, suite, payload), int(time.time())),
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


def is_sound(run_id: object, suite: object, payload: object, expected: object) -> bool:
    """Whether a result is what was written."""
    return isinstance(payload, bytes) and checksum(str(run_id), str(suite), payload) == expected


def names(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return run and suite of every result, the latest first, suites in their order of writing."""
    return connection.execute(
        "SELECT run, suite FROM results ORDER BY run DESC, created, suite"
    ).fetchall()
