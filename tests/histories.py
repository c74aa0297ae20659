"""Runs as history keeps them, made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pytest_raq.records import (
    JudgeIdentity,
    ModelProvenance,
    Provenance,
    RunFigures,
    RunRecord,
    RunState,
)

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
MACHINE = {"processor": "fast", "cores": "4"}


def figures(model: str, **values: object) -> RunFigures:
    """Return the figures of a model that answered sixty questions."""
    given = {
        "verdict": "pass",
        "answered": 60,
        "failed": 0,
        "mean_rank": 1.5,
        "net_preference": 0.0,
        "f1": 0.8,
        "words_per_second": 50.0,
        "decode_tokens_per_second": 400.0,
    }
    return RunFigures(model, **(given | values))


def provenance(
    models: tuple[str, ...], *, build: str = "0.3.35", machine: dict[str, str] | None = None
) -> Provenance:
    one = ModelProvenance("llama-cpp", build, "m.gguf", "ab" * 32, "Q4_K_M", "cc", "dd", {"t": 0})
    return Provenance(
        "mini.json", "", "f" * 64, 60, JudgeIdentity("reference"), dict.fromkeys(models, one),
        {"python": "3.11"}, MACHINE if machine is None else machine,
    )  # fmt: skip


def run(number: int, *models: RunFigures, suite: str = "mini", **changes: object) -> RunRecord:
    """Return the run number N: one a day, each with a commit of its own."""
    when = START + timedelta(days=number)
    given = models or (figures("m"),)
    record = RunRecord(
        id=f"{when:%Y%m%dT%H%M%S}.000-{number:06x}",
        suite=suite,
        time=f"{when:%Y-%m-%dT%H:%M:%SZ}",
        state=RunState.COMPLETE,
        questions=60,
        passages=12,
        provenance=provenance(tuple(item.model for item in given)),
        models={item.model: item for item in given},
        commit=f"{number:06x}".ljust(40, "0"),
    )
    return replace(record, **changes)
