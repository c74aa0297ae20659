"""Makes questions from the columns of a table."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.datasets.items import Item, derive_id
from pytest_raq.datasets.values import as_label, as_optional_text, as_references, as_text, as_truth
from pytest_raq.errors import DatasetError
from pytest_raq.records import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_raq.config import ColumnSettings, DatasetSettings


USUAL = {
    "id": ("id",),
    "title": ("title",),
    "passage": ("passage", "context"),
    "question": ("question",),
    "references": ("references", "answers.text", "answers", "reference", "answer"),
    "answerable": ("answerable", "not is_impossible"),
    "cluster": ("cluster",),
}
"""Usual names of columns, used if the suite names none: ours, then SQuAD's."""

_NEGATION = "not "
_MOST_SHOWN = 400
"""Maximum number of characters of a list of columns in a message."""

QUESTION_STRATA = ("title", "answerable")
"""Properties of questions that can be strata; other strata are columns."""

Row = tuple[str, tuple[object, ...]]
"""The place of a row (``line 3``, ``row 3``) and its values."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read; empty if there is none.

    ``is_negated`` says that the answerable column has the opposite meaning;
    ``more`` are columns for filters and strata.
    """

    id: str
    title: str
    passage: str
    question: str
    references: str
    answerable: str
    cluster: str
    is_negated: bool = False
    more: tuple[str, ...] = ()

    @property
    def follows_squad(self) -> bool:
        """Whether a question without references has no answer, as in SQuAD's nested answers."""
        return self.references.startswith("answers.")

    @property
    def needed(self) -> tuple[str, ...]:
        """All columns to be read, each once."""
        named = (self.id, self.title, self.passage, self.question, self.references)
        found = dict.fromkeys((*named, self.answerable, self.cluster, *self.more))
        return tuple(column for column in found if column)


def choose_columns(
    source: str, there: Sequence[str], settings: ColumnSettings, more: Mapping[str, str]
) -> Columns:
    """Return the columns of a table to read, including ``more`` (column → key).

    DatasetError names a requested column that is absent, the existing columns,
    and the nearest one.
    """
    chosen = {role: _choose(source, there, role, getattr(settings, role)) for role in USUAL}
    answerable = chosen.pop("answerable")
    for column, key in more.items():
        _require(source, there, column, key)
    return Columns(
        **chosen,
        answerable=answerable.removeprefix(_NEGATION),
        is_negated=answerable.startswith(_NEGATION),
        more=tuple(more),
    )


def _choose(source: str, there: Sequence[str], role: str, asked: str | None) -> str:
    if asked is not None:
        if asked:
            _require(source, there, asked.removeprefix(_NEGATION), f"dataset.columns.{role}")
        return asked
    for name in USUAL[role]:
        if name.removeprefix(_NEGATION) in there:
            return name
    if role == "question":
        raise DatasetError(
            f"{source}: has no column 'question'; name the column of the questions with"
            f" dataset.columns.question: there are {_list(there)}"
        )
    return ""


def _require(source: str, there: Sequence[str], column: str, key: str) -> None:
    if column not in there:
        near = difflib.get_close_matches(column, there, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DatasetError(
            f"{source}: has no column {column!r} (set in {key}); there are {_list(there)}{hint}"
        )


def _list(columns: Sequence[str]) -> str:
    told = ", ".join(column if column.isprintable() else repr(column) for column in columns)
    return told if len(told) <= _MOST_SHOWN else f"{told[:_MOST_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class Table:
    """A source of rows.

    ``columns`` are the names that can be read, with dots for those inside
    objects; ``rows`` yields the values of requested columns, in that order.
    """

    source: str
    columns: tuple[str, ...]
    rows: Callable[[Sequence[str]], Iterator[Row]]


def read_table(table: Table, settings: DatasetSettings) -> Iterator[Item]:
    """Yield the questions of a table that pass the filter on columns.

    DatasetError names the row and the column of an error.
    """
    wanted = settings.filter.columns
    more = dict.fromkeys(wanted, "dataset.filter.columns")
    if settings.stratify is not None and settings.stratify not in QUESTION_STRATA:
        more.setdefault(settings.stratify, "dataset.stratify")
    columns = choose_columns(table.source, table.columns, settings.columns, more)
    needed = columns.needed
    reader = _Reader(table.source, columns, settings)
    seen = kept = 0
    for seen, (place, values) in enumerate(table.rows(needed), start=1):  # noqa: B007
        row = dict(zip(needed, values, strict=True))
        if all(is_among(row[column], allowed) for column, allowed in wanted.items()):
            kept += 1
            yield reader.item(place, row)
    if seen and not kept:
        told = ", ".join(f"{name} = {tell_values(values)}" for name, values in wanted.items())
        raise DatasetError(f"{table.source}: no row passes dataset.filter.columns: {told}")


def tell_values(values: Sequence[object]) -> str:
    """Return values as they are written in a suite."""
    return repr(values[0] if len(values) == 1 else list(values))


def is_among(value: object, kept: Sequence[object]) -> bool:
    """Whether a cell has one of the values; in a text file numbers are text."""
    texts = [_plain(item) for item in kept]
    return _plain(value) in texts


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Reader:
    """Makes questions from rows; equal passages, titles and groups share one object in memory."""

    def __init__(self, source: str, columns: Columns, settings: DatasetSettings) -> None:
        self._source, self._columns = source, columns
        self._separator = settings.separator
        self._no_answer = settings.no_answer_references
        self._stratify = settings.stratify
        self._known: dict[str, str] = {}

    def item(self, place: str, row: Mapping[str, object]) -> Item:
        where, columns = f"{self._source}: {place}", self._columns
        passage = self._text(where, row, columns.passage)
        asked = as_text(f"{where}: {columns.question}", row[columns.question])
        references, answerable = self._references(where, row)
        name = as_label(f"{where}: {columns.id}", row[columns.id]) if columns.id else ""
        question = Question(
            id=name or derive_id(passage, asked),
            title=self._label(where, row, columns.title),
            passage=passage,
            question=asked,
            references=references,
            answerable=answerable,
            group=self._label(where, row, columns.cluster),
        )
        return Item(place, question, self._stratum(row), bool(name))

    def _label(self, where: str, row: Mapping[str, object], column: str) -> str:
        return self._share(as_label(f"{where}: {column}", row[column])) if column else ""

    def _text(self, where: str, row: Mapping[str, object], column: str) -> str:
        return self._share(as_optional_text(f"{where}: {column}", row[column])) if column else ""

    def _share(self, text: str) -> str:
        return self._known.setdefault(text, text)

    def _references(self, where: str, row: Mapping[str, object]) -> tuple[tuple[str, ...], bool]:
        """Return the references, and whether the question has an answer."""
        columns = self._columns
        references: tuple[str, ...] = ()
        if columns.references:
            column = columns.references
            references = as_references(f"{where}: {column}", row[column], self._separator)
        answerable = self._answerable(where, row)
        if answerable is None:
            answerable = bool(references) or not columns.follows_squad
        return (references if answerable else self._no_answer), answerable

    def _answerable(self, where: str, row: Mapping[str, object]) -> bool | None:
        column = self._columns.answerable
        said = as_truth(f"{where}: {column}", row[column]) if column else None
        return said if said is None else said != self._columns.is_negated

    def _stratum(self, row: Mapping[str, object]) -> str:
        if self._stratify is None or self._stratify in QUESTION_STRATA:
            return ""
        return self._share(_plain(row[self._stratify]))


def nested(columns: Mapping[str, object]) -> Iterator[str]:
    """Yield the keys of an object, with dots for keys of objects inside it."""
    for name, value in columns.items():
        yield name
        value = value[0] if isinstance(value, list) and value else value  # noqa: PLW2901
        if isinstance(value, dict):
            yield from (f"{name}.{inner}" for inner in nested(value))


def look_up(row: Mapping[str, object], column: str) -> object:
    """Return the value of a column, also inside an object or inside each object of a list."""
    if column in row:
        return row[column]
    name, dot, rest = column.partition(".")
    return _inner(row.get(name), rest) if dot else None


def _inner(value: object, rest: str) -> object:
    if isinstance(value, list):
        return [_inner(item, rest) for item in value]
    return look_up(value, rest) if isinstance(value, dict) else None


def refuse_repeated(source: str, columns: Sequence[str]) -> None:
    """Raise DatasetError if two columns have the same name."""
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise DatasetError(f"{source}: has two columns {twice!r}; rename one")
