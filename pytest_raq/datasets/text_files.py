"""The bytes and the text of a file, whatever an editor or a spreadsheet put around it."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path


def read_bytes(path: Path) -> bytes:
    """Return what a file holds; DatasetError when it cannot be read, or not be UTF-8."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise DatasetError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DatasetError(f"{path}: is UTF-16; save it as UTF-8")
    return raw


def without_mark(raw: bytes) -> bytes:
    """Return the bytes of a text without the byte order mark that Windows puts before them."""
    return raw.removeprefix(codecs.BOM_UTF8)


def read_text(path: Path, expected: str) -> str:
    """Return the text of a file that must not be empty; DatasetError says what was expected."""
    raw = without_mark(read_bytes(path))
    if not raw.strip():
        raise DatasetError(f"{path}: is empty; expected {expected}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise DatasetError(f"{path}: is not UTF-8 in line {line}; save it as UTF-8") from exc
