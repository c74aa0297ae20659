"""CSV and TSV files, as spreadsheets and programs write them."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_raq.datasets.tables import Table, refuse_repeated
from pytest_raq.datasets.text_files import read_text
from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_raq.datasets.tables import Row

_DELIMITERS = ",;\t|"
_LONGEST_CELL = 2**31 - 1
Record = tuple[int, list[str]]


def csv_table(path: Path, delimiter: str | None) -> Table:
    """Return the rows of a file whose first line names the columns.

    DatasetError names the file and the line of what cannot be read.
    """
    text = read_text(path, "a line that names the columns, then one question a line")
    # A passage of several lines is the same whatever system the file was saved on.
    text = text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")
    found = delimiter or ("\t" if path.suffix.lower() == ".tsv" else _find_delimiter(text))
    header = _header(path, text, found)
    return Table(str(path), tuple(filter(None, header)), lambda cs: _rows(path, text, found, cs))


def _find_delimiter(text: str) -> str:
    """Return what stands most often between the names of the columns, outside of quotes."""
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
                f" {len(cells)}; a text that holds {delimiter!r} or a quote stands in quotes"
            )
        yield f"line {line}", tuple(cells[place] for place in places)


def _records(path: Path, text: str, delimiter: str) -> Iterator[Record]:
    """Yield records with the line where each starts; lines that hold nothing are passed over."""
    # Strict: a quote that is never closed would take in the rest of the file.
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
    """Yield lines with their ends; a StringIO would take four bytes a character."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _reason(exc: csv.Error) -> str:
    if "unexpected end of data" in str(exc):
        return "a quote is opened here and never closed"
    if "expected after" in str(exc):
        return 'a quote stands within a text in quotes; write it twice: ""'
    return f"is no CSV: {exc}"


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be longer than the module's limit, which holds for the whole process."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)
