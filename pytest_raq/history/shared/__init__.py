"""The history of a team: one database that many runs write in parallel."""

from pytest_raq.history.shared.database import SharedHistory
from pytest_raq.history.shared.delivery import deliver, deliver_kept
from pytest_raq.history.shared.location import VARIABLE, HistoryPlace, history_place

__all__ = [
    "VARIABLE",
    "HistoryPlace",
    "SharedHistory",
    "deliver",
    "deliver_kept",
    "history_place",
]
