"""``baselines/SUITE.json``: the accepted state of a suite, made to be reviewed."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from pytest_raq.errors import BaselineError
from pytest_raq.records import Baseline
from pytest_raq.store.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
"""The layout of a baseline file; raised when an older one cannot be read as it is."""

_DECIMALS = 6


def baseline_path(folder: Path, suite: str) -> Path:
    """Return where the baseline of a suite is kept."""
    return folder / f"{suite}.json"


def save_baseline(folder: Path, baseline: Baseline) -> Path:
    """Write a baseline in one step and return its path.

    Keys are sorted, one value a line, floats rounded, so that a change of one
    answer is a change of one line. StoreError when it cannot be written.
    """
    table = TypeAdapter(Baseline).dump_python(baseline, mode="python")
    path = baseline_path(folder, baseline.suite)
    text = json.dumps(
        _to_json({"format": FORMAT, **table}), indent=1, sort_keys=True, ensure_ascii=False
    )
    write_atomically(path, text + "\n")
    return path


def load_baseline(folder: Path, suite: str) -> Baseline | None:
    """Read the baseline of a suite; None when there is none yet.

    BaselineError names the file, the line and the field of what is wrong.
    """
    path = baseline_path(folder, suite)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise BaselineError(f"{path}: cannot be read: {exc}") from exc
    baseline = _parse(path, text)
    if baseline.suite != suite:
        raise BaselineError(
            f"{path}:{_line_of(text, ('suite',))}: suite is {baseline.suite!r}, not {suite!r}:"
            " the file belongs to another suite"
        )
    return baseline


def _parse(path: Path, text: str) -> Baseline:
    try:
        table = json.loads(text)
    except json.JSONDecodeError as exc:
        raise BaselineError(
            f"{path}:{exc.lineno}: is not JSON: {exc.msg} (column {exc.colno});"
            " restore it from git or accept anew with --raq-update"
        ) from exc
    if not isinstance(table, dict):
        raise BaselineError(f"{path}:1: is no baseline: expected an object")
    found = table.pop("format", None)
    if found != FORMAT:
        raise BaselineError(
            f"{path}:{_line_of(text, ('format',))}: format is {found!r}, this version reads"
            f" {FORMAT}; accept anew with --raq-update"
        )
    try:
        return TypeAdapter(Baseline).validate_python(_from_json(table))
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        line = _line_of(text, first["loc"])
        raise BaselineError(
            f"{path}:{line}: {where}: {first['msg'][0].lower()}{first['msg'][1:]};"
            " restore it from git or accept anew with --raq-update"
        ) from exc


def _line_of(text: str, loc: tuple[int | str, ...]) -> int:
    """Return the line of a key, found by its depth, or of the deepest parent found."""
    position = 0
    for depth, part in enumerate(loc, start=1):
        match = re.compile(rf'^ {{{depth}}}"{re.escape(str(part))}":', re.MULTILINE).search(
            text, position
        )
        if match is None:
            break
        position = match.start()
    return text.count("\n", 0, position) + 1


def _to_json(value: object) -> object:
    """Round floats and write NaN as null, which JSON has."""
    if isinstance(value, float):
        return round(value, _DECIMALS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    return value


def _from_json(table: dict[str, object]) -> dict[str, object]:
    """Read null as NaN where a float must stand."""
    result = dict(table)
    if isinstance(tests := result.get("tests"), dict):
        result["tests"] = _null_to_nan(tests)
    if isinstance(models := result.get("models"), dict):
        result["models"] = {
            name: {
                key: _null_to_nan(item) if key == "interval" and item is not None else item
                for key, item in model.items()
            }
            if isinstance(model, dict)
            else model
            for name, model in models.items()
        }
    return result


def _null_to_nan(value: object) -> object:
    if value is None:
        return math.nan
    if isinstance(value, dict):
        return {key: _null_to_nan(item) for key, item in value.items()}
    return value
