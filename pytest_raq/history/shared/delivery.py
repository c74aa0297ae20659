"""Delivers runs from the store of a job to the shared database, now or later."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError, RaqError, StoreError
from pytest_raq.files import show_path
from pytest_raq.history.shared.database import SharedHistory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_raq.history.shared.location import HistoryPlace
    from pytest_raq.records import RunRecord
    from pytest_raq.store import Store
    from pytest_raq.store.runs import RunKey


_BATCH = 50
"""Number of delivered runs whose notes are removed together."""


def deliver(store: Store | None, place: HistoryPlace, runs: Sequence[RunRecord]) -> list[str]:
    """Write runs to the shared history, and earlier runs that are not delivered yet.

    Returns what a reader should know, one line each; nothing is raised. The runs
    are already in the store, if there is one, and are noted as undelivered there
    until the database has them.
    """
    noted = store if store is not None and _note(store, place, runs) else None
    try:
        done = _put(place, runs) if noted is None else deliver_kept(noted, place)
    except RaqError as exc:
        return [_told(noted, exc, len(runs))]
    late = done - len(runs)
    return [f"history {place.shown}: also got {_count(late)} from before"] if late > 0 else []


def _note(store: Store, place: HistoryPlace, runs: Sequence[RunRecord]) -> bool:
    """Note runs as undelivered; return whether the store could keep that."""
    try:
        store.runs.deliveries(place.identity).add((run.id, run.suite) for run in runs)
    except StoreError:
        return False
    return True


def deliver_kept(store: Store, place: HistoryPlace) -> int:
    """Write the runs that are noted as undelivered and return how many; StoreError if not all."""
    deliveries = store.runs.deliveries(place.identity)
    done = 0
    with SharedHistory(place) as history:
        for keys in _batches(deliveries.keys()):
            written: list[RunKey] = []
            try:
                written.extend(history.put_runs(deliveries.runs(keys)))
            finally:
                deliveries.remove(written)
            done += len(written)
    return done


def _batches(keys: list[RunKey]) -> Iterator[list[RunKey]]:
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))


def _put(place: HistoryPlace, runs: Iterable[RunRecord]) -> int:
    with SharedHistory(place) as history:
        return len(list(history.put_runs(runs)))


def _told(store: Store | None, exc: RaqError, count: int) -> str:
    if store is None:
        return f"{exc}; {_count(count)} {'is' if count == 1 else 'are'} lost for this history"
    waits = "waits" if count == 1 else "wait"
    return f"{exc}; {_count(count)} {waits} in {show_path(store.path)} for the next delivery"


def _count(number: int) -> str:
    return f"{number} run{'s' * (number != 1)}"


def deliver_to_team(store: Store, runs: Sequence[RunRecord]) -> list[str]:
    """Write runs in the store to the shared history; return the problems.

    Nothing is raised: a build does not fail because of its history.
    """
    if not os.environ.get("RAQ_HISTORY", "").strip():  # before anything heavy is imported
        return []
    from pytest_raq.history.shared.location import history_place

    try:
        place = history_place()
    except ConfigError as exc:
        return [f"{exc}; this run is kept only in the store"]
    return [] if place is None else deliver(store if store.is_writable else None, place, runs)
