"""Which of two settings of the gate is laxer: lets through what the other stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.config import GateSettings
from pytest_raq.text import setting_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.records.results import Setting

HIGHER = "higher"
LOWER = "lower"

LAXER: Mapping[str, str | tuple[str, ...]] = {
    "alpha": LOWER,  # a smaller p is needed before a loss is called one
    "margin": HIGHER,
    "pass_level": HIGHER,
    "min_effect": HIGHER,
    "max_f1_drop": HIGHER,
    "max_slowdown": HIGHER,
    "max_missing": HIGHER,
    "min_judge_accuracy": LOWER,
    "judge_check_questions": LOWER,
    "min_judges": LOWER,
    "likelihood": ("gate", "show", "off"),
    "likelihood_margin": HIGHER,
    "likelihood_min_effect": HIGHER,
    "inconclusive": ("fail", "pass"),
    "suspect": ("fail", "pass"),
}
"""Setting → which way is laxer; of words, all from the strictest to the laxest."""

ROUNDING = 1e-6
"""A baseline keeps six decimals."""


def gate_table(settings: GateSettings) -> dict[str, Setting]:
    """Return all settings by name, those that were left out too."""
    return settings.model_dump()


def laxer_settings(now: Mapping[str, Setting], accepted: Mapping[str, Setting]) -> tuple[str, ...]:
    """Return the settings that are laxer than the accepted ones: ``margin 0.1 → 0.5``.

    Nothing is compared if no settings were recorded. A single one that is absent was accepted by
    a version that did not know it, so it counts as the default.
    """
    if not accepted:
        return ()
    then = {**gate_table(GateSettings()), **accepted}
    return tuple(
        f"{name} {setting_text(then[name])} → {setting_text(now[name])}"
        for name in LAXER
        if name in now and _is_laxer(name, now[name], then[name])
    )


def changed_settings(now: Mapping[str, Setting], accepted: Mapping[str, Setting]) -> Iterator[str]:
    """Yield all settings that differ, laxer or stricter: ``margin 0.1 → 0.05``.

    Nothing differs if no settings were recorded.
    """
    for name, today in now.items() if accepted else ():
        then = accepted.get(name, "not recorded")
        if not _is_same(then, today):
            yield f"{name} {setting_text(then)} → {setting_text(today)}"


def _is_same(one: Setting, other: Setting) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return abs(one - other) <= ROUNDING


def _is_laxer(name: str, now: Setting, accepted: Setting) -> bool:
    way = LAXER[name]
    if isinstance(way, tuple):
        # A word that this version does not know may have meant anything.
        return accepted not in way or way.index(str(now)) > way.index(str(accepted))
    if isinstance(now, str) or isinstance(accepted, str):
        return True
    change = now - accepted
    return (change if way == HIGHER else -change) > ROUNDING
