"""How the processes of one run share work: one process per model, no question asked twice."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from pytest_raq.files import try_lock
from pytest_raq.records.plain import outcome_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_raq.records import Outcome


_PAUSE = 0.05
"""Seconds between two checks of a lock that another process holds."""


class Shared(Protocol):
    """The answers of one model to one suite, as `SharedWork` needs them."""

    @property
    def sharing_key(self) -> tuple[str, str]:
        """The model and the suite: equal in all processes of a run."""

    @property
    def file_bytes(self) -> int:
        """Size of the model's file; 0 for a model that runs elsewhere."""

    @property
    def is_complete(self) -> bool:
        """Whether all planned answers are known here."""

    def absorb(self, outcomes: Iterator[Outcome]) -> None:
        """Take over the outcomes of another process."""

    def answer_plan(self) -> None:
        """Get all planned answers, with a model loaded here."""


class WorkerExchange:
    """A folder in which the processes of one run share outcomes and locks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[tuple[str, str], int] = {}

    def put(self, key: tuple[str, str], outcome: Outcome) -> None:
        """Write an outcome for the other processes."""
        line = json.dumps(asdict(outcome)).encode("ascii") + b"\n"
        with self._file(key).open("ab", buffering=0) as file:
            file.write(line)

    def read(self, key: tuple[str, str]) -> Iterator[Outcome]:
        """Yield the outcomes since the last call; an incomplete line is read later."""
        path = self._file(key)
        if not path.exists():
            return
        with path.open("rb") as file:
            file.seek(self._places.get(key, 0))
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._places[key] = self._places.get(key, 0) + len(line)
                yield outcome_from(json.loads(line))

    def _file(self, key: tuple[str, str]) -> Path:
        return self.folder / f"{_digest(*key)}.jsonl"

    @contextmanager
    def lock(self, name: str, *, wait: bool = False) -> Iterator[bool]:
        """Hold the lock of a name if it is free; with ``wait``, wait until it is."""
        handle = os.open(self.folder / f"{_digest(name)}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            held = try_lock(handle)
            while wait and not held:
                time.sleep(_PAUSE)
                held = try_lock(handle)
            yield held
        finally:
            os.close(handle)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


class SharedWork:
    """One process of a run: the answers it knows, and how it gets those it needs.

    ``budget_bytes`` limits the total size of the model files that all processes
    load at once. ``release`` is called when a model is not needed here any more.
    """

    def __init__(self, exchange: WorkerExchange, budget_bytes: int) -> None:
        self.exchange = exchange
        self._budget = budget_bytes
        self._known: list[Shared] = []

    def register(self, answers: Shared) -> None:
        """Register answers: this process may work on them while it waits for others."""
        self._known.append(answers)

    def put(self, answers: Shared, outcome: Outcome) -> None:
        """Send an outcome to the other processes."""
        self.exchange.put(answers.sharing_key, outcome)

    @contextmanager
    def hold_file(self, *name: str) -> Iterator[Path]:
        """Let this process alone read and write the file of a name in the exchange folder."""
        with self.exchange.lock("\0".join(("file", *name)), wait=True):
            yield self.exchange.folder / f"{_digest(*name)}.json"

    def obtain(self, wanted: Shared) -> None:
        """Return when all planned answers of ``wanted`` are known here.

        Until then, work on any free model, that of ``wanted`` first.
        """
        while not self._is_known(wanted):
            if not any(self._work_on(answers) for answers in self._by_need(wanted)):
                time.sleep(_PAUSE)

    def _is_known(self, answers: Shared) -> bool:
        answers.absorb(self.exchange.read(answers.sharing_key))
        return answers.is_complete

    def _by_need(self, wanted: Shared) -> list[Shared]:
        model = wanted.sharing_key[0]
        return sorted(
            self._known,
            key=lambda item: (item is not wanted, item.sharing_key[0] != model),
        )

    def _work_on(self, answers: Shared) -> bool:
        """Get the planned answers of a model in all suites, unless another process does."""
        if self._is_known(answers):
            return False
        model = answers.sharing_key[0]
        with self.exchange.lock(f"model {model}") as held:
            if not held:
                return False
            with self._room(answers) as has_room:
                if not has_room:
                    return False
                for item in self._known:
                    if item.sharing_key[0] == model and not self._is_known(item):
                        item.answer_plan()
                return True

    @contextmanager
    def _room(self, answers: Shared) -> Iterator[bool]:
        """Hold one place; there are as many places as models fit into memory together."""
        if not answers.file_bytes:
            yield True
            return
        for place in range(self._places):
            with self.exchange.lock(f"place {place}") as held:
                if held:
                    yield True
                    return
        yield False

    @property
    def _places(self) -> int:
        """How many of the largest models fit into memory together: at least one."""
        largest = {item.sharing_key[0]: item.file_bytes for item in self._known}
        sizes = sorted(largest.values(), reverse=True)
        fitting = [n for n in range(1, len(sizes) + 1) if sum(sizes[:n]) <= self._budget]
        return max(fitting, default=1)
