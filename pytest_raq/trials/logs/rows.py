"""What a log says of one question and one model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.datasets.values import is_half, tell
from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PASSAGES = ("passage", "context", "document", "story", "article")
QUESTIONS = ("question", "query", "input", "prompt", "problem")
"""Usual names of a passage and of a question in the data of a task."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """A sample of a log; ``place`` is for messages: ``log.json: samples[3]``.

    ``answer`` is None if the model gave none. Without references or a passage,
    those are empty.
    """

    place: str
    task: str
    id: str
    model: str
    answer: str | None
    references: tuple[str, ...] = ()
    question: str = ""
    passage: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """The samples of a log, and notes for the reader."""

    rows: tuple[LogRow, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """An object of a log with its place."""

    place: str
    values: Mapping[str, object]

    def node(self, key: str) -> Node:
        """Return an object inside; an empty one if there is none."""
        return as_node(f"{self.place}.{key}", self.values.get(key) or {})

    def nodes(self, key: str) -> list[Node]:
        """Return the objects of a list inside; none if there is no list."""
        return nodes(f"{self.place}.{key}", self.values.get(key) or [])

    def text(self, *keys: str) -> str:
        """Return the first of some values that is a text or a number; empty without any."""
        for key in keys:
            value = self.values.get(key)
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                text = plain_text(self.place, str(value))
                if text.strip():
                    return text
        return ""


def as_node(place: str, value: object) -> Node:
    """Return an object of a log; raise DatasetError if it is something else."""
    if not isinstance(value, dict):
        raise DatasetError(f"{place}: expected an object, found {tell(value)}")
    return Node(place, value)


def nodes(place: str, value: object) -> list[Node]:
    """Return the objects of a list of a log; raise DatasetError if it is something else."""
    if not isinstance(value, list):
        raise DatasetError(f"{place}: expected a list, found {tell(value)}")
    return [as_node(f"{place}[{index}]", item) for index, item in enumerate(value)]


def plain_text(place: str, text: str) -> str:
    """Return a text; raise DatasetError if UTF-8 cannot encode it."""
    if is_half(text):
        raise DatasetError(f"{place}: expected Unicode text, found half of a surrogate pair")
    return text


def texts(place: str, values: Iterable[object]) -> tuple[str, ...]:
    """Return the distinct texts and numbers among values, as texts that are not empty."""
    found = (
        plain_text(place, str(value))
        for value in values
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    )
    return tuple(dict.fromkeys(text for text in found if text.strip()))


def content_text(place: str, content: object) -> str:
    """Return the text of a message: a text, or the parts of a list that are text.

    Other parts, such as pictures and reasoning, are left out.
    """
    if isinstance(content, str):
        return plain_text(place, content)
    if not isinstance(content, list):
        return ""
    parts = (part for part in content if isinstance(part, dict) and part.get("type") == "text")
    return plain_text(place, "\n".join(str(part.get("text", "")) for part in parts))


def output_text(place: str, output: object) -> str | None:
    """Return an output as text, an object or a list as JSON; None if there is none."""
    if output is None:
        return None
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    return plain_text(place, text)
