"""From a run to the history of a team, where ``RAQ_HISTORY`` names one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.records import RunRecord
    from pytest_raq.store import ForgivingStore


def deliver_to_team(store: ForgivingStore, runs: Sequence[RunRecord]) -> list[str]:
    """Write runs that are kept in the store to the shared history; return what went wrong.

    Nothing is raised: a build does not fail for its history.
    """
    if not os.environ.get("RAQ_HISTORY", "").strip():  # before anything heavy is imported
        return []
    from pytest_raq.store.shared import history_place

    try:
        place = history_place()
    except ConfigError as exc:
        return [f"{exc}; this run is kept in the store alone"]
    return [] if place is None else store.deliver_runs(place, runs)
