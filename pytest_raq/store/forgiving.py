"""The store as a run uses it: when it fails the run goes on, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pytest_raq.errors import StoreError
from pytest_raq.store.database import BUSY_SECONDS
from pytest_raq.store.digests import hash_file
from pytest_raq.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_raq.records import Answer, EngineInfo, JudgeVerdict, RunRecord
    from pytest_raq.store.shared.place import HistoryPlace

_T = TypeVar("_T")


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

    def _read(self, ask: Callable[[Store], _T], otherwise: _T) -> _T:
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

    def deliver_runs(self, place: HistoryPlace, runs: Sequence[RunRecord]) -> list[str]:
        """Write runs, kept here before, to the shared history; return what went wrong."""
        from pytest_raq.store.shared import deliver

        return deliver(self._store if self._writes else None, place, runs)

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
