"""From a finished run to what history keeps of it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_raq.pipeline.planning import complete_spread
from pytest_raq.pipeline.speed import medians
from pytest_raq.records import Decision, RunFigures, RunRecord, RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.records import Interval, ModelSummary, SpeedSamples, SuiteResult, Verdict
    from pytest_raq.stats.power import Spread

_SUMMARIZED = (
    "answered",
    "failed",
    "mean_rank",
    "exact_match",
    "f1",
    "words",
    "words_per_second",
    "decode_tokens_per_second",
    "prefill_tokens_per_second",
    "time_to_first_token",
)


def new_run_id() -> str:
    """Return an identifier that sorts by time and is not met twice: 20260102T030405.678-9f3a1c."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}-{secrets.token_hex(3)}"


def make_record(
    result: SuiteResult,
    run_id: str,
    *,
    interrupted: bool,
    accepted: bool,
    commit: str = "",
    options: Mapping[str, str] | None = None,
    reason: str = "",
) -> RunRecord:
    """Return what history keeps of a suite that was run."""
    told = complete_spread(result)
    spreads = told.spreads if told else {}
    return RunRecord(
        id=run_id,
        suite=result.suite,
        time=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        state=RunState.INTERRUPTED if interrupted else _state(result),
        questions=len(result.questions),
        passages=result.passages,
        provenance=result.provenance,
        models={
            name: _figures(
                summary,
                result.verdicts.get(name),
                result.speeds.get(name, {}),
                spreads.get(name),
            )
            for name, summary in result.models.items()
        },
        commit=commit,
        options=options or {},
        accepted=accepted,
        reason=reason,
    )


def _state(result: SuiteResult) -> RunState:
    answered = all(model.answered == len(result.questions) for model in result.models.values())
    ranked = not any(item.missing for item in result.questions)
    return RunState.COMPLETE if answered and ranked else RunState.PARTIAL


def _figures(
    summary: ModelSummary,
    verdict: Verdict | None,
    samples: SpeedSamples,
    told: Spread | None,
) -> RunFigures:
    quality = verdict.quality if verdict else None
    probe = medians(samples)
    rank_low, rank_high = _bounds(summary.interval)
    net_low, net_high = _bounds(quality.interval if quality else None)
    return RunFigures(
        model=summary.model,
        verdict=(verdict.decision if verdict else Decision.NO_BASELINE).value,
        mean_rank_low=rank_low,
        mean_rank_high=rank_high,
        net_preference=quality.net_preference if quality else None,
        net_preference_low=net_low,
        net_preference_high=net_high,
        p_value=quality.adjusted_p if quality else None,
        changed=told.changed if told else None,
        correlation=told.correlation if told else None,
        **{name: getattr(summary, name) for name in _SUMMARIZED},
        probe_words_per_second=probe.get("words_per_second"),
        probe_decode_tokens_per_second=probe.get("decode_tokens_per_second"),
        probe_prefill_tokens_per_second=probe.get("prefill_tokens_per_second"),
        probe_time_to_first_token=probe.get("time_to_first_token"),
    )


def _bounds(interval: Interval | None) -> tuple[float | None, float | None]:
    return (interval.low, interval.high) if interval else (None, None)
