"""A server that answers one request at a time shows it in the times of its replies."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_raq.engines.openai_compat.completions import Completion

ENOUGH = 5.0
"""Evidence at which a server with several slots would show none of it in fewer than 1 % of runs."""

SOME = 0.5
"""Evidence that is enough for advice: of two replies, the first took half of its whole request."""

_SHORTEST = 0.002
"""Seconds; a shorter reply says nothing: its pieces came together."""

_SLACK = 0.0005
"""Seconds by which two replies may overlap on their way."""

_KEPT = 64
"""Replies that are compared with the next one."""


class Slots:
    """Finds out whether a second reply begins only after the first one has ended.

    Only replies in pieces are compared that waited at the same time. If a server
    worked on both together, the beginning of one would fall into the other in about
    that share of cases that the reply takes of the whole request; these shares
    are added up. One overlap is proof of the contrary.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._replies: list[tuple[float, float, float]] = []
        self._evidence = 0.0
        self._overlap = False

    @property
    def is_single(self) -> bool:
        """Whether the server was seen to answer one request at a time."""
        return not self._overlap and self._evidence >= ENOUGH

    @property
    def seems_single(self) -> bool:
        """Whether a few long replies give some reason to believe that."""
        return not self._overlap and self._evidence >= SOME

    @property
    def note(self) -> str:
        """What to know of a server of one slot; or nothing."""
        if not self.is_single:
            return ""
        return (
            "the server answers one request at a time: more at once are no faster, and their time"
            " to first token includes the wait for the others: write parallel = 1"
        )

    def add(self, sent: float, reply: Completion) -> None:
        """Take a streamed reply to a request that was sent at a time, in seconds."""
        first, last = sent + reply.first_seconds, sent + reply.last_seconds
        if reply.pieces < 2 or last - first < _SHORTEST:
            return
        with self._lock:
            for other_sent, other_first, other_last in self._replies:
                self._compare((sent, first, last), (other_sent, other_first, other_last))
            self._replies = [*self._replies, (sent, first, last)][-_KEPT:]

    def _compare(self, one: tuple[float, float, float], other: tuple[float, float, float]) -> None:
        earlier, later = sorted((one, other), key=lambda reply: reply[1])
        if later[1] < earlier[2] - _SLACK:
            self._overlap = True
        elif later[0] < earlier[1]:  # both were waiting when the first began
            self._evidence += (earlier[2] - earlier[1]) / (earlier[2] - earlier[0])
