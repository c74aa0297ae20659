"""Questions as they come from a source, and reading of text files."""

from __future__ import annotations

import codecs
import hashlib
from typing import TYPE_CHECKING, NamedTuple

from pytest_raq.datasets.compression import unpack
from pytest_raq.datasets.encodings import guess, to_utf8
from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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
    """Return an id for a question without one: it depends only on the two texts."""
    return hashlib.sha256(f"{passage}\0{question}".encode()).hexdigest()[:16]


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the texts in their order, each once."""
    return tuple(dict.fromkeys(texts))


def check_items(source: str, items: Iterable[Item]) -> tuple[list[Item], int]:
    """Return the items of a source and the number of repetitions that were left out.

    A question without an id that occurs twice, with everything equal, is kept
    once. Raises DatasetError when there are no items, or an id is not unique.
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
                f" {item.question.id!r}; give each question a different id"
            )
        if known.question != item.question:
            raise DatasetError(
                f"{source}: {known.place} and {item.place} ask the same with other references;"
                " keep one, or give each an id"
            )
        repeated += 1
    if not first:
        raise DatasetError(f"{source}: holds no questions")
    return list(first.values()), repeated


def read_bytes(path: Path, encoding: str | None = None) -> bytes:
    """Return the content of a text file, unpacked, as UTF-8.

    ``encoding`` is that of the file; without it, the bytes do not change, and only
    UTF-16 is refused here. DatasetError when the file cannot be read.
    """
    return to_utf8(path, unpack(path, read_file(path)), encoding)


def read_file(path: Path) -> bytes:
    """Return the bytes of a file as they are on the disk; DatasetError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be read: {exc.strerror or exc}") from exc


def without_mark(raw: bytes) -> bytes:
    """Return the bytes of a text without the byte order mark that Windows adds."""
    return raw.removeprefix(codecs.BOM_UTF8)


def read_text(path: Path, expected: str, encoding: str | None = None) -> str:
    """Return the text of a file; if it is empty, DatasetError says what was expected."""
    raw = without_mark(read_bytes(path, encoding))
    if not raw.strip():
        raise DatasetError(f"{path}: is empty; expected {expected}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise DatasetError(f"{path}: is not UTF-8{guess(raw, exc.start)}") from exc
