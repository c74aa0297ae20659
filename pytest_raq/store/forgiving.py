"""The store as a run uses it: when it fails the run goes on, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.errors import StoreError
from pytest_raq.store.answers import AnswerStore

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_raq.records import Answer, EngineInfo


class ForgivingStore:
    """An `AnswerStore` whose first error ends its use.

    A full disk or a lock that is never released must not cost the answers
    that are in hand; ``notices`` says what happened.
    """

    def __init__(self, path: Path) -> None:
        self.notices: list[str] = []
        self._store: AnswerStore | None = None
        try:
            self._store = AnswerStore(path)
        except StoreError as exc:
            self._give_up(exc)
        else:
            self.notices += [self._store.notice] * bool(self._store.notice)

    def _give_up(self, exc: StoreError) -> None:
        self.notices.append(f"answers are not kept from here on: {exc}")
        self.close()

    def get_answer(self, key: str, question_id: str, model: str) -> Answer | None:
        """Return the stored answer; None when there is none, or no store."""
        try:
            return self._store.get_answer(key, question_id, model) if self._store else None
        except StoreError as exc:
            self._give_up(exc)
            return None

    def put_answer(self, key: str, answer: Answer) -> None:
        """Keep an answer, if that is possible."""
        try:
            if self._store:
                self._store.put_answer(key, answer)
        except StoreError as exc:
            self._give_up(exc)

    def get_engine(self, key: str) -> EngineInfo | None:
        """Return what ran a model; None when it is not known, or no store."""
        try:
            return self._store.get_engine(key) if self._store else None
        except StoreError as exc:
            self._give_up(exc)
            return None

    def put_engine(self, key: str, info: EngineInfo) -> None:
        """Keep what runs a model, if that is possible."""
        try:
            if self._store:
                self._store.put_engine(key, info)
        except StoreError as exc:
            self._give_up(exc)

    def close(self) -> None:
        """Release the file; safe to call twice."""
        if self._store is not None:
            self._store.close()
            self._store = None
