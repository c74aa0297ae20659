"""History as a table for other programs: one row per run, suite and model."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError, StoreError
from pytest_raq.files import write_atomically
from pytest_raq.records import RunFigures

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import pyarrow as pa

    from pytest_raq.records import ModelProvenance, RunRecord

Row = dict[str, object]

_COUNTS = {"answered", "failed"}
_FIGURES = tuple(item.name for item in fields(RunFigures) if item.name not in {"model", "verdict"})
_TEXTS = (
    "run", "suite", "time", "commit", "state", "accepted", "reason", "options", "questions",
    "passages", "source", "revision", "fingerprint", "judge", "judge_prompt_sha256", "machine",
    "versions", "model", "engine", "build", "file", "file_sha256", "quantization", "verdict",
)  # fmt: skip
COLUMNS = (*_TEXTS, *_FIGURES)
"""Columns in the order of the table; figures are named as in `RunFigures`."""


def write_table(
    path: Path, kind: str, runs: Sequence[RunRecord], *, models: Collection[str] = ()
) -> int:
    """Write runs as ``csv`` or ``parquet``, the oldest first, and return the number of rows.

    Raises ConfigError if a library is missing, StoreError if the file cannot be
    written; then an old file does not change.
    """
    rows = list(_rows(sorted(runs, key=lambda run: (run.time, run.id, run.suite)), models))
    if kind == "csv":
        write_atomically(path, _csv(rows))
    else:
        _write_parquet(path, rows)
    return len(rows)


def _rows(runs: Iterable[RunRecord], models: Collection[str]) -> Iterator[Row]:
    for run in runs:
        for name, figures in run.models.items():
            if not models or name in models:
                yield {
                    **_run_cells(run),
                    "model": name,
                    **_model_cells(run.provenance.models.get(name)),
                    "verdict": figures.verdict,
                    **{figure: _number(getattr(figures, figure)) for figure in _FIGURES},
                }


def _run_cells(run: RunRecord) -> Row:
    given = run.provenance
    return {
        "run": run.id,
        "suite": run.suite,
        "time": run.time,
        "commit": run.commit,
        "state": run.state.value,
        "accepted": run.accepted,
        "reason": run.reason,
        "options": _json(run.options),
        "questions": run.questions,
        "passages": run.passages,
        "source": given.source,
        "revision": given.revision,
        "fingerprint": given.fingerprint,
        "judge": given.judge.name,
        "judge_prompt_sha256": given.judge.prompt_sha256,
        "machine": _json(given.machine),
        "versions": _json(given.versions),
    }


def _model_cells(model: ModelProvenance | None) -> Row:
    names = ("engine", "build", "file", "file_sha256", "quantization")
    return {name: "" if model is None else getattr(model, name) for name in names}


def _json(table: object) -> str:
    return json.dumps(table, ensure_ascii=False, sort_keys=True)


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _csv(rows: Sequence[Row]) -> str:
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(row[name]) for name in COLUMNS} for row in rows)
    return written.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _write_parquet(path: Path, rows: Sequence[Row]) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as exc:
        raise ConfigError(
            "--format parquet needs pyarrow, which is not installed:"
            " pip install 'pytest-raq[history]', or use --format csv"
        ) from exc
    table = pa.Table.from_pylist([_typed(row) for row in rows], schema=_schema())
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            pq.write_table(table, file)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as exc:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def _typed(row: Row) -> Row:
    moment = datetime.strptime(str(row["time"]), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return {**row, "time": moment}


def _schema() -> pa.Schema:
    import pyarrow as pa

    kinds = {
        "time": pa.timestamp("s", tz="UTC"),
        "accepted": pa.bool_(),
        **dict.fromkeys(("questions", "passages", *_COUNTS), pa.int64()),
        **{name: pa.float64() for name in _FIGURES if name not in _COUNTS},
    }
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
