"""Which column of a table holds what."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.config import ColumnSettings

USUAL = {
    "id": ("id",),
    "title": ("title",),
    "passage": ("passage", "context"),
    "question": ("question",),
    "references": ("references", "answers.text", "answers", "reference", "answer"),
    "answerable": ("answerable", "not is_impossible"),
    "cluster": ("cluster",),
}
"""Names that are looked for where the suite names none: ours, then SQuAD's."""

_NEGATION = "not "
_MOST_SHOWN = 400
"""Characters of a list of columns that a message repeats."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read; empty where there is none.

    ``is_negated`` says that the answerable column says the contrary,
    ``more`` are read for filters and strata.
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
    """Return which of the columns of a table are read, ``more`` (column → key) among them.

    DatasetError names a column that is asked for and absent, the columns that
    there are, and the nearest.
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
            f"{source}: has no column 'question'; name the one that holds it with"
            f" dataset.columns.question: there are {_list(there)}"
        )
    return ""


def _require(source: str, there: Sequence[str], column: str, key: str) -> None:
    if column not in there:
        near = difflib.get_close_matches(column, there, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DatasetError(
            f"{source}: has no column {column!r}, which {key} names; there are {_list(there)}{hint}"
        )


def _list(columns: Sequence[str]) -> str:
    told = ", ".join(column if column.isprintable() else repr(column) for column in columns)
    return told if len(told) <= _MOST_SHOWN else f"{told[:_MOST_SHOWN]}…"
