"""Numbers, amounts, dates and times as values, and whether two of them are the same."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

CARDINAL, ORDINAL, EITHER = 0, 1, 2
"""Kinds of numbers: how many, which one, or a form that may be both (``XIV``, ``3.``)."""

HALF_DAY = 12 * 60


class Match(IntEnum):
    """How a value of an answer stands to one of a reference, worst first.

    ``LESS`` is a part of it (a year of a date, a number without its unit),
    ``CLOSE`` the same if it is read in another way, ``MORE`` the same with
    something added, e.g. a unit.
    """

    OTHER = 0
    LESS = 1
    CLOSE = 2
    MORE = 3
    SAME = 4


class Number(NamedTuple):
    """A number; ``other`` is its value with the other meaning of point and comma."""

    value: float
    kind: int = CARDINAL
    other: float | None = None


class Amount(NamedTuple):
    """A number of something; ``options`` are dimensions with sizes in their base unit.

    There are several where a name has several meanings, e.g. ``pounds``.
    """

    number: float
    options: tuple[tuple[str, float], ...]
    other: float | None = None


class Date(NamedTuple):
    """A date or a part of one; ``swappable`` if day and month may be meant the other way."""

    year: int | None
    month: int | None
    day: int | None = None
    swappable: bool = False


class Time(NamedTuple):
    """A time of day in minutes; ``half`` says that morning and evening are not told apart."""

    minutes: int
    half: bool = False


Value = Number | Amount | Date | Time


def same(one: float, other: float) -> bool:
    """Whether two numbers are equal but for rounding in the last digits."""
    return one == other or abs(one - other) <= 1e-9 * max(abs(one), abs(other))


def compare(expected: Value, given: Value) -> Match:
    """Return how a value of an answer stands to a value of a reference."""
    if isinstance(expected, Number):
        return _to_number(expected, given)
    if isinstance(expected, Amount):
        return _to_amount(expected, given)
    if isinstance(expected, Date):
        return _to_date(expected, given)
    return _to_time(expected, given)


def _to_number(expected: Number, given: Value) -> Match:
    if isinstance(given, Number):
        if same(expected.value, given.value):
            alike = given.kind == expected.kind or EITHER in (given.kind, expected.kind)
            return Match.SAME if alike else Match.CLOSE
        return _otherwise(expected.value, given.other)
    if isinstance(given, Amount):
        if _is_percent(given):
            percent = same(expected.value, given.number / 100)
            return Match.SAME if percent else Match.OTHER
        counts = expected.kind != ORDINAL and same(expected.value, given.number)
        return Match.MORE if counts else Match.OTHER
    if isinstance(given, Date):
        return Match.MORE if given.year == expected.value else Match.OTHER
    return Match.OTHER


def _otherwise(expected: float, other: float | None) -> Match:
    return Match.CLOSE if other is not None and same(expected, other) else Match.OTHER


def _is_percent(amount: Amount) -> bool:
    return amount.options[0][0] == "percent"


def _to_amount(expected: Amount, given: Value) -> Match:
    if isinstance(given, Number):
        if _is_percent(expected) and same(expected.number / 100, given.value):
            return Match.SAME
        counts = given.kind != ORDINAL and same(expected.number, given.value)
        return Match.LESS if counts else Match.OTHER
    if isinstance(given, Time):  # 1h30
        return _same_time(expected, given)
    return _amounts(expected, given) if isinstance(given, Amount) else Match.OTHER


def _same_time(amount: Amount, time: Time) -> Match:
    seconds = dict(amount.options).get("time")
    return Match.SAME if seconds == time.minutes * 60 else Match.OTHER


def _amounts(expected: Amount, given: Amount) -> Match:
    sizes = dict(given.options)
    for dimension, size in expected.options:
        if dimension in sizes:
            if same(size, sizes[dimension]):
                return Match.SAME
            unit = sizes[dimension] / given.number if given.number else 0
            return _otherwise(size, None if given.other is None else given.other * unit)
    return Match.OTHER


def _to_date(expected: Date, given: Value) -> Match:
    if isinstance(given, Number):
        return Match.LESS if given.value == expected.year else Match.OTHER
    if not isinstance(given, Date):
        return Match.OTHER
    found = _dates(expected, given)
    if found is Match.OTHER and given.swappable != expected.swappable:
        swapped = given if given.swappable else expected
        other = Date(swapped.year, swapped.day, swapped.month)
        return _dates(expected, other) if given.swappable else _dates(other, given)
    return found


def _dates(expected: Date, given: Date) -> Match:
    more = less = False
    for name in ("year", "month", "day"):
        one, other = getattr(expected, name), getattr(given, name)
        if one is not None and other is not None:
            if one != other:
                return Match.OTHER
        elif one is not None:
            less = True
        elif other is not None:
            more = True
    if less:
        return Match.OTHER if more else Match.LESS
    return Match.MORE if more else Match.SAME


def _to_time(expected: Time, given: Value) -> Match:
    if isinstance(given, Amount):
        return _same_time(given, expected)
    if isinstance(given, Number):  # 18.30
        hours, minutes = divmod(expected.minutes, 60)
        return Match.CLOSE if same(given.value, hours + minutes / 100) else Match.OTHER
    if not isinstance(given, Time):
        return Match.OTHER
    if expected.minutes == given.minutes:
        return Match.SAME
    apart = abs(expected.minutes - given.minutes) == HALF_DAY
    return Match.CLOSE if apart and (expected.half or given.half) else Match.OTHER
