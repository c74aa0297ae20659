"""How many answers of a run are not new, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_raq.records import SuiteResult


def from_store_text(result: SuiteResult) -> str:
    """Return e.g. ``120 of 360 answers from the store``; empty if all are new."""
    stored = sum(result.from_store.values())
    count = sum(model.answered for model in result.models.values())
    return f"{stored} of {count} answers from the store" if stored else ""
