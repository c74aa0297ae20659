"""Errors of a file as text: the key as TOML spells it, the value, the next step."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import re
from typing import TYPE_CHECKING, get_args

from pytest_raq.config.base import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pydantic_core import ErrorDetails

_SHOWN = 60
"""Maximum number of characters of a wrong value in a message."""

OWN_KEYS = frozenset({"name", "path", "python_allowed"})
"""Fields of a definition that come from its file and from options, not from its text."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_KINDS = {
    "bool_type": "true or false",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
}
"""The expected kind of value, by pydantic's name of the error."""

_CHOICES = frozenset({"str", "int", "float", "bool"})
"""What pydantic adds to the location of a value that may have several kinds."""

_MOST_SHOWN = 300
"""Characters of names that a message lists."""


def nearest(wrong: str, known: Iterable[str], there_are: str = "there are") -> str:
    """Return the end of a message about a wrong name: the nearest known name, or all names."""
    names = list(known)
    by_folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(wrong.casefold(), by_folded, n=1)
    if near:
        return f"; did you mean {by_folded[near[0]]!r}?"
    shown = ", ".join(name if name.isprintable() else repr(name) for name in names)
    shown = shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN].rpartition(', ')[0]}, …"
    return f"; {there_are} {shown}" if names else ""


def tell_errors(errors: Sequence[ErrorDetails], kind: type[Settings]) -> list[str]:
    """Return one message for each wrong key of a file.

    If several kinds of values are allowed, pydantic reports an error for each
    kind; these become one message.
    """
    told: dict[str, list[ErrorDetails]] = {}
    for error in errors:
        told.setdefault(_spell(_without_choice(error)), []).append(error)
    return [text for same in told.values() for text in _tell_same(same, kind)]


def _tell_same(errors: Sequence[ErrorDetails], kind: type[Settings]) -> list[str]:
    if len(errors) > 1 and all(error["type"] in _KINDS for error in errors):
        kinds = " or ".join(dict.fromkeys(_KINDS[error["type"]] for error in errors))
        given = _show(errors[0]["input"])
        return [f"{_spell(_without_choice(errors[0]))}: should be {kinds} (got {given})"]
    return [tell_error(error, kind) for error in errors]


def _without_choice(error: ErrorDetails) -> tuple[int | str, ...]:
    """Return the location of an error without the allowed kind that pydantic appends."""
    loc = error["loc"]
    if len(loc) > 1 and loc[-1] in _CHOICES and error["type"] in _KINDS:
        return loc[:-1]
    return loc


def tell_error(error: ErrorDetails, kind: type[Settings]) -> str:
    """Return the message for one wrong key of a file."""
    loc = error["loc"]
    where, given = _spell(loc), _show(error["input"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {where}{_place(loc, kind)}"
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] in {"model_type", "model_attributes_type", "dataclass_type"}:
        return f"{where} is a table: write its keys below [{where}] (got {given})"
    if error["type"] in _KINDS:
        return f"{where}: should be {_KINDS[error['type']]} (got {given})"
    message = _plain(error)
    if error["type"] == "value_error":
        return f"{where}: {message}" if where else message
    return f"{where}: {message} (got {given}){_choice(error)}"


def _plain(error: ErrorDetails) -> str:
    """Return pydantic's message with the terms of TOML."""
    if error["type"] == "string_too_short":
        return "should not be empty"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    message = message.replace("Tuple should", "list should")
    return message[0].lower() + message[1:]


def _choice(error: ErrorDetails) -> str:
    """Return a hint which of the allowed texts was meant."""
    if error["type"] != "literal_error" or not isinstance(error["input"], str):
        return ""
    allowed = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
    hint = nearest(error["input"], allowed)
    return hint if "did you mean" in hint else ""


def _spell(loc: Sequence[int | str]) -> str:
    """Return a location as TOML spells it: ``gate.alpha``, ``models[0]``, ``"odd key"``."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = _BARE_KEY.fullmatch(part)
            text += "." * bool(text) + (part if bare else _shorten(json.dumps(part)))
    return text


def _show(value: object) -> str:
    """Return a value as TOML spells it, on one line, shortened."""
    if isinstance(value, dt.date | dt.time):
        return f"the date {value}" if isinstance(value, dt.date) else f"the time {value}"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list" if len(repr(value)) > _SHOWN else f"[{', '.join(map(_show, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return "a number with too many digits"
    return _shorten(repr(value))


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _place(loc: Sequence[int | str], kind: type[Settings]) -> str:
    """Return the table where an unknown key belongs, or the nearest known key."""
    # All items of a list of tables have the same keys.
    word, *tables = str(loc[-1]), *(part for part in loc[:-1] if isinstance(part, str))
    here = next((keys for table, keys in _tables(kind) if table == _spell(tables)), [])
    if near := [key for key in here if key.casefold() == word.casefold()]:
        return f"; did you mean {near[0]!r}?"
    homes = [table for table, keys in _tables(kind) if word in keys]
    if homes:
        return f"; it belongs {_home(homes[0], tables)}"
    return nearest(word, here)


def _home(table: str, tables: Sequence[int | str]) -> str:
    if table:
        return f"below [{table}]"
    return f"above [{_spell(tables[:1])}], at the top of the file"


def _tables(kind: type[Settings], where: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield each possible table of a file with its keys; the file itself is ""."""
    yield where, [key for key in kind.model_fields if where or key not in OWN_KEYS]
    for key, field in kind.model_fields.items():
        for inner in _settings_in(field.annotation):
            yield from _tables(inner, f"{where}.{key}".lstrip("."))


def _settings_in(annotation: object) -> Iterator[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    for argument in get_args(annotation):
        yield from _settings_in(argument)
