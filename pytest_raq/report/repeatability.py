"""How repeatable answers are, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.records import Repeatability

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_raq.records import Repeats, SuiteResult


def repeatability_text(result: SuiteResult, model: str) -> str:
    """Return what is known of one model, as one sentence without a full stop; or nothing."""
    return "; ".join(_parts(result.repeatability.get(model, Repeatability())))


def repeatability_lines(result: SuiteResult, models: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the names of the models that have the same sentence, and this sentence."""
    found: dict[str, list[str]] = {}
    for model in models:
        if text := repeatability_text(result, model):
            found.setdefault(text, []).append(model)
    for text, names in found.items():
        yield ", ".join(names), text


def _parts(known: Repeatability) -> Iterator[str]:
    if known.self_test:
        yield f"reproducible: {known.self_test}"
    if known.same_bits:
        yield f"same bits expected as the baseline: {known.same_bits}"
    if known.again:
        yield f"the server {_changes(known.again)} when asked again"
    if known.otherwise:
        yield f"asked with the settings of the baseline, it {_changes(known.otherwise)}"


def _changes(repeats: Repeats) -> str:
    return f"changes {repeats.changed} of {repeats.asked} answer{'s' * (repeats.asked != 1)}"
