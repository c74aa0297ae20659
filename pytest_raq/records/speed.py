"""How fast a model is: what was measured, and what that says beside its accepted state."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time when a baseline is parsed
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_raq.records.rankings import Interval  # noqa: TC001 - read at run time

SpeedSamples = dict[str, tuple[float, ...]]
"""Speed probe: measure → one value per round, e.g. ``decode_tokens_per_second``."""

SpeedRatios = dict[str, tuple[float, ...]]
"""Measure → one ratio for each pair of processes that were timed in turns; below 1 is slower."""


class SpeedReference(StrEnum):
    """What a speed is compared with.

    ``ACCEPTED``: the accepted file and engine, timed in turns with today's in this run.
    ``YARDSTICK``: the same ratio to the yardstick model when the baseline was accepted.
    ``STORED``: the rates of a server when the baseline was accepted.
    """

    ACCEPTED = "accepted"
    YARDSTICK = "yardstick"
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class SpeedMeasurement:
    """What the speed probe measured of one model.

    ``samples`` has today's rates and times, ``accepted_samples`` those of the accepted file,
    if it was timed in turns with today's: ``turns`` has the ratios of the two. ``yardstick``
    has the ratios of today's model to the yardstick model that comes with the package.
    A ratio is the median of one process; below 1, today's model is slower.
    ``note`` says why the accepted file was not timed. ``is_unchanged`` says that there was nothing
    to compare, ``libraries``, ``python`` and ``threads`` what ran the model, as in `AcceptedSpeed`.
    """

    samples: SpeedSamples = field(default_factory=dict)
    accepted_samples: SpeedSamples = field(default_factory=dict)
    turns: SpeedRatios = field(default_factory=dict)
    yardstick: SpeedRatios = field(default_factory=dict)
    note: str = ""
    is_unchanged: bool = False
    libraries: str = ""
    python: str = ""
    threads: int = 0

    @property
    def processes(self) -> int:
        """The number of pairs of fresh processes; 0 if nothing was timed in turns."""
        counts = [
            len(ratios) for table in (self.turns, self.yardstick) for ratios in table.values()
        ]
        return max(counts, default=0)


@dataclass(frozen=True, slots=True)
class SpeedEvidence:
    """One speed figure compared with the accepted state; a ratio below 1 always means slower.

    ``measure`` names the figure (``decode_tokens_per_second``, …), ``against`` what it is
    compared with. ``now`` and ``before`` are medians of rates or seconds, or of ratios to the
    yardstick. ``interval`` has 95 %. ``p_value`` is one-sided: that of a ratio of
    1 − ``max_slowdown`` or better; ``adjusted_p`` after Holm over the models and gated measures.
    ``processes`` is the number of pairs of fresh processes, 0 for a server.
    """

    measure: str
    now: float
    before: float
    ratio: float
    interval: Interval
    against: SpeedReference = SpeedReference.ACCEPTED
    processes: int = 0
    p_value: float = float("nan")
    adjusted_p: float = float("nan")


@dataclass(frozen=True, slots=True)
class AcceptedSpeed:
    """What is accepted of a model's speed.

    ``libraries`` is the SHA-256 of the libraries of llama.cpp, ``python`` and ``threads`` the
    settings of these names (empty and 0: not set). ``yardstick`` is the SHA-256 of the
    yardstick model, ``ratios`` those of the model to it, empty if speed was not measured.
    A server has no yardstick: ``samples`` are its rates and times.
    """

    libraries: str = ""
    python: str = ""
    threads: int = 0
    yardstick: str = ""
    ratios: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    samples: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
