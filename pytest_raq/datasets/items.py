"""What every reader makes of its source: questions that know where they stood."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_raq.records import Question


class Item(NamedTuple):
    """A question and its place in the source, e.g. ``data[0].paragraphs[3].qas[1]``.

    ``stratum`` is the value of the column to stratify by, ``is_named`` whether
    the source gave the id.
    """

    place: str
    question: Question
    stratum: str = ""
    is_named: bool = True


def derive_id(passage: str, question: str) -> str:
    """Return an id for a question that has none: it depends on the two texts alone."""
    return hashlib.sha256(f"{passage}\0{question}".encode()).hexdigest()[:16]


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts in their order, each once."""
    return tuple(dict.fromkeys(texts))


def check_items(source: str, items: Iterable[Item]) -> tuple[list[Item], int]:
    """Return the items of a source and how many repetitions were left out.

    A question without an id of its own that stands there twice, alike in all,
    is kept once. DatasetError when there are no items, or an id is not unique.
    """
    first: dict[str, Item] = {}
    repeated = 0
    for item in items:
        known = first.setdefault(item.question.id, item)
        if known is item:
            continue
        if item.is_named or known.is_named:
            raise DatasetError(
                f"{source}: {known.place} and {item.place} have the same id"
                f" {item.question.id!r}; give each question an id of its own"
            )
        if known.question != item.question:
            raise DatasetError(
                f"{source}: {known.place} and {item.place} ask the same with other references;"
                " make them one, or give each an id"
            )
        repeated += 1
    if not first:
        raise DatasetError(f"{source}: holds no questions")
    return list(first.values()), repeated
