"""SQuAD v1.1 and v2.0 JSON files (Rajpurkar et al., 2016 and 2018)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pytest_raq.datasets.items import Item, derive_id, distinct, read_text
from pytest_raq.errors import DatasetError
from pytest_raq.records import UNANSWERABLE, Question

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

T = TypeVar("T")

_NAMES: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 40
"""Maximum number of characters of a wrong value in a message."""


def read_json(path: Path, encoding: str | None = None) -> object:
    """Return the document of a JSON file; raise DatasetError if it is not JSON."""
    try:
        return json.loads(read_text(path, "a SQuAD file", encoding))
    except json.JSONDecodeError as exc:
        raise DatasetError(
            f"{path}: is not JSON: line {exc.lineno}, column {exc.colno}: {exc.msg}"
        ) from exc
    except RecursionError as exc:
        raise DatasetError(f"{path}: is nested too deeply to be a SQuAD file") from exc
    except ValueError as exc:  # a number of thousands of digits
        raise DatasetError(f"{path}: cannot be read: {exc}") from exc


def read_squad_json(path: Path, no_answer: tuple[str, ...] = (UNANSWERABLE,)) -> list[Item]:
    """Return all questions of a SQuAD file; see `squad_items`."""
    return squad_items(path, read_json(path), no_answer)


def squad_items(path: Path, document: object, no_answer: tuple[str, ...]) -> list[Item]:
    """Return all questions of a SQuAD document, in its order.

    A question with ``is_impossible``, or without answers in a file whose
    version is 2.0, is not answered by its passage: its references are
    ``no_answer``. References are texts, so ``answer_start`` is not read; a
    missing title is empty, a missing id is made from passage and question.
    DatasetError names the file, the place in the document, what was expected
    and what was found.
    """
    root = _Node(path, document)
    reader = _Reader(no_answer, second=_is_second_version(root))
    items = [
        reader.item(qa, article, passage)
        for article in root.need("data").items()
        for paragraph in article.need("paragraphs").items()
        for passage in [paragraph.need("context").text()]
        for qa in paragraph.need("qas").items()
    ]
    if not items:
        raise DatasetError(f"{path}: holds no questions: expected some in data[].paragraphs[].qas")
    return items


@dataclass(frozen=True, slots=True)
class _Node:
    """A value with its place in the document."""

    path: Path
    value: object
    where: str = ""

    def wrong(self, expected: str, found: str = "") -> DatasetError:
        place = self.where or "the document"
        told = found or _tell(self.value)
        return DatasetError(f"{self.path}: {place}: expected {expected}, found {told}")

    def be(self, kind: type[T]) -> T:
        if not isinstance(self.value, kind):
            raise self.wrong(_NAMES[kind])
        return self.value

    def text(self) -> str:
        """Return a text that is not empty and can be written as UTF-8."""
        text = self.be(str)
        if not text.strip():
            raise self.wrong("a text that is not empty")
        if _SURROGATE.search(text):
            raise self.wrong("Unicode text", "half of a surrogate pair")
        return text

    def get(self, key: str) -> _Node | None:
        table = self.be(dict)
        if key not in table:
            return None
        return _Node(self.path, table[key], f"{self.where}.{key}".lstrip("."))

    def need(self, key: str) -> _Node:
        node = self.get(key)
        if node is None:
            keys = ", ".join(repr(name)[1:-1] for name in self.be(dict))
            told = f"only {keys[:_SHOWN]}" if keys else "an empty object"
            raise self.wrong(f"the key {key!r}", told)
        return node

    def items(self) -> Iterator[_Node]:
        for index, value in enumerate(self.be(list)):
            yield _Node(self.path, value, f"{self.where}[{index}]")


def _tell(value: object) -> str:
    if isinstance(value, str):
        return f"the text {value[:_SHOWN]!r}" if value.strip() else "an empty text"
    if value == []:
        return "an empty list"
    if isinstance(value, dict | list):
        return _NAMES[type(value)]
    return json.dumps(value)[:_SHOWN]


def _is_second_version(document: _Node) -> bool:
    version = document.get("version")
    return version is not None and str(version.value).lower().lstrip("v").startswith("2")


class _Reader:
    """Makes questions from the nodes of one file."""

    def __init__(self, no_answer: tuple[str, ...], *, second: bool) -> None:
        self._no_answer, self._second = no_answer, second

    def item(self, qa: _Node, article: _Node, passage: str) -> Item:
        asked = qa.need("question").text()
        references = _references(qa, second=self._second)
        name = _id(qa)
        question = Question(
            id=name or derive_id(passage, asked),
            title=_title(article),
            passage=passage,
            question=asked,
            references=references or self._no_answer,
            answerable=bool(references),
        )
        return Item(qa.where, question, is_named=bool(name))


def _title(article: _Node) -> str:
    node = article.get("title")
    if node is None or node.value in (None, ""):
        return ""
    return node.text()


def _id(qa: _Node) -> str:
    node = qa.get("id")
    if node is None:
        return ""
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return str(node.value)
    return node.text()


def _references(qa: _Node, *, second: bool) -> tuple[str, ...]:
    """Return the distinct texts of the answers; none for a question without an answer."""
    impossible = qa.get("is_impossible")
    if impossible is not None and impossible.be(bool):
        return ()
    answers = qa.need("answers")
    texts = distinct(answer.need("text").text() for answer in answers.items())
    if not texts and impossible is not None:
        raise answers.wrong("an answer, because is_impossible is false")
    if not texts and not second:
        raise answers.wrong('an answer, or "is_impossible": true next to it')
    return texts
