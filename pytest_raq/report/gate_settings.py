"""The settings of the gate in a run, in its baseline and in its anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.text import setting_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.records import SuiteResult
    from pytest_raq.records.results import Setting

HEAD = ("setting", "now", "accepted", "at the anchor")
_ABSENT = "–"


def setting_rows(result: SuiteResult) -> list[tuple[str, str, str, str]]:
    """Return each setting by name: now, accepted, and at the anchor; none without settings."""
    baseline = result.baseline.gate if result.baseline else {}
    anchor = result.anchor.gate if result.anchor else {}
    return [
        (name, setting_text(value), _of(baseline, name), _of(anchor, name))
        for name, value in result.gate.items()
    ]


def _of(table: Mapping[str, Setting], name: str) -> str:
    return setting_text(table[name]) if name in table else _ABSENT


def settings_text(table: Mapping[str, Setting]) -> str:
    """Return settings on one line; empty where none are known."""
    return ", ".join(f"{name} {setting_text(value)}" for name, value in table.items())
