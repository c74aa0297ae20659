"""The tables of the store that answer "is this known already?", and how tables are reached."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from pytest_raq.errors import StoreError
from pytest_raq.files import hash_file
from pytest_raq.store import codec
from pytest_raq.store.database import BUSY_SECONDS, Database
from pytest_raq.store.keys import is_racy, signature
from pytest_raq.store.schema import FORMER_TABLE

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from pytest_raq.records import Answer, EngineInfo, JudgeVerdict, Likelihood

OnError = Literal["raise", "degrade"]

_CHUNK = 500
"""Keys of one SELECT, and rows in memory at a time."""

T = TypeVar("T")
K = TypeVar("K")


class Access:
    """Reads and writes the database of a store.

    With ``on_error="raise"`` an error is a StoreError. With ``"degrade"`` the
    first error is a notice: from then on nothing is written, and once reading
    fails too, nothing is read. A full disk or a lock that is never released
    must not cost the answers in memory.
    """

    def __init__(
        self, path: Path, *, busy_seconds: float = BUSY_SECONDS, mend: bool, on_error: OnError
    ) -> None:
        self.notices: list[str] = []
        self.is_writable = True
        self._degrades = on_error == "degrade"
        self._database: Database | None = None
        try:
            self._database = Database(
                path, busy_seconds=busy_seconds, mend=mend, notices=self.notices
            )
        except StoreError as exc:
            self._stop_writing(exc)

    @property
    def database(self) -> Database:
        """The database itself, whose errors are raised; only while `is_writable`."""
        assert self._database is not None
        return self._database

    def read(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Return what ``work`` reads; ``otherwise`` where nothing can be read."""
        if self._database is None:
            return otherwise
        try:
            return self._database.run(work)
        except StoreError as exc:
            self._stop_writing(exc)
            self.close()
            return otherwise

    def write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Let ``work`` write in one transaction, if that is possible."""
        if self._database is None or not self.is_writable:
            return
        try:
            self._database.transaction(work)
        except StoreError as exc:
            self._stop_writing(exc)

    def _stop_writing(self, exc: StoreError) -> None:
        if not self._degrades:
            raise exc
        if self.is_writable:
            self.notices.append(f"answers are not stored from now on: {exc}")
        self.is_writable = False

    def close(self) -> None:
        """Release the file; safe to call twice."""
        if self._database is not None:
            self._database.close()
            if self._degrades:
                self._database = None


class KeyedTable:
    """Values in JSON under keys that are hashes, with checksums."""

    def __init__(self, access: Access, name: str) -> None:
        self._access, self._name = access, name

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the value under a key; None when there is none."""
        return next((value for _, value in self.get_many([key])), None)

    def get_many(self, keys: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the keys that are known, with their values, some read at a time."""
        for some in chunks(keys, _CHUNK):
            none: list[tuple[str, dict[str, Any]]] = []
            yield from self._access.read(partial(self._read, keys=some), none)

    def _read(
        self, connection: sqlite3.Connection, keys: Sequence[str]
    ) -> list[tuple[str, dict[str, Any]]]:
        where = f"WHERE key IN ({marks(len(keys))})"
        found = connection.execute(
            f"SELECT key, payload, checksum FROM {self._name} {where}",  # noqa: S608
            keys,
        )
        return [(row[0], codec.from_payload(*row)) for row in found]

    def put(self, key: str, payload: str, **labels: str) -> None:
        """Keep a value."""
        self.put_many({key: payload}, **labels)

    def put_many(self, payloads: Mapping[str, str], **labels: str) -> None:
        """Keep values by their keys, all of them or none."""
        names = ("key", *labels, "payload", "checksum", "created")
        statement = f"INSERT OR REPLACE INTO {self._name} ({', '.join(names)})"
        created = int(time.time())
        rows = [
            (key, *labels.values(), payload, codec.checksum(key, payload), created)
            for key, payload in payloads.items()
        ]
        self._access.write(
            lambda connection: connection.executemany(
                f"{statement} VALUES ({marks(len(names))})", rows
            )
        )


class AnswerTable:
    """Answers of models, by the keys of `pytest_raq.answering.identity`."""

    def __init__(self, access: Access, former: FormerTable) -> None:
        self._table, self._former = KeyedTable(access, "answers"), former

    def get(self, key: str, question_id: str, model: str) -> Answer | None:
        """Return the stored answer, or None; the ids are those of the asking run."""
        return next(self.get_many({question_id: key}, model), None)

    def get_many(self, keys: Mapping[str, str], model: str) -> Iterator[Answer]:
        """Yield the stored answers to questions, given as question id → key."""
        wanted: dict[str, list[str]] = {}
        for question_id, key in keys.items():
            wanted.setdefault(key, []).append(question_id)
        for key, table in self._table.get_many(list(wanted)):
            for question_id in wanted[key]:
                read = partial(codec.answer_from, question_id=question_id, model=model)
                if (answer := codec.read_as(read, table)) is not None:
                    yield answer

    def get_former(self, key: str, question_id: str, model: str) -> Answer | None:
        """Return an answer that format 1 kept under this key."""
        return self._former.get(
            "answer", key, lambda table: codec.answer_from(table, question_id, model)
        )

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        self._table.put(key, codec.answer_to_payload(answer), model=answer.model)


class LikelihoodTable:
    """How likely texts are, by the keys of `pytest_raq.answering.identity`."""

    def __init__(self, access: Access) -> None:
        self._table = KeyedTable(access, "likelihoods")

    def get_many(self, keys: Sequence[str]) -> dict[str, Likelihood]:
        """Return what is known under keys."""
        return {
            key: likelihood
            for key, table in self._table.get_many(keys)
            if (likelihood := codec.read_as(codec.likelihood_from, table)) is not None
        }

    def put_many(self, model: str, likelihoods: Mapping[str, Likelihood]) -> None:
        """Keep likelihoods by their keys."""
        payloads = {key: codec.likelihood_to_payload(each) for key, each in likelihoods.items()}
        self._table.put_many(payloads, model=model)


class EngineTable:
    """What the engines said of themselves when they answered."""

    def __init__(self, access: Access, former: FormerTable) -> None:
        self._table, self._former = KeyedTable(access, "engines"), former

    def get(self, key: str) -> EngineInfo | None:
        """Return what ran a model when its answers were stored."""
        table = self._table.get(key)
        return None if table is None else codec.read_as(codec.engine_from, table)

    def get_former(self, key: str) -> EngineInfo | None:
        """Return what format 1 knew of what ran a model."""
        return self._former.get("engine", key, codec.engine_from)

    def put(self, key: str, info: EngineInfo) -> None:
        """Keep what runs a model."""
        self._table.put(key, codec.engine_to_payload(info))


class VerdictTable:
    """Verdicts of judges, by the keys of `pytest_raq.store.keys.verdict_key`."""

    def __init__(self, access: Access) -> None:
        self._table = KeyedTable(access, "verdicts")

    def get(self, key: str) -> JudgeVerdict | None:
        """Return a judge's verdict on a case; None when it is not known."""
        table = self._table.get(key)
        return None if table is None else codec.read_as(codec.verdict_from, table)

    def put(self, key: str, judge: str, verdict: JudgeVerdict) -> None:
        """Keep the verdict of the judge of that name."""
        self._table.put(key, codec.verdict_to_payload(verdict), judge=judge)


class FileHashTable:
    """SHA-256 of files, so that large ones are not read in every run."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def sha256(self, path: Path) -> str:
        """Return the SHA-256 of a file, read only if it is not as it was when last read.

        OSError when it cannot be read.
        """
        place, found = str(path.absolute()), path.stat()
        known = self._access.read(
            lambda connection: connection.execute(
                "SELECT sha256 FROM files WHERE path = ? AND signature = ?",
                (place, signature(found)),
            ).fetchone(),
            None,
        )
        if known is not None and not is_racy(found):
            return str(known[0])
        digest = hash_file(path)
        # Judged by the time before it was read, and only if it stood still meanwhile.
        if not is_racy(found) and signature(path.stat()) == signature(found):
            self._access.write(
                lambda connection: connection.execute(
                    "INSERT OR REPLACE INTO files (path, signature, sha256) VALUES (?, ?, ?)",
                    (place, signature(found), digest),
                )
            )
        return digest

    def paths_of(self, sha256: str) -> list[Path]:
        """Return the files that had this SHA-256 when they were last read."""
        return self._paths("SELECT path FROM files WHERE sha256 = ?", sha256)

    def paths_like(self, pattern: str) -> list[Path]:
        """Return the files that were read whose path fits a pattern of SQL's LIKE."""
        return self._paths("SELECT path FROM files WHERE path LIKE ?", pattern)

    def _paths(self, query: str, value: str) -> list[Path]:
        rows: list[tuple[str]] = self._access.read(
            lambda connection: connection.execute(query, (value,)).fetchall(), []
        )
        return [Path(str(path)) for (path,) in rows]


class FormerTable:
    """The table of format 1, which an old store still has."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._may_exist = access.read(_has_former, otherwise=False)

    def get(self, kind: str, key: str, read: Callable[[dict[str, Any]], T]) -> T | None:
        """Return a value that format 1 kept, as ``read`` makes it of JSON; None without one."""
        if not self._may_exist:
            return None
        row = self._access.read(lambda connection: _former_row(connection, kind, key), None)
        with suppress(ValueError, KeyError, TypeError):  # format 1 had no checksums
            return None if row is None else read(json.loads(row[0]))
        return None


def chunks(keys: Sequence[K], size: int) -> Iterator[Sequence[K]]:
    """Yield keys in parts of at most ``size``."""
    return (keys[start : start + size] for start in range(0, len(keys), size))


def marks(count: int) -> str:
    """Return a number of placeholders of SQL."""
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
