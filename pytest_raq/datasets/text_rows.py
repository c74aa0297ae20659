"""Rows of JSON, JSON Lines, CSV and TSV files."""

from __future__ import annotations

import csv
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.datasets.encodings import guess
from pytest_raq.datasets.items import read_bytes, read_text, without_mark
from pytest_raq.datasets.tables import Table, look_up, nested, refuse_repeated
from pytest_raq.datasets.values import tell
from pytest_raq.errors import DatasetError
from pytest_raq.files import data_suffix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_raq.datasets.tables import Row


_DELIMITERS = ",;\t|"
_LONGEST_CELL = 2**31 - 1
Record = tuple[int, list[str]]

Placed = tuple[str, "Mapping[str, object]"]


def csv_table(path: Path, delimiter: str | None, encoding: str | None = None) -> Table:
    """Return the rows of a file whose first line names the columns.

    DatasetError names the file and the line that cannot be read.
    """
    expected = "a line that names the columns, then one question per line"
    text = read_text(path, expected, encoding)
    # A passage of several lines is the same for files from any operating system.
    text = text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")
    found = delimiter or ("\t" if data_suffix(path) == ".tsv" else _find_delimiter(text))
    header = _header(path, text, found)
    return Table(str(path), tuple(filter(None, header)), lambda cs: _rows(path, text, found, cs))


def _find_delimiter(text: str) -> str:
    """Return the most frequent separator between the names of the columns, outside quotes."""
    line = text.lstrip().partition("\n")[0]
    bare = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _header(path: Path, text: str, delimiter: str) -> list[str]:
    _, cells = next(_records(path, text, delimiter))
    header = [cell.strip() for cell in cells]
    refuse_repeated(str(path), [name for name in header if name])
    return header


def _rows(path: Path, text: str, delimiter: str, wanted: Sequence[str]) -> Iterator[Row]:
    records = _records(path, text, delimiter)
    header = [cell.strip() for cell in next(records)[1]]
    places = [header.index(column) for column in wanted]
    for line, cells in records:
        if len(cells) < len(header) or any(cells[len(header) :]):
            raise DatasetError(
                f"{path}: line {line}: expected {len(header)} cells as in the first line, found"
                f" {len(cells)}; put a text with {delimiter!r} or a quote in quotes"
            )
        yield f"line {line}", tuple(cells[place] for place in places)


def _records(path: Path, text: str, delimiter: str) -> Iterator[Record]:
    """Yield records with the line where each starts; empty lines are skipped."""
    # Strict: otherwise a quote that is never closed would include the rest of the file.
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    start = 1
    with _long_cells():
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                raise DatasetError(f"{path}: line {start}: {_reason(exc)}") from exc
            if any(cell.strip() for cell in cells):
                yield start, cells
            start = reader.line_num + 1


def _lines(text: str) -> Iterator[str]:
    """Yield lines with their ends; a StringIO would need four bytes per character."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _reason(exc: csv.Error) -> str:
    if "unexpected end of data" in str(exc):
        return "a quote is opened here and never closed"
    if "expected after" in str(exc):
        return 'a quote is inside a text in quotes; write it twice: ""'
    return f"is not CSV: {exc}"


@contextmanager
def _long_cells() -> Iterator[None]:
    """Allow cells longer than the module's limit, which applies to the whole process."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One object of a JSON Lines file, and its place for messages: ``file.jsonl:3``."""

    place: str
    values: Mapping[str, object]

    def wrong(self, name: str, expected: str, value: object) -> DatasetError:
        """Return the error that a field holds another kind of value."""
        return DatasetError(f"{self.place}: {name}: expected {expected}, found {tell(value)}")


def read_lines(
    path: Path, raw: bytes, *, has_key: bool = False
) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the number and the object of each line that is not empty.

    ``has_key`` says whether a suite can name the encoding. DatasetError names the
    file and a line that is not a JSON object.
    """
    # Only a line feed ends a line of JSON Lines: an answer may contain U+2028.
    for number, part in enumerate(without_mark(raw).split(b"\n"), start=1):
        if part.strip():
            yield number, _parse(f"{path}:{number}", part, has_key=has_key)


def _parse(place: str, raw: bytes, *, has_key: bool) -> dict[str, object]:
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
    except UnicodeDecodeError as exc:
        told = guess(raw, exc.start, has_key=has_key, has_lines=False)
        raise DatasetError(
            f"{place}: is not UTF-8 (byte {exc.start + 1} of the line){told}"
        ) from exc
    except json.JSONDecodeError as exc:
        raise DatasetError(
            f"{place}: is not JSON: {exc.msg} (column {exc.colno}); expected one object per line"
        ) from exc
    except _RepeatedKeyError as exc:
        raise DatasetError(f"{place}: {exc}: occurs twice in the line; keep one") from exc
    except (ValueError, RecursionError) as exc:  # thousands of digits, thousands of brackets
        raise DatasetError(f"{place}: cannot be read as JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise DatasetError(f"{place}: expected a JSON object, found {tell(value)}")
    return value


class _RepeatedKeyError(ValueError):
    """A key that occurs twice in an object."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return table


def json_lines_table(path: Path, encoding: str | None = None) -> Table:
    """Return the rows of a file with one object per line; DatasetError names a wrong line."""
    raw = read_bytes(path, encoding)
    if not without_mark(raw).strip():
        raise DatasetError(f"{path}: is empty; expected one JSON object per line")
    lines = read_lines(path, raw, has_key=True)
    return _table(path, [(f"line {number}", row) for number, row in lines])


def json_list_table(path: Path, document: list[object]) -> Table:
    """Return the objects of a list as rows; DatasetError names an item that is not an object."""
    rows: list[Placed] = []
    for index, row in enumerate(document):
        if not isinstance(row, dict):
            raise DatasetError(f"{path}: [{index}]: expected an object, found {tell(row)}")
        rows.append((f"[{index}]", row))
    if not rows:
        raise DatasetError(f"{path}: holds no questions: the list is empty")
    return _table(path, rows)


def _table(path: Path, placed: list[Placed]) -> Table:
    """Return rows; some may not have all columns."""
    columns = dict.fromkeys(name for _, row in placed for name in nested(row))

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        for place, row in placed:
            yield place, tuple(look_up(row, column) for column in wanted)

    return Table(str(path), tuple(columns), rows)
