"""What a run knows of how repeatable the answers of its models are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.baselines.bits import same_bits
from pytest_raq.records import Repeatability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.records import ModelProvenance
    from pytest_raq.running.run_parts import RunParts

_NOTHING = Repeatability()


def repeatability_of(
    parts: RunParts, models: Mapping[str, ModelProvenance]
) -> dict[str, Repeatability]:
    """Return what is known, by model; models of which nothing is known are left out."""
    comparable = parts.comparison.comparable
    before = comparable.provenance.models if comparable else {}
    found = {
        name: Repeatability(
            self_test=now.reproducible,
            same_bits=same_bits(before[name], now) if name in before else "",
        )
        for name, now in models.items()
    }
    return {name: item for name, item in found.items() if item != _NOTHING}
