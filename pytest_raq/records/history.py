"""Runs in the history, and the trends of their figures."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time when a run is parsed
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_raq.records.results import Provenance  # noqa: TC001 - read at run time


class MarkKind(StrEnum):
    """What may be different in a run, apart from its measurements."""

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
    """A difference between a run and the one before it, as text."""

    kind: MarkKind
    text: str


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure with a trend over runs.

    ``name`` is a field of `RunFigures`, ``said`` its name in a sentence.
    ``smallest`` is the smallest change of a median that is reported: a share
    of it if ``relative``, else in the figure's own unit.
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
    Measure(
        "anchor_net_preference", "since anchor", "net preference since the anchor", "", 2,
        higher_is_better=True, smallest=0.05,
    ),
    Measure("f1", "F1", "F1", "", 3, higher_is_better=True, smallest=0.01),
    Measure(
        "contains", "contains", "share of answers that contain a reference", "", 3,
        higher_is_better=True, smallest=0.01,
    ),
    Measure(
        "reasoning_tokens", "reasoning tok", "tokens of reasoning", "tokens", 0,
        higher_is_better=False, smallest=0.05, relative=True,
    ),
    Measure(
        "reference_bits_per_byte", "bits/byte", "bits per byte of the references", "", 3,
        higher_is_better=False, smallest=0.03,
    ),
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
    """The value of a measure in a run; the run is an index in the history."""

    run: int
    value: float


@dataclass(frozen=True, slots=True)
class TrendChange:
    """A change of level: ``run`` is the first one after it, the values are medians.

    ``p_value`` is from the test that found it, at a level that is shared by
    all series of the history; ``marks`` are the other changes in that run.
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
        """Whether the figure became worse."""
        return (self.after < self.before) == self.measure.higher_is_better


@dataclass(frozen=True, slots=True)
class Trend:
    """One measure of one model over runs, in series of comparable runs.

    A series ends where runs are not comparable any more: other questions or
    another judge for quality, another machine for speed. The series that was
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
    """The runs of a suite, the oldest first, with their trends.

    ``marks`` is by the index of the run. ``place`` says where they were read from.
    """

    suite: str
    place: str
    runs: tuple[RunRecord, ...]
    marks: Mapping[int, tuple[RunMark, ...]]
    trends: tuple[Trend, ...]
    changes: tuple[TrendChange, ...]


class RunState(StrEnum):
    """The extent of a run: complete, partial by choice or by failure, or interrupted."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The figures of one model in one run; None if nothing was measured.

    Those of a `ModelSummary`, the net preference with interval and adjusted
    one-sided p, that since the anchor, the medians of the speed probe (``probe_…``, measured
    cold and alone; the others are over all answers), and the figures to plan the next
    run: the share of answers ranked differently from the accepted
    ones and the correlation of these changes within a passage; and the bits per
    byte of the references with their change since the baseline.

    The fields are columns of the store: a new field comes last and changes the format there.
    """

    model: str
    verdict: str
    answered: int | None = None
    failed: int | None = None
    mean_rank: float | None = None
    mean_rank_low: float | None = None
    mean_rank_high: float | None = None
    net_preference: float | None = None
    net_preference_low: float | None = None
    net_preference_high: float | None = None
    p_value: float | None = None
    exact_match: float | None = None
    f1: float | None = None
    words: float | None = None
    words_per_second: float | None = None
    decode_tokens_per_second: float | None = None
    prefill_tokens_per_second: float | None = None
    time_to_first_token: float | None = None
    probe_words_per_second: float | None = None
    probe_decode_tokens_per_second: float | None = None
    probe_prefill_tokens_per_second: float | None = None
    probe_time_to_first_token: float | None = None
    changed: float | None = None
    correlation: float | None = None
    anchor_net_preference: float | None = None
    anchor_net_preference_low: float | None = None
    anchor_net_preference_high: float | None = None
    reference_bits_per_byte: float | None = None
    likelihood_difference: float | None = None
    likelihood_p_value: float | None = None
    contains: float | None = None
    reasoning_tokens: float | None = None
    reasoning_seconds: float | None = None
    time_to_first_answer: float | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One suite in one run.

    ``id`` is shared by the suites of a run and sorts by time; ``time`` is its
    end, UTC, as ``2026-01-02T03:04:05Z``. ``commit`` is that of the git
    repository of the suites (40 digits, with ``-dirty`` at the end if files
    differ from it), empty if there is none. ``options`` are the given options
    that change what is measured. ``accepted`` says whether the run
    became the baseline.
    """

    id: str
    suite: str
    time: str
    state: RunState
    questions: int
    passages: int
    provenance: Provenance
    models: Mapping[str, RunFigures]
    commit: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    accepted: bool = False
    reason: str = ""
