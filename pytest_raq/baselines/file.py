"""``baselines/SUITE.json``: an accepted state as a file, on disk or in a git revision."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from pytest_raq.baselines.reasoning import without_reasoning
from pytest_raq.baselines.validation import (
    find_faults,
    find_no_number,
    find_repeated_key,
    find_unknown,
    line_of,
    path_at,
)
from pytest_raq.errors import BaselineError, StoreError
from pytest_raq.files import show_path, write_atomically
from pytest_raq.git import show_revision
from pytest_raq.records import Baseline, ModelSummary
from pytest_raq.text import well_formed

if TYPE_CHECKING:
    from pathlib import Path


FORMAT = 1
"""The version of the file format; raised when older files cannot be read unchanged."""

_LATER = ("reproducible", "instruction_set", "timed", "identity")
"""Fields of a model's provenance that the first version did not have."""
_LATER_FIGURES = (
    "reference_bits_per_byte",
    "decode_is_estimate",
    "contains",
    "reasoning_tokens",
    "reasoning_seconds",
    "time_to_first_answer",
    "unfinished",
)
"""The same of its figures."""
_USUAL = {item.name: item.default for item in fields(ModelSummary)}
_DECIMALS = 6
_REMEDY = "restore it from git or accept again with --raq-update"
_CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
_ADAPTER = TypeAdapter(Baseline)


def baseline_path(folder: Path, suite: str) -> Path:
    """Return the path of the baseline of a suite."""
    return folder / f"{suite}.json"


def anchor_path(folder: Path, suite: str) -> Path:
    """Return the path of the anchor of a suite: the accepted state that only a release moves."""
    return folder / f"{suite}.anchor.json"


def save_baseline(folder: Path, baseline: Baseline) -> Path:
    """Write a baseline in one step and return its path.

    Keys are sorted, with one value per line and rounded floats, so that a change
    of one answer is a change of one line. Raises StoreError when it cannot be written.
    """
    return _save(baseline_path(folder, baseline.suite), baseline)


def save_anchor(folder: Path, baseline: Baseline) -> Path:
    """Write the anchor of a suite, as `save_baseline` does."""
    return _save(anchor_path(folder, baseline.suite), baseline)


def _save(path: Path, baseline: Baseline) -> Path:
    text = _to_text(baseline)
    try:
        is_same = _to_text(parse_baseline(show_path(path), text)) == text
    except BaselineError as exc:
        told = str(exc).removesuffix(f"; {_REMEDY}")
        raise StoreError(
            f"{told}: not written, because no later run could read it: correct that and accept"
            " again"
        ) from exc
    if not is_same:
        raise StoreError(
            f"{path}: not written, because a later run would read other values: report this, with"
            " the JSON of the run (--raq-json FILE)"
        )
    write_atomically(path, text)
    return path


def _to_text(baseline: Baseline) -> str:
    table = _ADAPTER.dump_python(baseline, mode="python")
    for place, names in (
        (table, ("gate", "accepted_speeds")),
        (table["provenance"], ("keys",)),
        *((model, _LATER) for model in table["provenance"]["models"].values()),
        *((item, ("likelihood", "unfinished")) for item in table["questions"].values()),
    ):
        for name in names:  # absent where it says nothing, as older versions expect
            if not place[name]:
                del place[name]
    for summary in table["models"].values():
        _leave_out_usual(summary)
    text = json.dumps(
        _to_json({"format": FORMAT, **table}), indent=1, sort_keys=True, ensure_ascii=False
    )
    return well_formed(f"{text}\n")  # a reason of the command line may be no Unicode


def _leave_out_usual(summary: dict[str, object]) -> None:
    for name in _LATER_FIGURES:
        if summary[name] == _USUAL[name]:
            del summary[name]


def load_baseline(folder: Path, suite: str) -> Baseline | None:
    """Read the baseline of a suite; None if there is none yet.

    BaselineError names the file, the line and the field of an error.
    """
    return _load(baseline_path(folder, suite), suite)


def load_anchor(folder: Path, suite: str) -> Baseline | None:
    """Read the anchor of a suite; None if there is none yet. Errors as in `load_baseline`."""
    return _load(anchor_path(folder, suite), suite)


def _load(path: Path, suite: str) -> Baseline | None:
    try:
        text = _read(path)
    except FileNotFoundError:
        return None
    where = show_path(path)
    baseline = parse_baseline(where, text)
    if baseline.suite != suite:
        raise BaselineError(
            f"{where}:{line_of(text, ('suite',))}: suite is {baseline.suite!r}, not {suite!r}:"
            " the file belongs to another suite"
        )
    return baseline


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file of any name; raise BaselineError also when it does not exist."""
    try:
        return parse_baseline(show_path(path), _read(path))
    except FileNotFoundError as exc:
        raise BaselineError(f"{show_path(path)}: does not exist") from exc


def _read(path: Path) -> str:
    try:
        return decode_baseline(show_path(path), path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise BaselineError(f"{show_path(path)}: cannot be read: {exc.strerror or exc}") from exc


def decode_baseline(where: str, raw: bytes) -> str:
    """Return the text of a baseline file; BaselineError names the line that is not UTF-8."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise BaselineError(f"{where}:{line}: is not UTF-8; {_REMEDY}") from exc


def parse_baseline(where: str, text: str) -> Baseline:
    """Return the baseline in a text; ``where`` names the text in messages.

    Raises BaselineError, with the line and the field, for a text that is not JSON,
    has another format or wrong types, or contradicts itself.
    """
    table = _parse_json(where, text)
    _refuse_format(where, text, table.pop("format", None))
    try:
        # As JSON, because strict types then still accept a list for a tuple. Earlier versions
        # wrote halves of surrogate pairs.
        plain = well_formed(json.dumps(_from_json(table), ensure_ascii=False))
        baseline = _ADAPTER.validate_json(plain, strict=True)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        message = first["msg"][0].lower() + first["msg"][1:]
        raise _fault(where, text, _existing(table, first["loc"]), message) from exc
    known = _ADAPTER.dump_python(baseline, mode="python")
    fault = find_unknown(table, known) or next(find_faults(baseline), None)
    if fault:
        raise _fault(where, text, *fault)
    return without_reasoning(baseline)


def _fault(where: str, text: str, path: tuple[int | str, ...], message: str) -> BaselineError:
    return BaselineError(f"{where}:{line_of(text, path)}: {_dotted(path)}{message}; {_REMEDY}")


def _dotted(path: tuple[int | str, ...]) -> str:
    return f"{'.'.join(str(part) for part in path)}: " if path else ""


def _existing(table: object, loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return a location of pydantic without the type names that pydantic appends."""
    path: list[int | str] = []
    for part in loc:
        has_part = isinstance(table, dict) or (isinstance(table, list) and isinstance(part, int))
        if not has_part:
            break
        path.append(part)
        try:
            table = table[part]  # type: ignore[index]
        except (KeyError, IndexError):
            break
    return tuple(path)


def _parse_json(where: str, text: str) -> dict[str, object]:
    if not text.strip():
        raise BaselineError(f"{where}:1: is empty; {_REMEDY}")
    try:
        table = json.loads(text)
    except json.JSONDecodeError as exc:
        raise _broken(where, text, exc) from exc
    except (ValueError, RecursionError) as exc:  # thousands of digits, thousands of brackets
        raise BaselineError(f"{where}: cannot be read as JSON: {exc}; {_REMEDY}") from exc
    if not isinstance(table, dict):
        raise BaselineError(f"{where}:1: is not a baseline: expected an object; {_REMEDY}")
    if (path := find_no_number(text)) is not None:
        raise _fault(where, text, path, "is NaN or infinite; write null")
    if (path := find_repeated_key(text)) is not None:
        raise _fault(where, text, path, "occurs twice")
    return table


def _broken(where: str, text: str, exc: json.JSONDecodeError) -> BaselineError:
    """Say where a text is not JSON any more: after a merge, a manual edit, or a partial copy."""
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        return BaselineError(
            f"{where}:{line}: has conflict marks of a git merge; choose one side, or {_REMEDY}"
        )
    path = path_at(text, exc.pos)
    near = f" near {'.'.join(str(part) for part in path)}" if path else ""
    if exc.pos >= len(text.rstrip()) or exc.msg.startswith("Unterminated"):
        return BaselineError(
            f"{where}:{exc.lineno}: is not JSON: it is incomplete,{near or ' at the start'};"
            f" {_REMEDY}"
        )
    return BaselineError(
        f"{where}:{exc.lineno}: is not JSON{near}: {exc.msg} (column {exc.colno}); {_REMEDY}"
    )


def _refuse_format(where: str, text: str, found: object) -> None:
    if isinstance(found, int) and not isinstance(found, bool) and found == FORMAT:
        return
    place = f"{where}:{line_of(text, ('format',))}: format"
    if found is None:
        raise BaselineError(f"{place}: is missing; expected {FORMAT}; {_REMEDY}")
    if isinstance(found, int) and not isinstance(found, bool):
        if found > FORMAT:
            raise BaselineError(
                f"{place}: is {found}, newer than {FORMAT}, the format of this version;"
                " update pytest-raq"
            )
        raise BaselineError(
            f"{place}: is {found}, older than {FORMAT}, the format of this version;"
            " accept again with --raq-update"
        )
    shown = json.dumps(found)[:40]
    raise BaselineError(f"{place}: is {shown}; expected {FORMAT}; {_REMEDY}")


def _to_json(value: object) -> object:
    """Round floats and write NaN as null, because JSON has no NaN."""
    if isinstance(value, float):
        return round(value, _DECIMALS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    return value


def _from_json(table: dict[str, object]) -> dict[str, object]:
    """Read null as NaN where a float is expected."""
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


def read_revision(spec: str) -> Baseline:
    """Return the baseline at ``REV:PATH``, as ``git show`` finds it.

    ``PATH`` is relative to the top of the repository, or to the working folder if
    it begins with ``./``. Raises BaselineError when git does not find it.
    """
    return parse_baseline(spec, decode_baseline(spec, show_revision(spec)))
