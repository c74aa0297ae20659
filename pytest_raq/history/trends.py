"""Figures over runs, with marks and changes."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from pytest_raq.records import RunState
from pytest_raq.records.history import (
    MEASURES,
    MarkKind,
    RunMark,
    SuiteHistory,
    Trend,
    TrendChange,
    TrendPoint,
)
from pytest_raq.stats.changepoints import ALPHA, MIN_SEGMENT, find_level_changes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pytest_raq.records import ModelProvenance, RunFigures, RunRecord
    from pytest_raq.records.history import Measure


_DIGITS = 12

ANCHORED = "--raq-anchor"
"""The option of runs that became the anchor."""

MAX_MISSING = 0.02
"""Maximum share of unanswered questions of a model whose figures count."""


def mark_runs(runs: Sequence[RunRecord]) -> dict[int, tuple[RunMark, ...]]:
    """Return the marks of runs, by the index of the run; runs are in order of time.

    A value that a run does not know, such as the build of an engine that was not
    loaded, is compared when it is known again.
    """
    known: dict[tuple[str, ...], str] = {}
    marks = {}
    for place, run in enumerate(runs):
        found = (*_own_marks(run), *_changed(run, known))
        if found:
            marks[place] = found
    return marks


def _own_marks(run: RunRecord) -> Iterator[RunMark]:
    if run.accepted:
        because = f": {run.reason}" if run.reason.strip() else ""
        what = "baseline and anchor" if ANCHORED in run.options else "baseline"
        yield RunMark(MarkKind.ACCEPTED, f"{what} accepted{because}")
    if swap := run.options.get("--raq-swap"):
        yield RunMark(MarkKind.SWAP, f"--raq-swap {swap}")


def _swapped(run: RunRecord) -> set[str]:
    swaps = run.options.get("--raq-swap", "").split(",")
    return {swap.partition("=")[0] for swap in swaps}


def _changed(run: RunRecord, known: dict[tuple[str, ...], str]) -> Iterator[RunMark]:
    yield from _changed_machine(run.provenance.machine, known)
    told: dict[tuple[MarkKind, str], list[str]] = defaultdict(list)
    for model, provenance in run.provenance.models.items():
        if model in _swapped(run):  # for this run only
            continue
        for kind, value in _facts(provenance):
            before = known.get((kind, model))
            if value:
                known[kind, model] = value
            if value and before and before != value:
                told[kind, f"{before} → {value}"].append(model)
    for (kind, change), models in told.items():
        whose = "" if len(models) == len(run.provenance.models) > 1 else f" of {', '.join(models)}"
        yield RunMark(kind, f"{kind.value}{whose}: {change}")
    judge = run.provenance.judge
    edition = judge.options.get("edition", "")
    rule = f"edition {edition} " if edition else ""
    yield from _change(known, MarkKind.JUDGE, f"{judge.name} {rule}{judge.prompt_sha256[:_DIGITS]}")
    yield from _change(known, MarkKind.QUESTIONS, run.provenance.fingerprint[:_DIGITS])


def _facts(model: ModelProvenance) -> Iterator[tuple[MarkKind, str]]:
    yield MarkKind.BUILD, f"{model.engine} {model.build}" if model.build else ""
    digest = f" ({model.file_sha256[:_DIGITS]})" if model.file_sha256 else ""
    yield MarkKind.FILE, f"{model.file}{digest}"
    yield MarkKind.PROMPT, model.prompt_sha256[:_DIGITS]


def _changed_machine(
    machine: Mapping[str, str], known: dict[tuple[str, ...], str]
) -> Iterator[RunMark]:
    told = []
    for name, value in machine.items():
        before = known.get((MarkKind.MACHINE, name))
        known[MarkKind.MACHINE, name] = value
        if before is not None and before != value:
            told.append(f"{name} {before} → {value}")
    if told:
        yield RunMark(MarkKind.MACHINE, f"machine: {', '.join(told)}")


def _change(known: dict[tuple[str, ...], str], kind: MarkKind, value: str) -> Iterator[RunMark]:
    before = known.get((kind,))
    known[(kind,)] = value
    if before is not None and before != value:
        yield RunMark(kind, f"{kind.value}: {before.strip()} → {value.strip()}")


def make_history(
    suite: str, runs: Iterable[RunRecord], *, models: Collection[str] = (), place: str = ""
) -> SuiteHistory:
    """Return the trends of the runs of a suite; only of ``models`` if any are named."""
    ordered = tuple(sorted(runs, key=lambda run: (run.time, run.id)))
    marks = mark_runs(ordered)
    trends = tuple(_trends(ordered, models))
    return SuiteHistory(
        suite=suite,
        place=place,
        runs=ordered,
        marks=marks,
        trends=trends,
        changes=tuple(_changes(trends, marks)),
    )


def _trends(runs: Sequence[RunRecord], models: Collection[str]) -> Iterator[Trend]:
    names = dict.fromkeys(name for run in reversed(runs) for name in run.models)
    keys = _Keys(runs, _epochs(run.accepted for run in runs))
    for name in names:
        if models and name not in models:
            continue
        for measure in MEASURES:
            series = _series(runs, name, measure, keys)
            if series:
                yield Trend(name, measure, series)


class _Keys:
    """What must be equal in two runs to compare the values of a measure."""

    def __init__(self, runs: Sequence[RunRecord], epochs: Sequence[int]) -> None:
        self._machines = [_items(run.provenance.machine) for run in runs]
        self._questions = [run.provenance.fingerprint for run in runs]
        self._judges = [
            (judge.name, judge.prompt_sha256, _items(judge.chosen))
            for judge in (run.provenance.judge for run in runs)
        ]
        self._models = [tuple(sorted(run.models)) for run in runs]
        self._epochs = epochs
        self._anchors = _epochs(run.accepted and ANCHORED in run.options for run in runs)

    def of(self, measure: Measure, run: int) -> tuple[object, ...]:
        """Return the key of a run."""
        if measure.is_speed:
            return (self._questions[run], self._machines[run])
        if measure.name == "mean_rank":
            return (self._questions[run], self._judges[run], self._models[run])
        if measure.name == "net_preference":
            return (self._questions[run], self._judges[run], self._epochs[run])
        if measure.name == "anchor_net_preference":
            return (self._questions[run], self._judges[run], self._anchors[run])
        return (self._questions[run],)


def _items(table: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, str(value)) for key, value in table.items()))


def _epochs(accepted: Iterable[bool]) -> list[int]:
    """Return the number of states accepted before each run: it identifies the last of them."""
    epochs, count = [], 0
    for was_accepted in accepted:
        epochs.append(count)
        count += was_accepted
    return epochs


def _series(
    runs: Sequence[RunRecord], model: str, measure: Measure, keys: _Keys
) -> tuple[tuple[TrendPoint, ...], ...]:
    found: dict[tuple[object, ...], list[TrendPoint]] = {}
    for place, run in enumerate(runs):
        figures = run.models.get(model)
        value = None if figures is None else _value(run, figures, measure)
        if value is not None:
            found.setdefault(keys.of(measure, place), []).append(TrendPoint(place, value))
    return tuple(tuple(points) for points in sorted(found.values(), key=lambda p: p[-1].run))


def _value(run: RunRecord, figures: RunFigures, measure: Measure) -> float | None:
    """Return a figure if it counts: finite, and over enough questions of the run."""
    value: float | None = getattr(figures, measure.name)
    if value is None or not math.isfinite(value):
        return None
    if not measure.name.startswith("probe_") and not _is_whole(run, figures, measure):
        return None
    return value


def _is_whole(run: RunRecord, figures: RunFigures, measure: Measure) -> bool:
    if run.state is RunState.COMPLETE:
        return True
    # A rank is relative to the other models, so all of them must have answered.
    ranked = measure.name in {"mean_rank", "net_preference", "anchor_net_preference"}
    if run.state is RunState.INTERRUPTED and ranked:
        return False
    least = (1 - MAX_MISSING) * run.questions
    concerned = run.models.values() if ranked else (figures,)
    return all((item.answered or 0) >= least for item in concerned)


def _changes(
    trends: Sequence[Trend], marks: Mapping[int, tuple[RunMark, ...]]
) -> list[TrendChange]:
    """Find the changes of all series; they share one significance level."""
    long = [
        (trend, series)
        for trend in trends
        for series in trend.series
        if len(series) >= 2 * MIN_SEGMENT
    ]
    changes = [
        TrendChange(
            model=trend.model,
            measure=trend.measure,
            run=series[change.index].run,
            before=change.before,
            after=change.after,
            p_value=change.p_value,
            marks=marks.get(series[change.index].run, ()),
        )
        for trend, series in long
        for change in find_level_changes(
            [point.value for point in series],
            smallest=trend.measure.smallest,
            relative=trend.measure.relative,
            alpha=ALPHA / len(long),
        )
    ]
    return sorted(changes, key=lambda change: change.run)
