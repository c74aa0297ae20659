"""How many answers of a run are not new, and who got which key, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_raq.records import Provenance, SuiteResult


def from_store_text(result: SuiteResult) -> str:
    """Return e.g. ``120 of 360 answers from the store``; empty if all are new."""
    stored = sum(result.from_store.values())
    count = sum(model.answered for model in result.models.values())
    return f"{stored} of {count} answers from the store" if stored else ""


def keys_text(provenance: Provenance) -> str:
    """Return e.g. ``keys sent: OPENAI_API_KEY to api.openai.com``; empty if none was."""
    told = "; ".join(f"{variable} to {hosts}" for variable, hosts in provenance.keys.items())
    return f"keys sent: {told}" if told else ""
