"""Several candidates for one place on one day: the best of them looks better than it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_raq.records import RunRecord

SWAP = "--raq-swap"
FEW = 2
"""Candidates up to which nothing is said: the accepted file and one upgrade."""

DAY = len("2026-01-02")


def selection_notes(earlier: Iterable[RunRecord], now: Sequence[RunRecord]) -> Iterator[str]:
    """Yield a warning for each model for which several files were tried today.

    ``now`` are the records of the run that ends, ``earlier`` those before it. Files count
    that `--raq-swap` put in the place of the model on the same day (UTC) since a
    baseline was last accepted. If this run is accepted, the baseline may be the best of them.
    """
    before = list(earlier)
    for record in now:
        tried: dict[str, set[str]] = {}
        for run in (*_since_accepted(before, record), record):
            for model, target in _swaps(run):
                tried.setdefault(model, set()).add(target)
        concerned = set(record.models) if record.accepted else {m for m, _ in _swaps(record)}
        for model in sorted(concerned & tried.keys()):
            count = len(tried[model]) + 1  # and the accepted one
            if count > FEW:
                yield _note(model, count, accepted=record.accepted)


def _note(model: str, count: int, *, accepted: bool) -> str:
    what = "this baseline" if accepted else "a baseline made of the best of them"
    return (
        f"{count - 1} files were tried in the place of {model} today: the best of several looks"
        f" better than it is, and {what} calls equal newcomers worse too often (docs/statistics.md,"
        ' "Selected baselines"); accept it on other questions than those that chose it'
    )


def _since_accepted(runs: Iterable[RunRecord], now: RunRecord) -> list[RunRecord]:
    same = [run for run in runs if run.suite == now.suite and run.time[:DAY] == now.time[:DAY]]
    same.sort(key=lambda run: (run.time, run.id))
    last = max((place for place, run in enumerate(same) if run.accepted), default=-1)
    return same[last + 1 :]


def _swaps(run: RunRecord) -> Iterator[tuple[str, str]]:
    """Yield the model and the file of each swap of a run."""
    for swap in filter(None, run.options.get(SWAP, "").split(",")):
        model, _, target = swap.partition("=")
        yield model, target
