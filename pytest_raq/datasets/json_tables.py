"""Rows written as JSON: JSON Lines, or a list in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.datasets.json_lines import read_lines
from pytest_raq.datasets.tables import Table, look_up, nested
from pytest_raq.datasets.text_files import read_bytes, without_mark
from pytest_raq.datasets.values import tell
from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_raq.datasets.tables import Row

Placed = tuple[str, "Mapping[str, object]"]


def json_lines_table(path: Path) -> Table:
    """Return the rows of a file with one object a line; DatasetError names a wrong line."""
    raw = read_bytes(path)
    if not without_mark(raw).strip():
        raise DatasetError(f"{path}: is empty; expected one JSON object a line")
    return _table(path, [(f"line {number}", row) for number, row in read_lines(path, raw)])


def json_list_table(path: Path, document: list[object]) -> Table:
    """Return the objects of a list as rows; DatasetError names one that is no object."""
    rows: list[Placed] = []
    for index, row in enumerate(document):
        if not isinstance(row, dict):
            raise DatasetError(f"{path}: [{index}]: expected an object, found {tell(row)}")
        rows.append((f"[{index}]", row))
    if not rows:
        raise DatasetError(f"{path}: holds no questions: the list is empty")
    return _table(path, rows)


def _table(path: Path, placed: list[Placed]) -> Table:
    """Return rows of which some may lack columns that others have."""
    columns = dict.fromkeys(name for _, row in placed for name in nested(row))

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        for place, row in placed:
            yield place, tuple(look_up(row, column) for column in wanted)

    return Table(str(path), tuple(columns), rows)
