"""Reads dates and times, in figures and with the names of months."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_raq.judging.equivalence.forms import key
from pytest_raq.judging.equivalence.measure_reading import MeasureReader
from pytest_raq.judging.equivalence.values import ORDINAL, Amount, Date, Number, Time, Value

if TYPE_CHECKING:
    from pytest_raq.judging.equivalence.languages import Language

LAST_DAY, LAST_HOUR, LAST_MINUTE = 31, 24, 59

_DIGITS = re.compile(r"\d+")
_LINKS = frozenset("of de del di d' der den the th".split())
_YEAR_WORDS = frozenset("года году год г року рік р годе r roku".split())
_LATER = ("p", "下午", "晚上", "午後")
_EARLIER = ("a", "上午", "早上", "凌晨", "午前")


class DateReader(MeasureReader):
    """Finds dates, numbers and amounts in the pieces of a text."""

    def date(self, place: int) -> tuple[Value, int] | None:
        """Return the date with the name of its month that starts at a place, and its end."""
        month = self._month(place)
        if month is not None:
            return self._month_first(place, month)
        day = self._day(place)
        after = self._skip(day[1], ".") if day else place
        month = self._month(after) if day else None
        if day is None or month is None:
            return self._year_first(place)
        year, end = self._year(self._skip(after + 1, ".,"))
        return Date(year, month, day[0]), end or after + 1

    def _month_first(self, place: int, month: int) -> tuple[Value, int] | None:
        after = self._skip(place + 1, ".,")
        year, end = self._year(after)
        if year is not None:
            return Date(year, month), end
        day = self._day(after)
        if day is None or self._texts[place + 1] == "," or self._kinds[after] == "word":
            return None
        year, end = self._year(self._skip(day[1], ".,"))
        return Date(year, month, day[0]), end or day[1]

    def _year_first(self, place: int) -> tuple[Value, int] | None:
        year, end = self._year(place)
        after = end + (self._texts[end] == ".")
        month = self._month(after) if year is not None else None
        if month is None:
            return None
        day = self._day(after + 1)
        if day is None or self._kinds[after + 1] == "word":
            return Date(year, month), after + 1
        return Date(year, month, day[0]), day[1]

    def _skip(self, place: int, marks: str) -> int:
        """Return the place after marks and words like "of"."""
        while True:
            kind, text = self._kinds[place], self._texts[place]
            is_word = kind in ("word", "elided") and key(text) in _LINKS
            if not (is_word or (kind == "mark" and text in marks)):
                return place
            place += 1

    def _month(self, place: int) -> int | None:
        if self._kinds[place] != "word":
            return None
        text = self._texts[place]
        found = self._tongue.months.find(text)
        if found is None and self._tongue.code == "he":
            found = self._tongue.months.find(text.removeprefix("ב"))
        return None if found is None else int(found)

    def _day(self, place: int) -> tuple[int, int] | None:
        """Return the number of a day, and where it ends."""
        kind, text = self._kinds[place], self._texts[place]
        if kind == "ordinal" or (kind == "number" and text.isdigit()):
            digits = _DIGITS.search(text)
            if digits and 1 <= int(digits[0]) <= LAST_DAY:
                return int(digits[0]), place + 1
        elif kind == "word" and (found := self.spelled(place)) is not None:
            number, end = found
            if number.kind == ORDINAL and 1 <= number.value <= LAST_DAY:
                return int(number.value), end
        return None

    def _year(self, place: int) -> tuple[int | None, int]:
        """Return a year, and where it ends; None if there is none."""
        text = self._texts[place]
        if self._kinds[place] != "number" or not text.isdigit() or len(text) != 4:
            return None, 0
        return int(text), place + 1 + self.is_year_word(place + 1)

    def is_year_word(self, place: int) -> bool:
        """Whether a word is what some languages write after a year."""
        return key(self._texts[place]) in _YEAR_WORDS


def date_in_figures(text: str, tongue: Language) -> Value:
    """Return the date that a text in figures is; a year alone is a number."""
    first, *others = [int(digits) for digits in _DIGITS.findall(text)]
    if not others:
        return Number(first)
    if first > LAST_DAY:
        return Date(first, others[0], others[1] if len(others) > 1 else None)
    if "月" in text or "월" in text:
        return Date(None, first, others[0])
    if len(others) == 1:
        return Date(others[0], first)
    return _day_and_month(text, first, *others, american=tongue.code in ("en", "") and "/" in text)


def _day_and_month(text: str, first: int, second: int, year: int, *, american: bool) -> Date:
    """Return a date in figures; day and month may be meant the other way round."""
    if second > 12:
        return Date(year, first, second)
    if first > 12 or "." in text or first == second:
        return Date(year, second, first)
    day, month = (second, first) if american else (first, second)
    return Date(year, month, day, swappable=True)


def time_in_figures(text: str, tongue: Language) -> Value | None:
    """Return the time of day that a text is; None if there is no such time."""
    hour, *others = [int(digits) for digits in _DIGITS.findall(text)]
    minute = others[0] if others else 30 if "半" in text else 0
    if hour > LAST_HOUR or minute > LAST_MINUTE:
        return None
    tail = text.lower()
    later = any(mark in tail for mark in _LATER)
    earlier = not later and any(mark in tail for mark in _EARLIER)
    if later and hour < 12:
        hour += 12
    if earlier and hour == 12:
        hour = 0
    half = tongue.code in ("en", "") and not (later or earlier) and 1 <= hour <= 12
    return Time(hour * 60 + minute, half and not text.startswith("0"))


def decade(text: str) -> Value:
    """Return the decade that a text like ``1960s`` or ``60s`` is; the second may be seconds."""
    digits = _DIGITS.findall(text)[0]
    number = float(digits)
    if len(digits) == 4:
        return Amount(number, (("decade", number), ("short decade", number % 100)))
    return Amount(number, (("short decade", number), ("time", number)))
