"""The store: answers as SQLite rows, keyed by everything that can change them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from pytest_raq.errors import StoreError
from pytest_raq.records import Answer, EngineInfo, FinishReason, Timing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FORMAT = 1
"""The layout of the tables; another number in a file means another layout."""

_BUSY_SECONDS = 30.0


def answer_key(**parts: object) -> str:
    """Return the key of an answer: a hash of all that could change its text."""
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=list)
    return hashlib.sha256(canonical.encode()).hexdigest()


class AnswerStore:
    """Answers and engine descriptions that outlive a run.

    Many processes may share one file (write-ahead log, a short transaction a
    row). A file that is no store of this format is set aside under another
    name, so that nothing is lost and the run goes on; `notice` then says so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notice = ""
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError as exc:
            if isinstance(exc, sqlite3.OperationalError) and "locked" in str(exc):
                raise self._error(exc) from exc
            self._set_aside(str(exc))
            self._connection = self._reopen()

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise self._error(exc) from exc
        if self.path.is_dir():
            raise StoreError(f"{self.path}: is a folder; --raq-store wants a file")
        try:
            connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        except sqlite3.OperationalError as exc:
            raise self._error(exc) from exc
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, FORMAT):
            raise sqlite3.DatabaseError(f"its format is {found}, this version writes {FORMAT}")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS entries (kind TEXT NOT NULL, key TEXT NOT NULL,"
                " payload TEXT NOT NULL, created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,"
                " PRIMARY KEY (kind, key)) WITHOUT ROWID"
            )
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        except sqlite3.OperationalError as exc:
            raise self._error(exc) from exc

    def _reopen(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError as exc:
            raise self._error(exc) from exc

    def _set_aside(self, why: str) -> None:
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        try:
            self.path.rename(aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError as exc:
            raise self._error(exc) from exc
        self.notice = f"the store {self.path} could not be read ({why}); it is kept as {aside.name}"

    def _error(self, exc: Exception) -> StoreError:
        return StoreError(f"{self.path}: cannot be used: {exc}; choose another with --raq-store")

    @contextmanager
    def _mapped(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except sqlite3.Error as exc:
            raise self._error(exc) from exc

    def get_answer(self, key: str, question_id: str, model: str) -> Answer | None:
        """Return the stored answer, or None; ids are those of the asking run."""
        payload = self._get("answer", key)
        return None if payload is None else _decode_answer(payload, question_id, model)

    def put_answer(self, key: str, answer: Answer) -> None:
        """Keep an answer; StoreError when the file cannot be written."""
        payload = {
            "text": answer.text,
            "finish_reason": answer.finish_reason.value,
            "timing": asdict(answer.timing),
        }
        self._put("answer", key, payload)

    def get_engine(self, key: str) -> EngineInfo | None:
        """Return what ran a model when its answers were stored."""
        payload = self._get("engine", key)
        return None if payload is None else EngineInfo(**json.loads(payload))

    def put_engine(self, key: str, info: EngineInfo) -> None:
        """Keep what runs a model."""
        self._put("engine", key, asdict(info))

    def _get(self, kind: str, key: str) -> str | None:
        with self._mapped() as connection:
            row = connection.execute(
                "SELECT payload FROM entries WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
        return None if row is None else str(row[0])

    def _put(self, kind: str, key: str, payload: Mapping[str, object]) -> None:
        text = json.dumps(payload, ensure_ascii=False)
        with self._mapped() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO entries (kind, key, payload) VALUES (?, ?, ?)",
                (kind, key, text),
            )

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


def _decode_answer(payload: str, question_id: str, model: str) -> Answer:
    table = json.loads(payload)
    return Answer(
        question_id=question_id,
        model=model,
        text=table["text"],
        finish_reason=FinishReason(table["finish_reason"]),
        timing=Timing(**table["timing"]),
    )
