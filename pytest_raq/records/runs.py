"""A run as history remembers it."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time when a run is parsed
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_raq.records.results import Provenance  # noqa: TC001 - read at run time


class RunState(StrEnum):
    """How far a run came: everything measured, a part by choice or by failure, or stopped."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The figures of one model in one run; None where nothing was measured.

    Those of a `ModelSummary`, the net preference with interval and adjusted
    one-sided p, the medians of the speed probe (``probe_…``, measured cold and
    alone; the others are over all answers), and what the next run can be
    planned with: the share of answers ranked differently from the accepted
    ones and the correlation of these changes within a passage.

    The fields are columns of the store: another one is another format there.
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


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One suite in one run.

    ``id`` is shared by the suites of a run and sorts by time; ``time`` is its
    end, UTC, as ``2026-01-02T03:04:05Z``. ``commit`` is that of the git
    repository of the suites (40 digits, ``-dirty`` behind them where files
    differ from it), empty where there is none. ``options`` are those that
    were typed and change what is measured. ``accepted`` says whether the run
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
