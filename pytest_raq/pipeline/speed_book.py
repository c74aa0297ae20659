"""What the speed probe measured in a run, by model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.pipeline.speed import medians

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.records import SpeedSamples


class SpeedBook:
    """Samples of each model, of the accepted files that were timed beside, and how often."""

    def __init__(self) -> None:
        self.samples: dict[str, SpeedSamples] = {}
        self.accepted: dict[str, SpeedSamples] = {}
        self.times: dict[str, int] = {}

    def keep(self, model: str, samples: SpeedSamples, accepted: SpeedSamples) -> None:
        """Keep what the probe measured."""
        self.samples[model] = samples
        if accepted:
            self.accepted[model] = accepted

    def of(self, model: str) -> tuple[SpeedSamples, SpeedSamples]:
        """Return what is kept of a model, and of the accepted file timed beside it."""
        return self.samples.get(model, {}), self.accepted.get(model, {})

    def medians(self, model: str) -> dict[str, float]:
        """Return the medians of what the probe measured."""
        return medians(self.samples.get(model, {}))

    def count(self, model: str) -> None:
        """Remember that a model that seemed slower was measured once more."""
        self.times[model] = self.times.get(model, 1) + 1

    def absorb(
        self, samples: Mapping[str, SpeedSamples], accepted: Mapping[str, SpeedSamples]
    ) -> None:
        """Take over what another process measured."""
        self.samples |= samples
        self.accepted |= accepted
