"""The tables of the store, their format number, and how an older file becomes a newer one.

Format 6. ``PRAGMA application_id`` says that a file is a store, ``PRAGMA
user_version`` of which format. Times are seconds since 1970 (UTC).

    answers    key → what a model said: text, finish_reason, timing
    likelihoods key → how likely a text is after a prompt; since format 5
    engines    key → what ran a model: build, quantization, template
    verdicts   key → what a judge said: tiers or reason, prompt, reply, usage
    files      path → SHA-256, as long as inode, size and times are the same
    runs       one row a run and suite: when, commit, options, provenance
    run_models one row a run, suite and model: its figures; since format 4 with those since the
               anchor, since format 6 with contains and the figures of reasoning
    results    all that a run found out about a suite, for the last runs; since format 3
    entries    what format 1 kept, where the file is that old

Keys are SHA-256 (64 hexadecimal digits) of all that can change the value; see
`pytest_raq.store.keys`. Values of answers, likelihoods, engines and verdicts are JSON in
ASCII, so that any text survives, with a CRC-32 of key and value: SQLite has no
checksums of its own, and a page of noise must not become somebody's answer.

A result is JSON in UTF-8, compressed by zlib: texts of a thousand questions
in some ten thousand bytes.

Format 1 kept answers and engines in one table under keys that did not know the
engine's libraries. A key cannot be turned back into its parts, so that table
stays, and a row moves when a run asks for it under its former key.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Final

from pytest_raq.records import RunFigures
from pytest_raq.text import one_line

if TYPE_CHECKING:
    import sqlite3

FORMAT: Final = 6
FORMER: Final = 1
APPLICATION_ID: Final = 0x52415131
"""``RAQ1`` in ASCII."""

FORMER_TABLE = "entries"
_FORMER_COLUMNS = ("kind", "key", "payload", "created")

FIGURES = tuple(item.name for item in fields(RunFigures) if item.name != "model")
"""The columns of ``run_models`` beside the three that name the row."""

_VALUE = ("payload TEXT NOT NULL", "checksum INTEGER NOT NULL", "created INTEGER NOT NULL")


def _figure(name: str) -> str:
    return f"{name} TEXT NOT NULL" if name == "verdict" else f"{name} REAL"


TABLES: Final = {
    "answers": ("key TEXT NOT NULL", "model TEXT NOT NULL", *_VALUE),
    "likelihoods": ("key TEXT NOT NULL", "model TEXT NOT NULL", *_VALUE),
    "engines": ("key TEXT NOT NULL", *_VALUE),
    "verdicts": ("key TEXT NOT NULL", "judge TEXT NOT NULL", *_VALUE),
    "files": ("path TEXT NOT NULL", "signature TEXT NOT NULL", "sha256 TEXT NOT NULL"),
    "runs": (
        "id TEXT NOT NULL",
        "suite TEXT NOT NULL",
        "time TEXT NOT NULL",
        "state TEXT NOT NULL",
        "git_commit TEXT NOT NULL",
        "accepted INTEGER NOT NULL",
        "payload TEXT NOT NULL",
        "checksum INTEGER NOT NULL",
    ),
    "run_models": (
        "run TEXT NOT NULL",
        "suite TEXT NOT NULL",
        "model TEXT NOT NULL",
        *map(_figure, FIGURES),
    ),
    "results": (
        "run TEXT NOT NULL",
        "suite TEXT NOT NULL",
        "payload BLOB NOT NULL",
        "checksum INTEGER NOT NULL",
        "created INTEGER NOT NULL",
    ),
}
"""The columns of each table."""

_KEYS = {
    "files": "path",
    "runs": "id, suite",
    "run_models": "run, suite, model",
    "results": "run, suite",
}
_SINCE = {"results": 3, "likelihoods": 5}
"""The format that brought a table, where that is not 2."""

_ADDED = {
    "anchor_net_preference",
    "anchor_net_preference_low",
    "anchor_net_preference_high",
    "reference_bits_per_byte",
    "likelihood_difference",
    "likelihood_p_value",
    "contains",
    "reasoning_tokens",
    "reasoning_seconds",
    "time_to_first_answer",
}
"""Columns of ``run_models`` that formats 4 to 6 brought, behind those that were there."""


_ACTIVE = re.compile(r"\bcreate\s+virtual\b|\b(check|generated|as|references)\b", re.IGNORECASE)
"""Words of tables that compute something."""


class DamagedError(Exception):
    """The file is a store, or was one, and its tables are not what they must be."""


class ForeignError(Exception):
    """The file is not for this version to write: a newer store, or no store at all."""


def prepare(connection: sqlite3.Connection) -> None:
    """Make a new file a store, or an older one of this format.

    DamagedError and ForeignError when it can be neither; nothing is written then.
    """
    found = format_of(connection)
    refuse_active(connection)
    if found < FORMAT:
        connection.execute("PRAGMA journal_mode = WAL")
        _migrate(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    check_tables(connection)


def refuse_active(connection: sqlite3.Connection) -> None:
    """ForeignError if a file has anything but plain tables.

    A view, a trigger or a computed value of a planted file is a program: it runs when the file
    is read or written, maybe for ever. No version of a store had any.
    """
    for kind, name, text in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        is_made_by_sqlite = kind == "index" and text is None
        is_plain = kind == "table" and not _ACTIVE.search(str(text))
        if not (is_made_by_sqlite or is_plain):
            what = one_line(f"{kind} {name}", 60)
            raise ForeignError(
                f"it has the {what}, which no store has in this form; it was not changed: remove it"
            )


def format_of(connection: sqlite3.Connection) -> int:
    """Return the format of a store, 0 for an empty file."""
    application, found = _number(connection, "application_id"), _version(connection)
    ours = application == APPLICATION_ID or _has_former_table(connection)
    if found > FORMAT:
        raise ForeignError(
            f"its format is {found}, this version knows up to {FORMAT}; it was not changed:"
            " use the newer pytest-raq"
        )
    if not ours and (found or _count_tables(connection)):
        raise ForeignError("it is the database of another program; it was not changed")
    if ours and not found:
        raise DamagedError("it has no format")
    if found == FORMER and _columns(connection, FORMER_TABLE) != _FORMER_COLUMNS:
        raise DamagedError(f"its table {FORMER_TABLE} does not belong to a store")
    return found


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _version(connection)
        if found < FORMAT:  # else another process was quicker
            for name, columns in TABLES.items():
                if found >= _SINCE.get(name, 2):
                    continue
                key = _KEYS.get(name, "key")
                connection.execute(
                    f"CREATE TABLE {name} ({', '.join(columns)}, PRIMARY KEY ({key})) WITHOUT ROWID"
                )
            known = _columns(connection, "run_models")
            for name in FIGURES if known else ():
                if name not in known and name in _ADDED:
                    connection.execute(f"ALTER TABLE run_models ADD COLUMN {_figure(name)}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check_tables(connection: sqlite3.Connection) -> None:
    """DamagedError when a table is missing, or another one has its name."""
    for name, columns in TABLES.items():
        found = _columns(connection, name)
        if found != tuple(column.split()[0] for column in columns):
            what = (
                f"its table {name} does not belong to a store"
                if found
                else f"it has no table {name}"
            )
            raise DamagedError(what)


def _has_former_table(connection: sqlite3.Connection) -> bool:
    return bool(_columns(connection, FORMER_TABLE))


def _columns(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    return tuple(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))


def _count_tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _version(connection: sqlite3.Connection) -> int:
    return _number(connection, "user_version")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
