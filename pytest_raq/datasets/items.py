"""What every reader makes of its source: questions that know where they stood."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_raq.records import Question


class Item(NamedTuple):
    """A question and its place in the source, e.g. ``data[0].paragraphs[3].qas[1]``."""

    place: str
    question: Question


def derive_id(passage: str, question: str) -> str:
    """Return an id for a question that has none: it depends on the two texts alone."""
    return hashlib.sha256(f"{passage}\0{question}".encode()).hexdigest()[:16]


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts in their order, each once."""
    return tuple(dict.fromkeys(texts))


def check_items(source: str, items: Iterable[Item]) -> list[Question]:
    """Return the questions of a source; DatasetError when there are none or an id is not unique."""
    places: dict[str, str] = {}
    questions = []
    for place, question in items:
        if question.id in places:
            raise DatasetError(
                f"{source}: {places[question.id]} and {place} have the same id {question.id!r};"
                " give each question an id of its own"
            )
        places[question.id] = place
        questions.append(question)
    if not questions:
        raise DatasetError(f"{source}: holds no questions")
    return questions
