"""The history of a team: one database that many runs write at once."""

from pytest_raq.store.shared.delivery import deliver, deliver_kept
from pytest_raq.store.shared.history import SharedHistory
from pytest_raq.store.shared.place import VARIABLE, HistoryPlace, history_place

__all__ = [
    "VARIABLE",
    "HistoryPlace",
    "SharedHistory",
    "deliver",
    "deliver_kept",
    "history_place",
]
