"""A database of runs in SQLite or PostgreSQL; its errors become our errors."""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pytest_raq.errors import StoreError
from pytest_raq.store import codec as rows
from pytest_raq.store.schema import FIGURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy.engine import Connection, Engine

    from pytest_raq.history.shared.location import HistoryPlace
    from pytest_raq.records import RunRecord
    from pytest_raq.store.runs import RunKey

_RunRows = tuple["RunKey", str, list[tuple[object, ...]]]
"""A run's key, its payload, and one row of figures per model."""

CONNECT_SECONDS = 5
"""Seconds that a server may take to answer; for a host of several addresses, each address."""

_STATEMENT_SECONDS = 30
_CHUNK = 200
_REASONS = (re.compile(r"(?:FATAL|ERROR): +(.*)"), re.compile(r".*failed: (.*)"))


class SharedHistory:
    """Runs of many jobs in one database.

    Missing tables are made by only one process, even if many start at the same
    time. A run of a suite is written once, completely or not at all; writing it
    again has no effect. If the database cannot be used, StoreError names it without
    its password; ``notices`` is what a reader should know.
    """

    def __init__(self, place: HistoryPlace) -> None:
        self.place = place
        self.notices: list[str] = []
        self._engine = _make_engine(place)
        self._is_ready = False

    def put_runs(self, runs: Iterable[RunRecord]) -> Iterator[RunKey]:
        """Write runs and yield the key of each when it is kept."""
        # The same order everywhere: parallel writers wait for each other without deadlock.
        for run in sorted(runs, key=lambda item: (item.id, item.suite)):
            with self._transaction(writes=True) as connection:
                _insert(connection, run)
            yield run.id, run.suite

    def latest(self, suite: str = "", *, last: int | None = None) -> Iterator[RunRecord]:
        """Yield the runs of a suite, or of all, the latest first; ``last`` of each suite."""
        if self.place.is_sqlite and not Path(str(self.place.url.database)).exists():
            raise self._error("does not exist; the first delivered run creates it")
        with self._transaction(writes=False) as connection:
            found = list(self._find(connection, suite, last))
        for (run, of), payload, figures in found:
            try:
                yield rows.run_from(rows.parse_payload(payload), figures)
            except ValueError:
                self.notices.append(
                    f"the run {run} of {of} in {self.place.shown} cannot be read by this version"
                )

    def _find(self, connection: Connection, suite: str, last: int | None) -> Iterator[_RunRows]:
        from pytest_raq.history.shared import tables

        if not self._exists(connection):
            return
        keys = _late_keys(connection, suite, last)
        known = tables.known_figures(connection)
        for start in range(0, len(keys), _CHUNK):
            yield from _read(connection, keys[start : start + _CHUNK], known)

    def _exists(self, connection: Connection) -> bool:
        from pytest_raq.history.shared import tables

        try:
            return tables.exist(connection)
        except StoreError as exc:
            raise self._error(str(exc)) from exc

    def close(self) -> None:
        """End all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Return the history itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End all connections."""
        self.close()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine.connect() as connection:
                self._begin(connection, writes=writes)
                yield connection
                connection.commit()
        except SQLAlchemyError as exc:
            raise self._error(_reason(exc)) from None  # the cause holds the URL
        except (OSError, UnicodeError) as exc:
            raise self._error(str(exc)) from None

    def _begin(self, connection: Connection, *, writes: bool) -> None:
        from pytest_raq.history.shared import tables

        if self.place.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
        else:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_STATEMENT_SECONDS}s'")
        if not writes or self._is_ready:
            return
        if not self._exists(connection) or not tables.is_ready(connection):
            tables.prepare(connection)
        self._is_ready = True

    def _error(self, why: str) -> StoreError:
        return StoreError(f"history {self.place.shown}: {self.place.hide(why)}")


def _make_engine(place: HistoryPlace) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    if place.is_sqlite:
        # Transactions are started explicitly: the driver's own begin is not IMMEDIATE.
        arguments: dict[str, object] = {"timeout": _STATEMENT_SECONDS, "isolation_level": None}
        return create_engine(place.url, connect_args=arguments, poolclass=NullPool)
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "tcp_user_timeout": _STATEMENT_SECONDS * 1000,
        "application_name": "pytest-raq",
        "prepare_threshold": None,  # poolers with shared connections have no prepared statements
    }
    given = {name: value for name, value in arguments.items() if name not in place.url.query}
    return create_engine(place.url, connect_args=given, pool_size=1, max_overflow=0)


def _insert(connection: Connection, run: RunRecord) -> None:
    from sqlalchemy.dialects import postgresql, sqlite

    from pytest_raq.history.shared.tables import MODELS, RUNS

    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(RUNS).values(
        id=run.id,
        suite=run.suite,
        time=run.time,
        state=run.state.value,
        git_commit=run.commit,
        accepted=run.accepted,
        payload=rows.run_to_payload(run),
    )
    added = connection.execute(statement.on_conflict_do_nothing().returning(RUNS.c.id)).first()
    if added is not None and run.models:
        connection.execute(
            MODELS.insert(),
            [
                {"run": run.id, "suite": run.suite, "model": name, **_figures(values)}
                for name, values in (
                    (name, rows.figure_values(item)) for name, item in run.models.items()
                )
            ],
        )


def _figures(values: Sequence[object]) -> dict[str, object]:
    """Return the columns of a model; a figure that is not a number becomes None."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in zip(FIGURES, values, strict=True)
    }


def _late_keys(connection: Connection, suite: str, last: int | None) -> list[RunKey]:
    from sqlalchemy import func, select

    from pytest_raq.history.shared.tables import RUNS

    place = func.row_number().over(
        partition_by=RUNS.c.suite, order_by=(RUNS.c.time.desc(), RUNS.c.id.desc())
    )
    statement = select(RUNS.c.id, RUNS.c.suite, place).order_by(
        RUNS.c.time.desc(), RUNS.c.id.desc()
    )
    if suite:
        statement = statement.where(RUNS.c.suite == suite)
    found = connection.execute(statement)
    return [(run, of) for run, of, number in found if last is None or number <= last]


def _read(connection: Connection, keys: Sequence[RunKey], known: tuple[str, ...]) -> list[_RunRows]:
    """Return the rows of runs in the order of their keys; unknown figures are None."""
    from sqlalchemy import select, tuple_

    from pytest_raq.history.shared.tables import MODELS, RUNS

    chosen = tuple_(RUNS.c.id, RUNS.c.suite).in_(keys)
    payloads: dict[RunKey, str] = {
        (run, suite): payload
        for run, suite, payload in connection.execute(
            select(RUNS.c.id, RUNS.c.suite, RUNS.c.payload).where(chosen)
        )
    }
    figures: dict[RunKey, list[tuple[object, ...]]] = {key: [] for key in payloads}
    columns = [MODELS.c[name] for name in ("run", "suite", "model", *known)]
    of_runs = tuple_(MODELS.c.run, MODELS.c.suite).in_(keys)
    for run, suite, model, *row in connection.execute(select(*columns).where(of_runs)):
        values = dict(zip(known, row, strict=True))
        figures[run, suite].append((model, *map(values.get, FIGURES)))
    return [(key, payloads[key], figures[key]) for key in keys if key in payloads]


def _reason(exc: Exception) -> str:
    """Return one line of an error of a driver, which may have many."""
    told = str(getattr(exc, "orig", None) or exc)
    match = next((found for reason in _REASONS if (found := reason.search(told))), None)
    lines = [match[1]] if match else told.splitlines()
    return next((line.strip() for line in lines if line.strip()), type(exc).__name__)
