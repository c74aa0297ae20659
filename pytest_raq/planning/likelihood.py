"""Planning: what the likelihood of the references finds, from the last run that measured it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_raq.records.command_results import LikelihoodPlan
from pytest_raq.report.json.result import read_suites
from pytest_raq.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_raq.records.command_results import PlannedRun


def plan_likelihood(
    run: PlannedRun, table: Mapping[str, object] | None, least: float
) -> tuple[LikelihoodPlan, ...]:
    """Return, by model, the loss that a planned run finds, and the questions that find ``least``.

    ``table`` is the JSON of a suite in a run; ``least`` is ``likelihood_min_effect``. What is
    found shrinks with the root of the number of passages.
    """
    return tuple(_plan(model, found, run, least) for model, found in _measured(table))


def _plan(model: str, found: Mapping[str, float], run: PlannedRun, least: float) -> LikelihoodPlan:
    one_passage = found["detectable"] * math.sqrt(found["passages"])
    passages = max(6, math.ceil((one_passage / least) ** 2)) if least > 0 else 0
    return LikelihoodPlan(
        model=model,
        detectable=one_passage / math.sqrt(run.passages),
        effect=least,
        needed=(round(passages * run.questions / run.passages), passages),
    )


def _measured(table: Mapping[str, object] | None) -> Iterator[tuple[str, Mapping[str, float]]]:
    verdicts = (table or {}).get("verdicts")
    for model, verdict in verdicts.items() if isinstance(verdicts, dict) else ():
        found = verdict.get("likelihood") if isinstance(verdict, dict) else None
        if isinstance(found, dict) and found.get("detectable"):
            yield model, found


def last_result(store: Path, file: Path | None, suite: str) -> Mapping[str, object] | None:
    """Return the JSON of a suite in a result file, else in its last run that is kept."""
    if file is not None:
        table = read_suites(file).get(suite)
        return table if isinstance(table, dict) else None
    if not store.exists():
        return None
    with Store(store, mend=False) as opened:
        runs = (run for run, of in opened.results.names() if of == suite)
        last = next(runs, None)
        return None if last is None else opened.results.get(last, suite)
