"""Stored runs: written to the store, and read again for reports."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError
from pytest_raq.files import show_path
from pytest_raq.planning.power import complete_spread
from pytest_raq.records import Decision, RunFigures, RunRecord, RunState
from pytest_raq.records.results import FIGURES
from pytest_raq.report.json.result import read_result, read_suites
from pytest_raq.report.page.suite import PageSuite, page_suite, run_facts
from pytest_raq.stats.speed import medians
from pytest_raq.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_raq.records import (
        Interval,
        ModelSummary,
        QualityEvidence,
        SpeedSamples,
        SuiteResult,
        Verdict,
    )
    from pytest_raq.stats.power import Spread


LAST = "last"
"""Names the latest run whose results are kept."""

_SUMMARIZED = ("answered", "failed", *FIGURES)


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """The content of a page: suites, and facts at its top."""

    suites: tuple[PageSuite, ...]
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run whose results are in the store."""

    id: str
    records: tuple[RunRecord, ...]
    suites: tuple[str, ...]


def kept_runs(path: Path) -> Iterator[KeptRun]:
    """Yield the runs with results in a store, latest first; raise StoreError without a store."""
    with Store(path, mend=False) as store:
        yield from _kept_runs(store)


def _kept_runs(store: Store) -> list[KeptRun]:
    suites: dict[str, list[str]] = {}
    for run, suite in store.results.names():
        suites.setdefault(run, []).append(suite)
    records: dict[str, list[RunRecord]] = {}
    for record in store.runs.latest():
        records.setdefault(record.id, []).append(record)
    return [KeptRun(run, tuple(records.get(run, ())), tuple(suites[run])) for run in suites]


def read_kept_run(path: Path, name: str) -> ReportedRun:
    """Return a run from the store, by the beginning of its id, or the `LAST`.

    Raises ConfigError if no run, or more than one, matches.
    """
    with Store(path, mend=False) as store:
        run = _choose(_kept_runs(store), name, path, store)
        suites = []
        for suite in run.suites:
            table = store.results.get(run.id, suite)
            if table is None:
                raise ConfigError(f"the results of {suite} in run {run.id} were just removed")
            where = f"{show_path(path)}: run {run.id}"
            suites.append(page_suite(read_result(where, suite, table), table))
        return ReportedRun(tuple(suites), run_facts(run.records))


def _choose(runs: Sequence[KeptRun], name: str, path: Path, store: Store) -> KeptRun:
    where = show_path(path)
    if not runs:
        raise ConfigError(f"{where}: no run is kept; the next run of pytest keeps its results")
    found = runs[:1] if name == LAST else [run for run in runs if run.id.startswith(name)]
    if len(found) == 1 or (found and found[0].id == name):
        return found[0]
    if found:
        raise ConfigError(
            f"{name}: matches {len(found)} runs, the latest is {found[0].id}; give more of the id"
        )
    if any(record.id.startswith(name) for record in store.runs.latest()):
        raise ConfigError(
            f"{name}: {where} has the figures of that run, but not its answers any more;"
            " raq report --list names the runs that can be shown"
        )
    raise ConfigError(f"{name}: is not a file or run of {where}; raq report --list names the runs")


def read_run_files(paths: Sequence[Path]) -> ReportedRun:
    """Return the suites of files of ``--raq-json`` or ``raq rank --json``.

    A suite that is in several files is named with its file. ConfigError
    names file and field of an error.
    """
    tables = [(path, name, table) for path in paths for name, table in read_suites(path).items()]
    names = [name for _, name, _ in tables]
    suites = []
    for path, name, table in tables:
        shown = name if names.count(name) == 1 else f"{name} ({show_path(path)})"
        suites.append(page_suite(read_result(show_path(path), shown, table), _mapping(table)))
    if not suites:
        raise ConfigError(f"{show_path(paths[0])}: holds no suite")
    return ReportedRun(tuple(suites), {"From": ", ".join(show_path(path) for path in paths)})


def _mapping(table: object) -> Mapping[str, object]:
    return table if isinstance(table, dict) else {}


def new_run_id() -> str:
    """Return a unique identifier that sorts by time: 20260102T030405.678-9f3a1c."""
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
    """Return the data of a run of a suite that history keeps."""
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
                _since_anchor(result, name),
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
    since_anchor: QualityEvidence | None,
    samples: SpeedSamples,
    told: Spread | None,
) -> RunFigures:
    quality = verdict.quality if verdict else None
    likelihood = verdict.likelihood if verdict else None
    probe = medians(samples)
    rank_low, rank_high = _bounds(summary.interval)
    net_low, net_high = _bounds(quality.interval if quality else None)
    anchor_low, anchor_high = _bounds(since_anchor.interval if since_anchor else None)
    return RunFigures(
        model=summary.model,
        verdict=(verdict.decision if verdict else Decision.NO_BASELINE).value,
        mean_rank_low=rank_low,
        mean_rank_high=rank_high,
        net_preference=quality.net_preference if quality else None,
        net_preference_low=net_low,
        net_preference_high=net_high,
        p_value=quality.adjusted_p if quality else None,
        anchor_net_preference=since_anchor.net_preference if since_anchor else None,
        anchor_net_preference_low=anchor_low,
        anchor_net_preference_high=anchor_high,
        changed=told.changed if told else None,
        correlation=told.correlation if told else None,
        **{name: getattr(summary, name) for name in _SUMMARIZED},
        probe_words_per_second=probe.get("words_per_second"),
        probe_decode_tokens_per_second=probe.get("decode_tokens_per_second"),
        probe_prefill_tokens_per_second=probe.get("prefill_tokens_per_second"),
        probe_time_to_first_token=probe.get("time_to_first_token"),
        reference_bits_per_byte=summary.reference_bits_per_byte,
        likelihood_difference=likelihood.difference if likelihood else None,
        likelihood_p_value=likelihood.adjusted_p if likelihood else None,
    )


def _since_anchor(result: SuiteResult, model: str) -> QualityEvidence | None:
    """Return the comparison with the anchor: that with the accepted state where both are one."""
    verdict = result.verdicts.get(model)
    if verdict is None or result.anchor is None:
        return None
    return verdict.since_anchor or verdict.quality


def _bounds(interval: Interval | None) -> tuple[float | None, float | None]:
    return (interval.low, interval.high) if interval else (None, None)
