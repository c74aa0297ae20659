"""Asks services in threads, with a time limit, because they may not answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING

from pytest_raq.doctor.context import unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_raq.records.command_results import Finding


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A request to a service.

    Requests to the same ``place`` are sent one at a time. ``late`` is the finding
    if there is no answer in time, ``unasked`` if an earlier request was late.
    """

    section: str
    name: str
    place: str
    ask: Callable[[], Finding]
    late: Finding
    unasked: Finding


@dataclass(slots=True)
class _Queue:
    """The requests to one place, and the findings so far."""

    inquiries: list[Inquiry] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)

    def work(self) -> None:
        for inquiry in self.inquiries:
            try:
                self.found.append(inquiry.ask())
            except Exception as exc:  # noqa: BLE001 - after any error, the rest is still asked
                self.found.append(unexpected(inquiry.section, inquiry.name, exc))

    def findings(self) -> Iterator[Finding]:
        found = list(self.found)
        yield from found
        if left := self.inquiries[len(found) :]:
            yield left[0].late
            yield from (inquiry.unasked for inquiry in left[1:])


def ask_all(inquiries: Sequence[Inquiry], seconds: float) -> Iterator[Finding]:
    """Yield one finding per request, in their order; all places are asked in parallel."""
    queues: dict[str, _Queue] = {}
    for inquiry in inquiries:
        queues.setdefault(inquiry.place, _Queue()).inquiries.append(inquiry)
    threads = [Thread(target=queue.work, daemon=True) for queue in queues.values()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    results = {place: queue.findings() for place, queue in queues.items()}
    yield from (next(results[inquiry.place]) for inquiry in inquiries)
