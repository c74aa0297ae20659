"""JSON Lines: one object a line, each with the place where it stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_raq.datasets.text_files import without_mark
from pytest_raq.datasets.values import tell
from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_lines(path: Path, raw: bytes) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the number and the object of each line that is not blank.

    DatasetError names the file and the line of what is no JSON object.
    """
    # Only a line feed ends a line of JSON Lines: U+2028 may stand in an answer.
    for number, part in enumerate(without_mark(raw).split(b"\n"), start=1):
        if part.strip():
            yield number, _parse(f"{path}:{number}", part)


def _parse(place: str, raw: bytes) -> dict[str, object]:
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
    except UnicodeDecodeError as exc:
        raise DatasetError(f"{place}: is not UTF-8 (byte {exc.start + 1} of the line)") from exc
    except json.JSONDecodeError as exc:
        raise DatasetError(
            f"{place}: is not JSON: {exc.msg} (column {exc.colno}); expected one object a line"
        ) from exc
    except _RepeatedKeyError as exc:
        raise DatasetError(f"{place}: {exc}: stands twice in the line; keep one") from exc
    except (ValueError, RecursionError) as exc:  # thousands of digits, thousands of brackets
        raise DatasetError(f"{place}: cannot be read as JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise DatasetError(f"{place}: expected a JSON object, found {tell(value)}")
    return value


class _RepeatedKeyError(ValueError):
    """A key that stands twice in an object."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return table
