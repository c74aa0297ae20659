"""Reads a text as words and values: numbers, amounts, dates, times."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_raq.judging.equivalence.date_reading import (
    DateReader,
    date_in_figures,
    decade,
    time_in_figures,
)
from pytest_raq.judging.equivalence.forms import key, plain
from pytest_raq.judging.equivalence.languages import Language, language, phrases_of
from pytest_raq.judging.equivalence.lexing import Lexeme, cut, prepare
from pytest_raq.judging.equivalence.measure_reading import NAMED_TIMES, may_have_value
from pytest_raq.judging.equivalence.number_words import roman, spelled
from pytest_raq.judging.equivalence.units import SYMBOLS
from pytest_raq.judging.equivalence.values import (
    EITHER,
    ORDINAL,
    Amount,
    Date,
    Number,
    Time,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RANGE = "\N{EN DASH}"
"""The key of what stands between the ends of a range."""

DENIES, OR, AND, TURN, ARTICLE = "denies", "or", "and", "turn", "article"
"""Roles of words. A turn starts a new thought: "but"."""

_ROMAN_ORDINAL = re.compile("([IVX]|[IVXLC]{2,})(?:er|re|ère|e|ème)")
_VALUE_MARKS = frozenset("-+%") | SYMBOLS
_LISTS = frozenset(",;、/|\n")
_ENDS_SENTENCE = frozenset(".!?\n。！？")
_RANGE_STARTS = frozenset(
    "from between von zwischen de del entre desde dal da tra fra с от между od między van tussen"
    " från mellan mellem".split()
)


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
    units: Counter[object]
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
        units=Counter(_units(tokens)),
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
        self._values = DateReader(self._pieces, self._tongue)
        self._tokens: list[Token] = []
        self._gap = ""

    def read(self) -> list[Token]:
        index = 0
        while index < len(self._pieces):
            index = self._take(index)
        self._mark_phrases()
        return _with_ranges(self._tokens)

    def _take(self, index: int) -> int:
        piece = self._pieces[index]
        kind, text = piece.kind, piece.text
        if kind == "date":
            end = index + 1 + self._values.is_year_word(index + 1)
            return self._emit(date_in_figures(text, self._tongue), index, end)
        if kind == "time":
            return self._emit(time_in_figures(text, self._tongue), index, index + 1)
        if kind == "decade":
            return self._emit(decade(text), index, index + 1)
        if self._may_hold_value(kind, text):
            found = self._values.date(index) if kind != "mark" else None
            found = found or self._values.read(index)
            if found is not None:
                return self._emit(found[0], index, found[1])
        return self._plain(index, piece)

    def _may_hold_value(self, kind: str, text: str) -> bool:
        if kind == "word":
            return may_have_value(text, self._code)
        return kind in ("number", "ordinal") or (kind == "mark" and text in _VALUE_MARKS)

    def _plain(self, index: int, piece: Lexeme) -> int:
        """Take a piece that is no part of a longer value."""
        word = key(piece.text)
        if piece.kind == "mark":
            self._mark(index, piece)
        elif piece.kind in ("number", "ordinal"):  # a code, a version
            self._word(word, "", index)
        elif piece.kind == "short":
            self._word(word.replace(".", ""), "", index)
        elif (value := self._value_of_word(piece)) is not None:
            return self._emit(value, index, index + 1)
        elif word in self._tongue.range and self._is_range(index):
            self._word(RANGE, "", index)
        elif not (word in self._tongue.days and self._follows_date()):
            self._word(self._stem(word), self._role(word, index), index)
        return index + 1

    def _mark(self, index: int, piece: Lexeme) -> None:
        if piece.text == "&":
            self._word("and", AND, index)
        elif self._is_range(index):
            self._word(RANGE, "", index)
        else:
            self._gap += piece.text

    def _stem(self, word: str) -> str:
        """Return a word without an article in front, and Greek without accents."""
        code = self._tongue.code
        if code == "ar" and word.startswith("ال") and len(word) > 4:
            return word[2:]
        if code == "he" and word.startswith("ה") and len(word) > 3:
            return word[1:]
        return plain(word) if code == "el" else word

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
            years = self._tongue.decades.words[word]
            return Amount(years, (("short decade", years),))
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
        if after.kind in ("number", "date", "time", "ordinal") or after.text in SYMBOLS:
            return True
        return after.kind == "word" and spelled([after.text], self._tongue) is not None

    def _word(self, word: str, role: str, index: int) -> None:
        piece = self._pieces[index]
        self._tokens.append(Token(word, None, role, self._gap, piece.start, piece.end))
        self._gap = ""

    def _follows_date(self) -> bool:
        return bool(self._tokens) and isinstance(self._tokens[-1].value, Date)

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

    def _mark_phrases(self) -> None:
        """Give no role to negations that deny nothing, and one to phrases that deny."""
        keys = [token.key for token in self._tokens]
        known = phrases_of(self._code)
        for start, word in enumerate(keys):
            for phrase, denies in known.get(word, ()):
                if tuple(keys[start : start + len(phrase)]) == phrase:
                    for token in self._tokens[start : start + len(phrase)]:
                        token.role = DENIES if denies else ""


def _units(tokens: Sequence[Token]) -> Iterator[object]:
    """Yield what F1 counts: words, the signs of scripts without spaces, parts of values."""
    for token in tokens:
        value = token.value
        if value is None:
            word = plain(token.key)
            yield from word if "가" <= word[:1] <= "힣" else (word,)
        elif isinstance(value, Date):
            parts = {"number": value.year, "month": value.month, "day": value.day}
            yield from ((name, float(part)) for name, part in parts.items() if part is not None)
        elif isinstance(value, Number):
            yield "number", value.value
        elif isinstance(value, Amount):
            yield value.options[0]
        else:
            yield "time", value.minutes


def _with_ranges(tokens: list[Token]) -> list[Token]:
    """Return tokens with one form of ranges: from 3 to 5, between 3 and 5, 3–5."""
    kept: list[Token] = []
    for token in tokens:
        kept.append(token)
        if token.value is None or len(kept) < 4:
            continue
        start, low, link = kept[-4:-1]
        if start.key not in _RANGE_STARTS or low.value is None or token.gap.strip():
            continue
        if link.key == RANGE or link.role == AND:
            link.key, link.role, low.gap = RANGE, "", start.gap
            del kept[-4]
    return kept
