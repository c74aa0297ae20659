"""How many requests a server takes at a time: fewer after it dropped replies, for the whole run.

Some servers end a reply when the next request arrives. What is known of a server
holds for every model behind its address, contestants and judges, and for all
processes of a run that share a folder.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from typing import TYPE_CHECKING

from pytest_raq.engines.openai_compat.parameters import Parameters
from pytest_raq.engines.openai_compat.slots import Slots
from pytest_raq.files import try_lock

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_raq.engines.openai_compat.server import Server

_PAUSE = 0.01
"""Seconds between two looks at a lock that another process holds."""

_UNLIMITED = 1 << 20


class Pace:
    """Lets requests to one address pass, as many at a time as it was found to take."""

    def __init__(self, address: str) -> None:
        self._name = hashlib.sha256(address.encode()).hexdigest()[:24]
        self._free = threading.Condition()
        self._limit = _UNLIMITED
        self._flying = 0
        self._is_crowded: dict[Turn, bool] = {}
        self._completed = False

    @property
    def limit(self) -> int | None:
        """How many requests may fly at a time; None while nothing limits them."""
        return None if self._limit == _UNLIMITED else self._limit

    def tell(self, key: str) -> str:
        """Return what to know of a server that takes fewer requests than it was sent; or nothing.

        ``key`` is the one of the definition that limits them.
        """
        if self.limit is None or not self._completed:
            return ""
        at_once = "one question" if self._limit == 1 else f"{self._limit} questions"
        return (
            "the server drops a reply when more requests come, so it was asked"
            f" {at_once} at a time: write {key} = {self._limit}"
        )

    def enter(self, turn: Turn) -> None:
        """Wait until one more request may fly."""
        with self._free:
            if _is_marked(self._name):
                self._limit = 1
            while self._flying >= self._limit:
                self._free.wait()
            self._flying += 1
            # Which request a server drops is its own matter: one that is late may drop all others.
            if self._flying > 1:
                for other in self._is_crowded:
                    self._is_crowded[other] = True
            self._is_crowded[turn] = self._flying > 1
            turn.limit = self._limit
        if turn.limit == 1:
            turn.lock = _hold(self._name)

    def leave(self, turn: Turn) -> None:
        """Let the next request fly."""
        _release(turn)
        with self._free:
            self._is_crowded.pop(turn, None)
            self._flying -= 1
            self._free.notify()

    def complete(self) -> None:
        """Note that a reply was complete: what limits the requests has helped."""
        self._completed = self.limit is not None or self._completed

    def drop(self, turn: Turn) -> bool:
        """Note that a reply was cut; whether the request should be sent again, for that alone.

        True for each request that flew with others under a higher limit than today's, so
        at most as often as the limit can be halved.
        """
        with self._free:
            # Of requests of other processes nothing is known, but that there may be some.
            may_be_crowded = _folder is not None and turn.limit > 1
            if not (self._is_crowded.get(turn) or may_be_crowded):
                return False
            if turn.limit == self._limit:
                self._limit = max(1, min(self._limit, self._flying) // 2)
                if self._limit == 1:
                    _mark(self._name)
            return True


class Turn:
    """One thread's place among the requests to a server."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.limit = _UNLIMITED
        self.lock: int | None = None
        self._is_on = False

    def begin(self) -> None:
        """Wait until a request may be sent."""
        self._pace.enter(self)
        self._is_on = True

    def end(self) -> None:
        """Let others send theirs."""
        if self._is_on:
            self._is_on = False
            self._pace.leave(self)

    def again(self) -> bool:
        """Whether a request whose reply was cut should be sent again; waits until it may."""
        if not (self._is_on and self._pace.drop(self)):
            return False
        self.end()
        self.begin()
        return True

    def complete(self) -> None:
        """Note that a reply was complete."""
        self._pace.complete()


class Site:
    """What a run has learned of one address."""

    def __init__(self, address: str) -> None:
        self.pace = Pace(address)
        self.slots = Slots()
        self._parameters: dict[str, Parameters] = {}

    def parameters(self, model: str) -> Parameters:
        """Return what the server does not take for a model."""
        return self._parameters.setdefault(model, Parameters())


_sites: dict[str, Site] = {}
_lock = threading.Lock()
_folder: Path | None = None


def site_of(server: Server) -> Site:
    """Return what this process knows of the address of a server."""
    with _lock:
        return _sites.setdefault(server.address, Site(server.address))


def forget_sites() -> None:
    """Know nothing of any server, as a process that has just started."""
    with _lock:
        _sites.clear()


def share_pace(folder: Path | None) -> None:
    """Share with the processes that use the same folder which servers are asked one at a time."""
    global _folder  # noqa: PLW0603 - one folder for a process, as there is one run
    _folder = folder


def _mark(name: str) -> None:
    if _folder is not None:
        (_folder / f"{name}.one").touch()


def _is_marked(name: str) -> bool:
    return _folder is not None and (_folder / f"{name}.one").exists()


def _hold(name: str) -> int | None:
    """Return a lock that no other process holds; None if the run has one process."""
    if _folder is None:
        return None
    handle = os.open(_folder / f"{name}.turn", os.O_RDWR | os.O_CREAT, 0o600)
    while not try_lock(handle):
        time.sleep(_PAUSE)
    return handle


def _release(turn: Turn) -> None:
    if turn.lock is not None:
        os.close(turn.lock)
        turn.lock = None
