"""The values that a cell may have, and the messages about wrong values."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from pytest_raq.datasets.python_text import python_value
from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 40
"""Maximum number of characters of a wrong value in a message."""
_YES = ("true", "yes", "1")
_NO = ("false", "no", "0")
_EXACT = 2**53
"""From here on, not every whole number is a float."""
_LIST = 'a JSON list of texts, as in ["a", "b"]'


def tell(value: object) -> str:
    """Describe a value for a message."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"the text {value[:_SHOWN]!r}" if value.strip() else "an empty text"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "an object"
    try:
        return json.dumps(value)[:_SHOWN]
    except TypeError:
        return f"{value!r:.{_SHOWN}}"


def wrong(where: str, expected: str, value: object) -> DatasetError:
    """Return the error for an unexpected value."""
    return DatasetError(f"{where}: expected {expected}, found {tell(value)}")


def is_half(text: str) -> bool:
    """Whether a text has half of a surrogate pair, which UTF-8 cannot encode."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def as_text(where: str, value: object, *, expected: str = "a text that is not empty") -> str:
    """Return a text that is not empty; otherwise raise DatasetError."""
    if not isinstance(value, str) or not value.strip():
        raise wrong(where, expected, value)
    if is_half(value):
        raise DatasetError(f"{where}: expected Unicode text, found half of a surrogate pair")
    return value


def as_label(where: str, value: object) -> str:
    """Return a name as text; a number is allowed, and a missing value is an empty name."""
    if value is None or value == "":
        return ""
    if isinstance(value, float) and value.is_integer():
        return whole_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return as_text(where, value, expected="a text or a whole number")


def as_optional_text(where: str, value: object) -> str:
    """Return a text; empty if there is none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return ""
    return as_text(where, value, expected="a text, or nothing")


def as_truth(where: str, value: object) -> bool | None:
    """Return a truth value; None if the cell is empty."""
    if value is None or isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else "?"
    if word in _YES:
        return True
    if word in _NO:
        return False
    if not word:
        return None
    raise wrong(where, "true or false", value)


def as_references(where: str, value: object, separator: str | None) -> tuple[str, ...]:
    """Return distinct references that are not empty.

    A value is one text, a list of texts, SQuAD's ``{text: [...]}`` or a list
    of ``{text: ...}``. A text may contain a JSON list, or several references
    with ``separator`` between them.
    """
    return tuple(dict.fromkeys(text for text in _texts(where, value, separator) if text.strip()))


def _texts(where: str, value: object, separator: str | None) -> Iterable[str]:
    if isinstance(value, dict):
        value = value.get("text", value)
    if value is None:
        return ()
    if isinstance(value, str):
        return _split(where, value, separator)
    return (_reference(where, item) for item in (value if isinstance(value, list) else [value]))


def _reference(where: str, value: object) -> str:
    if isinstance(value, dict):
        value = value.get("text", value)
    if isinstance(value, str):
        if is_half(value):
            raise DatasetError(f"{where}: expected Unicode text, found half of a surrogate pair")
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return whole_text(value)
    raise wrong(where, "a text or a list of texts", value)


def whole_text(value: float) -> str:
    """Return a number as text; a whole one without ``.0``.

    A column of whole numbers with gaps is one of floats to pandas.
    """
    return str(int(value)) if abs(value) < _EXACT and value == int(value) else str(value)


def _split(where: str, text: str, separator: str | None) -> Iterable[str]:
    """Return the references of one text.

    A text in brackets that is neither JSON nor Python was written by a program in
    another format: it must not become a single reference that no answer can match.
    """
    bare = text.strip()
    if bare[:1] + bare[-1:] in ("[]", "{}"):
        try:
            found = json.loads(bare)
        except (ValueError, RecursionError):
            found = _python_value(where, text, bare)
        return _texts(where, found, None)
    _reference(where, text)
    return [part.strip() for part in text.split(separator)] if separator else (text,)


def _python_value(where: str, text: str, bare: str) -> object:
    """Return the value that pandas wrote as a Python text; nothing in it is run."""
    try:
        return python_value(bare)
    except ValueError as exc:
        raise wrong(where, _LIST, text) from exc
