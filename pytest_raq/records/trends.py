"""What many runs of a suite say together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.records.runs import RunRecord


class MarkKind(StrEnum):
    """What may be different in a run, beside what it measured."""

    ACCEPTED = "accepted"
    MACHINE = "machine"
    BUILD = "engine build"
    FILE = "model file"
    PROMPT = "prompt"
    JUDGE = "judge"
    QUESTIONS = "questions"
    SWAP = "swap"


@dataclass(frozen=True, slots=True)
class RunMark:
    """Something that makes a run different from the one before it, in words."""

    kind: MarkKind
    text: str


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure that is followed over runs.

    ``name`` is a field of `RunFigures`, ``said`` what a sentence calls it.
    ``smallest`` is the least change of a median that is worth a word: a share
    of it where ``relative``, else in the figure's own unit.
    """

    name: str
    label: str
    said: str
    unit: str
    decimals: int
    higher_is_better: bool
    smallest: float
    relative: bool = False
    is_speed: bool = False


MEASURES = (
    Measure("mean_rank", "mean rank", "mean rank", "", 2, higher_is_better=False, smallest=0.05),
    Measure(
        "net_preference", "net preference", "net preference", "", 2,
        higher_is_better=True, smallest=0.05,
    ),
    Measure("f1", "F1", "F1", "", 3, higher_is_better=True, smallest=0.01),
    Measure(
        "words_per_second", "words/s", "words per second", "words/s", 1,
        higher_is_better=True, smallest=0.03, relative=True, is_speed=True,
    ),
    Measure(
        "decode_tokens_per_second", "decode tok/s", "decode speed", "tok/s", 0,
        higher_is_better=True, smallest=0.03, relative=True, is_speed=True,
    ),
    Measure(
        "probe_decode_tokens_per_second", "probe decode tok/s", "decode speed of the probe",
        "tok/s", 0, higher_is_better=True, smallest=0.03, relative=True, is_speed=True,
    ),
)  # fmt: skip
"""The figures of a trend, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """The value of a measure in a run, which is given by its place in the history."""

    run: int
    value: float


@dataclass(frozen=True, slots=True)
class TrendChange:
    """A change of level: ``run`` is the first one after it, the values are medians.

    ``p_value`` is that of the test that found it, at a level that is shared by
    all series of the history; ``marks`` is what else changed in that run.
    """

    model: str
    measure: Measure
    run: int
    before: float
    after: float
    p_value: float
    marks: tuple[RunMark, ...] = ()

    @property
    def is_worse(self) -> bool:
        """Whether it went the wrong way."""
        return (self.after < self.before) == self.measure.higher_is_better


@dataclass(frozen=True, slots=True)
class Trend:
    """One measure of one model over runs, in series of runs that compare.

    A series ends where runs do not compare any more: other questions or
    another judge for quality, another machine for speed. The one that was
    measured last comes last.
    """

    model: str
    measure: Measure
    series: tuple[tuple[TrendPoint, ...], ...]

    @property
    def current(self) -> tuple[TrendPoint, ...]:
        """The series that the latest value belongs to."""
        return self.series[-1] if self.series else ()


@dataclass(frozen=True, slots=True)
class SuiteHistory:
    """The runs of a suite, the oldest first, with what they say together.

    ``marks`` is by the place of the run. ``place`` says where it was read.
    """

    suite: str
    place: str
    runs: tuple[RunRecord, ...]
    marks: Mapping[int, tuple[RunMark, ...]]
    trends: tuple[Trend, ...]
    changes: tuple[TrendChange, ...]
