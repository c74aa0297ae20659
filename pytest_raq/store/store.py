"""The store: what outlives a run, one SQLite file for all runs of a project."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from pytest_raq.errors import StoreError
from pytest_raq.files import hash_file
from pytest_raq.store import codec as rows
from pytest_raq.store import runs as results
from pytest_raq.store.database import BUSY_SECONDS, Database
from pytest_raq.store.keys import is_racy, signature
from pytest_raq.store.runs import _LATE_RUNS, _RUNS, Deliveries, read_runs
from pytest_raq.store.schema import FIGURES, FORMER_TABLE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from pytest_raq.records import Answer, EngineInfo, JudgeVerdict, RunRecord
    from pytest_raq.store.runs import RunKey


_CHUNK = 500
"""Keys of one SELECT; what is read is in memory only so many rows at a time."""

_T = TypeVar("_T")
_K = TypeVar("_K")

_Result = TypeVar("_Result")


class Store:
    """Answers, engine descriptions, verdicts of judges, hashes of files, and runs.

    Many processes may share one file. Each ``put`` is kept when it returns.
    ``notices`` says what was wrong with the file and mended; without ``mend``
    that is an error, and so is a file that is not there. StoreError when it
    cannot be used. The tables are described in `pytest_raq.store.schema`.
    """

    def __init__(
        self, path: Path, *, busy_seconds: float = BUSY_SECONDS, mend: bool = True
    ) -> None:
        self.path = path
        self._database = Database(path, busy_seconds=busy_seconds, mend=mend)
        self._may_have_former = self._database.run(_has_former)

    @property
    def notices(self) -> list[str]:
        """What a reader should know of the file, in the order in which it was found."""
        return self._database.notices

    def get_answer(self, key: str, question_id: str, model: str) -> Answer | None:
        """Return the stored answer, or None; ids are those of the asking run."""
        table = self._get("answers", key)
        return None if table is None else rows.answer_from(table, question_id, model)

    def get_answers(self, keys: Mapping[str, str], model: str) -> Iterator[Answer]:
        """Yield the stored answers to questions, given as question id → key."""
        wanted: dict[str, list[str]] = {}
        for question_id, key in keys.items():
            wanted.setdefault(key, []).append(question_id)
        for some in _chunks(list(wanted)):
            for key, table in self._get_many("answers", some):
                for question_id in wanted[key]:
                    yield rows.answer_from(table, question_id, model)

    def put_answer(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        self._put("answers", key, rows.answer_to_payload(answer), model=answer.model)

    def get_engine(self, key: str) -> EngineInfo | None:
        """Return what ran a model when its answers were stored."""
        table = self._get("engines", key)
        return None if table is None else rows.engine_from(table)

    def put_engine(self, key: str, info: EngineInfo) -> None:
        """Keep what runs a model."""
        self._put("engines", key, rows.engine_to_payload(info))

    def get_former_answer(self, key: str, question_id: str, model: str) -> Answer | None:
        """Return an answer that format 1 kept under this key."""
        return self._get_former(
            "answer", key, lambda table: rows.answer_from(table, question_id, model)
        )

    def get_former_engine(self, key: str) -> EngineInfo | None:
        """Return what format 1 knew of what ran a model."""
        return self._get_former("engine", key, rows.engine_from)

    def get_verdict(self, key: str) -> JudgeVerdict | None:
        """Return what a judge said of a case, by its `verdict_key`."""
        table = self._get("verdicts", key)
        return None if table is None else rows.verdict_from(table)

    def put_verdict(self, key: str, judge: str, verdict: JudgeVerdict) -> None:
        """Keep what the judge of that name said."""
        self._put("verdicts", key, rows.verdict_to_payload(verdict), judge=judge)

    def file_sha256(self, path: Path) -> str:
        """Return the SHA-256 of a file, read only if it is not as it was when last read.

        OSError when it cannot be read.
        """
        place, found = str(path.absolute()), path.stat()
        known = self._database.run(
            lambda connection: connection.execute(
                "SELECT sha256 FROM files WHERE path = ? AND signature = ?",
                (place, signature(found)),
            ).fetchone()
        )
        if known is not None and not is_racy(found):
            return str(known[0])
        digest = hash_file(path)
        # Judged by the time before it was read, and only if it stood still meanwhile.
        if not is_racy(found) and signature(path.stat()) == signature(found):
            self._database.run(
                lambda connection: connection.execute(
                    "INSERT OR REPLACE INTO files (path, signature, sha256) VALUES (?, ?, ?)",
                    (place, signature(found), digest),
                )
            )
        return digest

    def put_run(self, run: RunRecord) -> None:
        """Keep a suite of a run; the same id and suite replaces what was kept."""
        payload = rows.run_to_payload(run)
        values = (run.id, run.suite, run.time, run.state.value, run.commit, run.accepted)
        names = ("run", "suite", "model", *FIGURES)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM run_models WHERE run = ? AND suite = ?", (run.id, run.suite)
            )
            connection.execute(
                f"INSERT OR REPLACE INTO runs VALUES ({_marks(8)})",  # noqa: S608
                (*values, payload, rows.checksum(run.id, payload)),
            )
            connection.executemany(
                f"INSERT INTO run_models ({', '.join(names)}) VALUES ({_marks(len(names))})",  # noqa: S608
                [
                    (run.id, run.suite, model, *rows.figure_values(figures))
                    for model, figures in run.models.items()
                ],
            )

        self._database.transaction(write)

    def get_runs(self, suite: str = "", *, last: int | None = None) -> Iterator[RunRecord]:
        """Yield the runs of a suite, or of all, the latest first, some read at a time.

        With ``last`` no more than that many of each suite.
        """
        where, values = ("WHERE suite = ?", [suite]) if suite else ("", [])
        known = self._database.run(
            lambda connection: connection.execute(_LATE_RUNS.format(where=where), values).fetchall()
        )
        wanted = [(run, of) for run, of, place in known if last is None or place <= last]
        yield from self.get_chosen_runs(wanted)

    def get_chosen_runs(self, keys: Sequence[RunKey]) -> Iterator[RunRecord]:
        """Yield runs by id and suite, in that order; those that are not there are passed over."""
        for some in _chunks(keys, _RUNS):
            for key, row, figures in self._database.run(partial(read_runs, keys=some)):
                try:
                    run = rows.run_from(rows.from_payload(key[0], *row), figures)
                except ValueError:  # pydantic's: another version knew other fields
                    self.notices.append(
                        f"the run {key[0]} of {key[1]} in {self.path} cannot be read by"
                        " this version"
                    )
                else:
                    yield run

    def deliveries(self, target: str) -> Deliveries:
        """Return the runs that a shared history is still to get."""
        return Deliveries(self._database, target)

    def put_result(self, run_id: str, suite: str, table: Mapping[str, object]) -> None:
        """Keep all that a run found out about a suite; of each suite the last ones stay."""
        packed = results.pack(table)  # before anybody has to wait
        self._database.transaction(
            lambda connection: results.write(connection, run_id, suite, packed)
        )

    def get_result(self, run_id: str, suite: str) -> dict[str, object] | None:
        """Return all that a run found out about a suite; None when it is not kept any more."""
        return self._database.run(lambda connection: results.read(connection, run_id, suite))

    def result_names(self) -> list[tuple[str, str]]:
        """Return run and suite of every result that is kept, the latest first."""
        return self._database.run(results.names)

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Release the file."""
        self.close()

    def _get(self, table: str, key: str) -> dict[str, Any] | None:
        return next((value for _, value in self._get_many(table, [key])), None)

    def _get_many(self, table: str, keys: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
        statement = f"SELECT key, payload, checksum FROM {table} WHERE key IN ({_marks(len(keys))})"  # noqa: S608

        def read(connection: sqlite3.Connection) -> list[tuple[str, dict[str, Any]]]:
            found = connection.execute(statement, keys)
            return [(row[0], rows.from_payload(*row)) for row in found]

        return self._database.run(read)

    def _put(self, table: str, key: str, payload: str, **labels: str) -> None:
        values = {
            "key": key,
            **labels,
            "payload": payload,
            "checksum": rows.checksum(key, payload),
            "created": int(time.time()),
        }
        statement = f"INSERT OR REPLACE INTO {table} ({', '.join(values)})"
        self._database.run(
            lambda connection: connection.execute(
                f"{statement} VALUES ({_marks(len(values))})", tuple(values.values())
            )
        )

    def _get_former(self, kind: str, key: str, read: Callable[[dict[str, Any]], _T]) -> _T | None:
        if not self._may_have_former:
            return None
        row = self._database.run(lambda connection: _former_row(connection, kind, key))
        with suppress(ValueError, KeyError, TypeError):  # format 1 had no checksums
            return None if row is None else read(json.loads(row[0]))
        return None


def _chunks(keys: Sequence[_K], size: int = _CHUNK) -> Iterator[Sequence[_K]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _has_former(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (FORMER_TABLE,))
    return found.fetchone() is not None


def _former_row(connection: sqlite3.Connection, kind: str, key: str) -> tuple[str] | None:
    if not _has_former(connection):  # the file was replaced by a new one
        return None
    row: tuple[str] | None = connection.execute(
        f"SELECT payload FROM {FORMER_TABLE} WHERE kind = ? AND key = ?",  # noqa: S608
        (kind, key),
    ).fetchone()
    return row


class ForgivingStore:
    """A `Store` that nothing is written to after its first error.

    A full disk or a lock that is never released must not cost the answers
    that are in hand. What was kept can still be read, until reading fails
    too. ``notices`` says what happened, each thing once.
    """

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._told: list[str] = []
        self._writes = True
        self._store: Store | None = None
        self._opened: Store | None = None
        try:
            self._store = self._opened = Store(path, busy_seconds=busy_seconds)
        except StoreError as exc:
            self._stop_writing(exc)

    @property
    def notices(self) -> list[str]:
        """What a reader should know beside the results."""
        return [*(self._opened.notices if self._opened else ()), *self._told]

    @property
    def keeps(self) -> bool:
        """Whether everything so far was kept."""
        return self._writes

    def _stop_writing(self, exc: StoreError) -> None:
        if self._writes:
            self._told.append(f"answers are not kept from here on: {exc}")
        self._writes = False

    def _read(self, ask: Callable[[Store], _Result], otherwise: _Result) -> _Result:
        try:
            return ask(self._store) if self._store else otherwise
        except StoreError as exc:
            self._stop_writing(exc)
            self.close()
            return otherwise

    def _write(self, put: Callable[[Store], None]) -> None:
        try:
            if self._store and self._writes:
                put(self._store)
        except StoreError as exc:
            self._stop_writing(exc)

    def get_answers(self, keys: Mapping[str, str], model: str) -> Iterator[Answer]:
        """Yield the stored answers to questions, given as question id → key."""
        try:
            if self._store:
                yield from self._store.get_answers(keys, model)
        except StoreError as exc:
            self._stop_writing(exc)
            self.close()

    def put_answer(self, key: str, answer: Answer) -> None:
        """Keep an answer, if that is possible."""
        self._write(lambda store: store.put_answer(key, answer))

    def get_engine(self, key: str) -> EngineInfo | None:
        """Return what ran a model; None when it is not known, or no store."""
        return self._read(lambda store: store.get_engine(key), None)

    def put_engine(self, key: str, info: EngineInfo) -> None:
        """Keep what runs a model, if that is possible."""
        self._write(lambda store: store.put_engine(key, info))

    def get_former_answer(self, key: str, question_id: str, model: str) -> Answer | None:
        """Return an answer that format 1 kept; None when there is none."""
        return self._read(lambda store: store.get_former_answer(key, question_id, model), None)

    def get_former_engine(self, key: str) -> EngineInfo | None:
        """Return what format 1 knew of what ran a model; None when it knew nothing."""
        return self._read(lambda store: store.get_former_engine(key), None)

    def get_verdict(self, key: str) -> JudgeVerdict | None:
        """Return what a judge said of a case; None when it is not known."""
        return self._read(lambda store: store.get_verdict(key), None)

    def put_verdict(self, key: str, judge: str, verdict: JudgeVerdict) -> None:
        """Keep what a judge said, if that is possible."""
        self._write(lambda store: store.put_verdict(key, judge, verdict))

    def put_run(self, run: RunRecord) -> None:
        """Keep a run, if that is possible."""
        self._write(lambda store: store.put_run(run))

    def put_result(self, run_id: str, suite: str, table: Mapping[str, object]) -> None:
        """Keep all that a run found out about a suite, if that is possible."""
        self._write(lambda store: store.put_result(run_id, suite, table))

    @property
    def writable(self) -> Store | None:
        """The store itself, as long as it can be written."""
        return self._store if self._writes else None

    def file_sha256(self, path: Path) -> str:
        """Return the SHA-256 of a file, remembered if possible; OSError when it is unreadable."""
        try:
            if self._store and self._writes:
                return self._store.file_sha256(path)
        except StoreError as exc:
            self._stop_writing(exc)
        return hash_file(path)

    def close(self) -> None:
        """Release the file; safe to call twice."""
        if self._store is not None:
            self._store.close()
            self._store = None
