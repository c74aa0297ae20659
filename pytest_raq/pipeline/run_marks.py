"""What makes a run different from those before it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pytest_raq.records.trends import MarkKind, RunMark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_raq.records import ModelProvenance, RunRecord

_DIGITS = 12


def mark_runs(runs: Sequence[RunRecord]) -> dict[int, tuple[RunMark, ...]]:
    """Return the marks of each run that has any, by its place; runs are in order of time.

    What a run did not find out, as the build of an engine that was not loaded,
    is compared when it is known again.
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
        yield RunMark(MarkKind.ACCEPTED, f"baseline accepted{because}")
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
    yield from _change(known, MarkKind.JUDGE, f"{judge.name} {judge.prompt_sha256[:_DIGITS]}")
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
