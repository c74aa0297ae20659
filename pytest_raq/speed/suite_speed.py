"""What a run measured of the speed of its models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.records import SpeedMeasurement
from pytest_raq.stats.speed import medians

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.records import SpeedSamples

_NOTHING = SpeedMeasurement()


class SuiteSpeed:
    """The measurements of the speed probe, by model."""

    def __init__(self) -> None:
        self.measured: dict[str, SpeedMeasurement] = {}

    def keep(self, model: str, measurement: SpeedMeasurement) -> None:
        """Keep what was measured of a model."""
        self.measured[model] = measurement

    @property
    def samples(self) -> dict[str, SpeedSamples]:
        """Today's rates and times of each model that was timed."""
        return {model: item.samples for model, item in self.measured.items()}

    def of(self, model: str) -> SpeedMeasurement:
        """Return what was measured of a model; empty if nothing was."""
        return self.measured.get(model, _NOTHING)

    def medians(self, model: str) -> dict[str, float]:
        """Return the medians of a model's rates and times."""
        return medians(self.of(model).samples)

    def absorb(self, measured: Mapping[str, SpeedMeasurement]) -> None:
        """Take over the measurements of another process."""
        self.measured |= measured
