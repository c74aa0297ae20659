"""Reads a text as words and values: numbers, amounts, dates, times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pytest_raq.judging.equivalence.forms import key, plain
from pytest_raq.judging.equivalence.languages import Language, language
from pytest_raq.judging.equivalence.lexing import Lexeme, cut, prepare
from pytest_raq.judging.equivalence.measure_reading import (
    NAMED_TIMES,
    MeasureReader,
    may_have_value,
)
from pytest_raq.judging.equivalence.number_words import roman, spelled
from pytest_raq.judging.equivalence.values import (
    EITHER,
    ORDINAL,
    Amount,
    Date,
    Number,
    Time,
    Value,
)

RANGE = "\N{EN DASH}"
"""The key of what stands between the ends of a range."""

DENIES, OR, AND, TURN, ARTICLE = "denies", "or", "and", "turn", "article"
"""Roles of words. A turn starts a new thought: "but"."""

_ROMAN_ORDINAL = re.compile("([IVX]|[IVXLC]{2,})(?:er|re|ère|e|ème)")
_DIGITS = re.compile(r"\d+")
_LISTS = frozenset(",;、/|\n")
_ENDS_SENTENCE = frozenset(".!?\n。！？")
_AFTER_DAY = frozenset("of de del di d' der den the th".split())
_YEAR_WORDS = frozenset("года году год г року рік р годе".split())
_LATER = ("p", "下午", "晚上", "午後")
_EARLIER = ("a", "上午", "早上", "凌晨", "午前")


@dataclass(slots=True)
class Token:
    """A word or a value, with its role, what stands before it, and its place in the text."""

    key: str
    value: Value | None
    role: str
    gap: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as it was read: ``tokens`` without articles, unless nothing else is there.

    ``plain`` are its words without accents, and ``is_list`` says whether anything
    separates items.
    """

    text: str
    tokens: tuple[Token, ...]
    tongue: Language
    plain: str
    is_list: bool


@lru_cache(maxsize=8192)
def read(text: str, code: str) -> Reading:
    """Return the reading of a text in a language."""
    prepared = prepare(text)
    tokens = tuple(_without_articles(_Reader(prepared, code).read()))
    return Reading(
        text=prepared,
        tokens=tokens,
        tongue=language(code),
        plain=" ".join(plain(token.key) for token in tokens),
        is_list=any(token.role in (OR, AND) or _LISTS & set(token.gap) for token in tokens),
    )


def _without_articles(tokens: list[Token]) -> list[Token]:
    kept: list[Token] = []
    gap = ""
    for index, token in enumerate(tokens):
        if token.role == ARTICLE and index + 1 < len(tokens):
            gap += token.gap
        else:
            if gap:
                token.gap = gap + token.gap
                gap = ""
            kept.append(token)
    return kept


class _Reader:
    """Reads lexemes from left to right; each method tries one kind of value."""

    def __init__(self, text: str, code: str) -> None:
        self._code, self._tongue = code, language(code)
        self._pieces = list(cut(text))
        self._numbers = MeasureReader(self._pieces, self._tongue)
        self._tokens: list[Token] = []
        self._gap = ""

    def read(self) -> list[Token]:
        index = 0
        while index < len(self._pieces):
            index = self._take(index)
        self._mark_phrases()
        return self._tokens

    def _take(self, index: int) -> int:
        piece = self._pieces[index]
        kind = piece.kind
        if kind == "date":
            return self._emit(_date(piece.text, self._tongue), index, index + 1)
        if kind == "time":
            return self._emit(_time(piece.text, self._tongue), index, index + 1)
        if kind == "decade":
            return self._emit(_decade(piece.text), index, index + 1)
        if kind == "word" and not may_have_value(piece.text, self._code):
            return self._plain(index, piece)
        if kind in ("number", "ordinal", "mark", "word"):
            found = self._worded_date(index) if kind != "mark" else None
            found = found or self._numbers.read(index)
            if found is not None:
                return self._emit(found[0], index, found[1])
        return self._plain(index, piece)

    def _plain(self, index: int, piece: Lexeme) -> int:
        if piece.kind == "mark":
            if piece.text == "&":
                self._word("and", AND, index)
            elif self._is_range(index):
                self._word(RANGE, "", index)
            else:
                self._gap += piece.text
            return index + 1
        if piece.kind == "ordinal":
            return self._ordinal(index, piece)
        word = key(piece.text)
        if piece.kind == "number":
            self._word(word, "", index)
        elif piece.kind == "short":
            self._word(word.replace(".", ""), "", index)
        elif (value := self._value_of_word(piece)) is not None:
            return self._emit(value, index, index + 1)
        elif word in self._tongue.range and self._is_range(index):
            self._word(RANGE, "", index)
        else:
            self._word(self._stem(word), self._role(word, index), index)
        return index + 1

    def _stem(self, word: str) -> str:
        """Return a word without the article that Arabic writes in front of it."""
        if self._tongue.code == "ar" and word.startswith("ال") and len(word) > 4:
            return word[2:]
        return word

    def _ordinal(self, index: int, piece: Lexeme) -> int:
        self._word(key(piece.text), "", index)
        return index + 1

    def _value_of_word(self, piece: Lexeme) -> Value | None:
        if piece.kind != "word" or not may_have_value(piece.text, self._code):
            return None
        if (number := roman(piece.text)) is not None:
            return Number(number, EITHER)
        ordinal = _ROMAN_ORDINAL.fullmatch(piece.text)
        if ordinal and (number := roman(ordinal[1], shortest=1)) is not None:
            return Number(number, ORDINAL)
        word = key(piece.text)
        if word in NAMED_TIMES:
            return Time(NAMED_TIMES[word])
        if word in self._tongue.decades.words:
            return Amount(
                self._tongue.decades.words[word],
                (("short decade", self._tongue.decades.words[word]),),
            )
        return None

    def _role(self, word: str, index: int) -> str:
        tongue = self._tongue
        if word in tongue.articles:
            return ARTICLE if self._is_article(index) else ""
        if word in tongue.nots or word.endswith("n't"):
            return DENIES
        if word in tongue.ors:
            return OR
        if word in tongue.contrast:
            return TURN
        return AND if word in tongue.ands else ""

    def _is_article(self, index: int) -> bool:
        """Whether "A" is no name: "Vitamin A", "Grade A"."""
        text = self._pieces[index].text
        if len(text) > 1 or text.islower():
            return True
        return not self._tokens or bool(set(self._gap) & _ENDS_SENTENCE)

    def _is_range(self, index: int) -> bool:
        """Whether a dash or a word like "to" stands between two values."""
        piece = self._pieces[index]
        if piece.kind == "mark" and piece.text not in ("-", RANGE, "~"):
            return False
        if not self._tokens or self._tokens[-1].value is None or self._gap:
            return False
        after = self._pieces[index + 1] if index + 1 < len(self._pieces) else None
        if after is None:
            return False
        return after.kind in ("number", "date", "time", "ordinal") or (
            after.kind == "word" and spelled([after.text], self._tongue) is not None
        )

    def _word(self, word: str, role: str, index: int) -> None:
        piece = self._pieces[index]
        self._tokens.append(Token(word, None, role, self._gap, piece.start, piece.end))
        self._gap = ""

    def _emit(self, value: Value | None, index: int, end: int) -> int:
        piece = self._pieces[index]
        if value is None:
            self._word(key(piece.text), "", index)
            return index + 1
        if isinstance(value, Date) and self._tokens and self._gap.strip(",.") == "":
            last = self._tokens[-1]
            if last.key in self._tongue.days:
                self._gap = last.gap
                self._tokens.pop()
        stop = self._pieces[end - 1].end
        self._tokens.append(Token("", value, "", self._gap, piece.start, stop))
        self._gap = ""
        return end

    def _worded_date(self, index: int) -> tuple[Value, int] | None:
        """Read a date with the name of its month."""
        piece = self._pieces[index]
        if piece.kind == "word":
            month = self._month(index)
            if month is not None:
                return self._month_first(index, month)
        day = self._day(index)
        if day is None:
            return self._year_first(index)
        number, place = day
        place = self._skip(place, _AFTER_DAY, ".")
        month = self._month(place)
        if month is None:
            return self._year_first(index)
        year, end = self._year(self._skip(place + 1, _AFTER_DAY, ".,"))
        return Date(year, month, number), end or place + 1

    def _month_first(self, index: int, month: int) -> tuple[Value, int] | None:
        place = self._skip(index + 1, _AFTER_DAY, ".,")
        year, end = self._year(place)
        if year is not None:
            return Date(year, month), end
        if index + 1 < len(self._pieces) and self._pieces[index + 1].text == ",":
            return None
        day = self._day(place)
        if day is None or self._pieces[place].kind == "word":
            return None
        year, end = self._year(self._skip(day[1], _AFTER_DAY, ".,"))
        return Date(year, month, day[0]), end or day[1]

    def _year_first(self, index: int) -> tuple[Value, int] | None:
        year, end = self._year(index)
        if year is None:
            return None
        place = self._skip(end, frozenset(), ".")
        month = self._month(place)
        if month is None:
            return None
        day = self._day(place + 1)
        if day is None or (
            place + 1 < len(self._pieces) and self._pieces[place + 1].kind == "word"
        ):
            return Date(year, month), place + 1
        return Date(year, month, day[0]), day[1]

    def _skip(self, place: int, words: frozenset[str], marks: str) -> int:
        while place < len(self._pieces):
            piece = self._pieces[place]
            is_mark = piece.kind == "mark" and piece.text in marks
            is_word = piece.kind in ("word", "elided") and key(piece.text) in words
            if not (is_mark or is_word):
                break
            place += 1
        return place

    def _month(self, place: int) -> int | None:
        if place >= len(self._pieces) or self._pieces[place].kind != "word":
            return None
        found = self._tongue.months.find(self._pieces[place].text)
        return None if found is None else int(found)

    def _day(self, place: int) -> tuple[int, int] | None:
        """Return the number of a day and what follows it."""
        if place >= len(self._pieces):
            return None
        piece = self._pieces[place]
        if piece.kind in ("number", "ordinal"):
            digits = _DIGITS.match(piece.text)
            whole = piece.kind == "ordinal" or piece.text.isdigit()
            if digits and whole and 1 <= int(digits[0]) <= 31:
                return int(digits[0]), place + 1
        if piece.kind == "word" and (found := self._numbers.spelled(place)) is not None:
            number, end = found
            if number.kind == ORDINAL and 1 <= number.value <= 31:
                return int(number.value), end
        return None

    def _year(self, place: int) -> tuple[int | None, int]:
        """Return a year and what follows it; None if there is none."""
        if place < len(self._pieces):
            piece = self._pieces[place]
            if piece.kind == "number" and piece.text.isdigit() and len(piece.text) == 4:
                end = place + 1
                if end < len(self._pieces) and key(self._pieces[end].text) in _YEAR_WORDS:
                    end += 1
                return int(piece.text), end
        return None, 0

    def _mark_phrases(self) -> None:
        """Give no role to negations that deny nothing, and one to phrases that deny."""
        keys: list[str] | None = None
        tongue = self._tongue
        for phrases, role in ((tongue.neutral, ""), (tongue.against, DENIES)):
            for phrase in phrases:
                keys = keys or [token.key for token in self._tokens]
                if phrase[0] not in keys:
                    continue
                for start in range(len(keys) - len(phrase) + 1):
                    if tuple(keys[start : start + len(phrase)]) == phrase:
                        for token in self._tokens[start : start + len(phrase)]:
                            token.role = role


def _date(text: str, tongue: Language) -> Value:
    first, *others = [int(digits) for digits in _DIGITS.findall(text)]
    if not others:
        return Number(first)
    if first > 31:
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


def _time(text: str, tongue: Language) -> Value | None:
    numbers = [int(digits) for digits in _DIGITS.findall(text)]
    hour, minute = numbers[0], numbers[1] if len(numbers) > 1 else 30 if "半" in text else 0
    if hour > 24 or minute > 59:
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


def _decade(text: str) -> Value:
    digits = _DIGITS.findall(text)[0]
    number = float(digits)
    if len(digits) == 4:
        return Amount(number, (("decade", number), ("short decade", number % 100)))
    return Amount(number, (("short decade", number), ("time", number)))
