"""The tables of a shared history, and how they are made while others write.

Format 1. All names begin with ``raq_``, so that the database may contain other
tables too. Each figure has its own column, for dashboards that read with SQL.

    raq_history     one row: the format
    raq_runs        one row a run and suite: when, commit, options, provenance
    raq_run_models  one row a run, suite and model: its figures

A figure that a newer version adds is a new column that older versions ignore;
any other change raises the format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    inspect,
    select,
    text,
)

from pytest_raq.errors import StoreError
from pytest_raq.store.schema import FIGURES

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

FORMAT: Final = 1

_LOCK = 0x52415148
"""``RAQH``: the advisory lock of PostgreSQL under which tables are made."""

_METADATA = MetaData()

HISTORY = Table("raq_history", _METADATA, Column("format", Integer, primary_key=True))

RUNS = Table(
    "raq_runs",
    _METADATA,
    Column("id", Text, primary_key=True),
    Column("suite", Text, primary_key=True),
    Column("time", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("git_commit", Text, nullable=False),
    Column("accepted", Boolean, nullable=False),
    Column("payload", Text, nullable=False),
    Index("raq_runs_by_time", "suite", "time"),
)

MODELS = Table(
    "raq_run_models",
    _METADATA,
    Column("run", Text, primary_key=True),
    Column("suite", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    *(
        Column(name, Text if name == "verdict" else Double, nullable=name != "verdict")
        for name in FIGURES
    ),
    ForeignKeyConstraint(["run", "suite"], ["raq_runs.id", "raq_runs.suite"], ondelete="CASCADE"),
)


def exist(connection: Connection) -> bool:
    """Whether the tables exist; nothing is changed.

    Raises StoreError if a newer version made them.
    """
    if not inspect(connection).has_table(HISTORY.name):
        return False
    formats = connection.execute(select(HISTORY.c.format)).scalars().all()
    newest = max(formats, default=0)
    if newest > FORMAT:
        raise StoreError(
            f"its format is {newest}, this version knows up to {FORMAT}: use the newer pytest-raq"
        )
    return bool(formats)


def is_ready(connection: Connection) -> bool:
    """Whether the tables exist and have a column for each figure."""
    return exist(connection) and not _missing_columns(connection)


def known_figures(connection: Connection) -> tuple[str, ...]:
    """Return the figures that have a column; an older version may have made the table."""
    missing = {column.name for column in _missing_columns(connection)}
    return tuple(name for name in FIGURES if name not in missing)


def prepare(connection: Connection) -> None:
    """Make what is missing, inside a transaction; only one of many processes does it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if is_ready(connection):  # another process was faster
        return
    _METADATA.create_all(connection)
    for column in _missing_columns(connection):
        kind = column.type.compile(connection.dialect)
        connection.execute(text(f"ALTER TABLE {MODELS.name} ADD COLUMN {column.name} {kind}"))
    if connection.execute(select(HISTORY.c.format)).first() is None:
        connection.execute(HISTORY.insert().values(format=FORMAT))


def _missing_columns(connection: Connection) -> list[Column[object]]:
    known = {column["name"] for column in inspect(connection).get_columns(MODELS.name)}
    return [column for column in MODELS.columns if column.name not in known]
