"""Reads amounts: numbers with units, currencies and percent signs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_raq.judging.equivalence.forms import key, plain
from pytest_raq.judging.equivalence.languages import language
from pytest_raq.judging.equivalence.number_reading import SHORT_SCALES, NumberReader, parse_number
from pytest_raq.judging.equivalence.number_words import compound
from pytest_raq.judging.equivalence.particles import without_particle
from pytest_raq.judging.equivalence.units import RISKY, SYMBOLS, Unit, find_units
from pytest_raq.judging.equivalence.values import CARDINAL, EITHER, Amount, Number, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.judging.equivalence.languages import Language
    from pytest_raq.judging.equivalence.lexing import Lexeme

NAMED_TIMES = {"noon": 720, "midday": 720, "midnight": 0, "mittag": 720, "mitternacht": 0,
               "midi": 720, "minuit": 0, "mediodía": 720, "medianoche": 0, "mezzogiorno": 720,
               "mezzanotte": 0, "полдень": 720, "полночь": 0}  # fmt: skip
"""Times of day that have a name, in minutes."""

PIECES = 8
"""Maximum pieces of the name of a unit."""

_CODES = frozenset(
    "usd eur gbp jpy cny rmb inr rs chf rp brl pln czk sek nok dkk huf try tl krw rub uah aud cad"
    " mxn idr thb vnd zar".split()
)
_BEFORE_DOLLAR = {"us": "usd", "r": "brl", "a": "usd", "au": "usd", "c": "usd", "ca": "usd",
                  "nz": "usd", "hk": "usd", "s": "usd", "u.s.": "usd", "mx": "mxn"}  # fmt: skip
_LINKS = frozenset("of de d' di del".split())
_PER = frozenset("per pro par por a à al l' all' en na za i в на за kwa setiap mỗi".split())
_BEFORE_TIME = frozenset(("l'", "la", "the"))
_PERCENT_WORDS = frozenset(("yüzde",))
_YEAR_LANGUAGES = frozenset("ru uk bg ko ja zh".split())
_SHORT_WORD_LANGUAGES = frozenset("fr it cs nl de".split())
_CAPITAL_UNITS = frozenset("WVJKNACHLF")
_SMALL_UNITS = frozenset("mgltshdkvwbj")
_UNIT_MARKS = frozenset("/°%^.-¢") | SYMBOLS
_CLASSIFIERS = frozenset("个個")
_ORDINAL_DEGREES = frozenset(("it", "es", "pt"))
_BEFORE_CHRIST = frozenset(("bc", "bce", "b.c.", "b.c.e."))
_AFTER_CHRIST = frozenset(("ad", "ce", "a.d.", "c.e."))
_FOOT, _INCH = 0.3048, 0.0254
_BELOW_ZERO = frozenset(
    {
        ("below", "zero"),
        ("bajo", "cero"),
        ("unter", "null"),
        ("sotto", "zero"),
        ("ниже", "нуля"),
        ("onder", "nul"),
        ("under", "noll"),
        ("abaixo", "de", "zero"),
        ("sous", "zéro"),
        ("poniżej", "zera"),
        ("pod", "nulou"),
    }
)
_JOINING_MARKS = frozenset(".-")


@lru_cache(maxsize=1 << 16)
def may_have_value(word: str, code: str) -> bool:
    """Whether a word can be part of a number, an amount or a date in a language."""
    tongue, form = language(code), key(word)
    if form in tongue.minus or form in _CODES or form in _BEFORE_DOLLAR or form in _PERCENT_WORDS:
        return True
    if form in tongue.fractions.words or form in tongue.decades.words or word[:1] in "IVXLCDM":
        return True
    tables = (tongue.numbers, tongue.scales, tongue.ordinals, tongue.months)
    if any(table.find(word) is not None for table in tables) or form in NAMED_TIMES:
        return True
    return len(word) > 5 and compound(form, tongue) is not None


class MeasureReader(NumberReader):
    """Finds numbers and amounts in the pieces of a text."""

    def __init__(self, pieces: Sequence[Lexeme], tongue: Language) -> None:
        super().__init__(pieces, tongue)

    def read(self, index: int) -> tuple[Value, int] | None:
        """Return the value that starts at a place, and where it ends."""
        found = self._read(index)
        if found is None:
            return None
        value, end = found
        for size in (2, 3):
            words = tuple(key(self._texts[place]) for place in range(end, end + size))
            if words in _BELOW_ZERO:
                return _opposite(value), end + size
        return found

    def _read(self, index: int) -> tuple[Value, int] | None:
        sign, place = self.sign(index)
        currency, place = self._currency(place)
        if currency and sign == 1:
            sign, place = self.sign(place)
        percent, place = self._percent(place)
        found = self.number(place)
        if found is None:
            return None
        number, end = found
        if currency == "$" and self._texts[end] == "$":
            return number, end + 1  # a formula: $42$
        if number.kind != CARDINAL:
            return found if place == index else None
        other = None if number.other is None else sign * number.other
        number = Number(sign * number.value, CARDINAL, other)
        if percent:
            return Amount(number.value, (("percent", number.value),)), end
        return self._priced(number, end, currency) if currency else self._measured(number, end)

    def _currency(self, place: int) -> tuple[str, int]:
        """Return the name of a currency before a number, and where the number starts."""
        text, kind = self._texts[place], self._kinds[place]
        if kind == "mark" and text in SYMBOLS and self._kinds[place + 1]:
            return text, place + 1
        if kind not in ("word", "short"):
            return "", place
        word = key(text)
        if self._texts[place + 1] == "$" and word in _BEFORE_DOLLAR and self.touches(place):
            return _BEFORE_DOLLAR[word], place + 2
        after = place + (2 if self._texts[place + 1] == "." else 1)
        if word in _CODES and self._kinds[after] == "number":
            return word, after
        return "", place

    def _percent(self, place: int) -> tuple[bool, int]:
        """Return whether a percent sign or word stands before a number."""
        if self._texts[place] == "%" and self._kinds[place + 1] == "number" and self.touches(place):
            return (True, place + 1) if self._kinds[place - 1] != "number" else (False, place)
        is_word = self._kinds[place] == "word" and key(self._texts[place]) in _PERCENT_WORDS
        return is_word, place + is_word

    def _priced(self, number: Number, end: int, currency: str) -> tuple[Value, int]:
        """Return an amount of money whose currency stands before it."""
        scale = SHORT_SCALES.get(self._texts[end], 1.0)
        end += self._texts[end] in SHORT_SCALES
        units = find_units(currency)
        number = Number(number.value * scale, CARDINAL, number.other)
        found = self._unit(end)
        if found is not None and {unit[0] for unit in found[0]} & {unit[0] for unit in units}:
            end = found[1]  # "US$5 dollars"
        return _amount(number, units), end

    def _measured(self, number: Number, end: int) -> tuple[Value, int]:
        """Return a number with its unit, if it has one."""
        if self._texts[end] == "'" and self.touches(end - 1) and self._texts[end + 2] == '"':
            return self._feet_and_inches(number, end)
        era = key(self._texts[end])
        if era in _BEFORE_CHRIST or era in _AFTER_CHRIST:
            return (number if era in _AFTER_CHRIST else Number(-number.value)), end + 1
        link = number.value < 1 and key(self._texts[end]) in self._tongue.articles
        found = self._unit(end + link)  # "half a mile"
        if found is None:
            return number, end
        units, after = found
        degrees = self._texts[after - 1] == "°" and self._tongue.code in _ORDINAL_DEGREES
        if degrees and 0 < number.value <= 100:
            return Number(number.value, EITHER), after
        calendar = units[0] == ("months", 12.0) and self._tongue.code in _YEAR_LANGUAGES
        if calendar and 1000 <= number.value < 2200:
            return Number(number.value), after
        return self._longer(_amount(number, units), units, after)

    def _feet_and_inches(self, number: Number, end: int) -> tuple[Value, int]:
        """Read 6'2"."""
        inches = parse_number(self._texts[end + 1], comma=False)
        total = number.value * _FOOT + (inches[0] if inches else 0) * _INCH
        return Amount(total / _FOOT, (("length", total),)), end + 3

    def _longer(self, amount: Amount, units: tuple[Unit, ...], end: int) -> tuple[Amount, int]:
        """Add what follows in smaller units: 5 ft 10 in, 1 h 30 min."""
        dimension, first = units[0]
        last = first
        while True:
            number = self.number(end + (self._texts[end] in self._tongue.ands))
            if number is None or number[0].kind != CARDINAL:
                return amount, end
            found = self._unit(number[1])
            sizes = [size for name, size in (found or ((), 0))[0] if name == dimension]
            if found is None or not sizes or sizes[0] >= last:
                return amount, end
            total = dict(amount.options)[dimension] + number[0].value * sizes[0]
            amount = Amount(total / first, ((dimension, total),))
            last, end = sizes[0], found[1]

    def _unit(self, place: int) -> tuple[tuple[Unit, ...], int] | None:
        """Return the units that follow a number, and where they end."""
        if self._texts[place] == "-" and self.touches(place):
            place += 1  # "a 10-km run"
        found = self._find(place)
        if found is None and (
            key(self._texts[place]) in _LINKS or self._texts[place] in _CLASSIFIERS
        ):
            found = self._find(place + 1)
        return None if found is None else self._speed(*found)

    def _find(self, place: int) -> tuple[tuple[Unit, ...], int] | None:
        """Return the units of the longest name that starts at a place."""
        best = None
        for name, end in self._names(place):
            units = find_units(name)
            if units and not self._is_risky(name, end):
                best = units, end
        return best

    def _speed(self, units: tuple[Unit, ...], end: int) -> tuple[tuple[Unit, ...], int]:
        """Read a length per time: kilometres per hour."""
        lengths = [size for dimension, size in units if dimension == "length"]
        if not lengths or key(self._texts[end]) not in _PER:
            return units, end
        place = end + 1 + (key(self._texts[end + 1]) in _BEFORE_TIME)
        for name, after in self._names(place):
            times = [size for dimension, size in find_units(name) if dimension == "time"]
            if times:
                return (("speed", 3.6 * lengths[0] / times[0]),), after
        return units, end

    def _names(self, place: int) -> Iterator[tuple[str, int]]:
        """Yield the names that the next pieces make, from one piece to several."""
        name, before = "", ""
        for index in range(place, place + PIECES):
            text, kind = self._texts[index], self._kinds[index]
            if kind == "mark":
                if text not in _UNIT_MARKS or (name and text in SYMBOLS):
                    return
                if text in _JOINING_MARKS and (not name or not self._kinds[index + 1]):
                    return
                name += "" if text in _JOINING_MARKS else text
            elif kind in ("word", "short", "elided", "sign"):
                spaced = before in ("word", "short", "elided") and kind != "sign"
                name += ("-" if spaced else "") + text
            elif kind == "number" and self._texts[index - 1] == "^" and name:
                name += text
            else:
                return
            before = kind
            yield name, index + 1
            if kind == "word" and index == place:
                yield from ((form, index + 1) for form in without_particle(text))

    def _is_risky(self, name: str, end: int) -> bool:
        """Whether a name is rather a common word, or a capital that is no unit."""
        if len(name) == 1 and name.isascii() and name.isalpha():
            return name not in (_CAPITAL_UNITS if name.isupper() else _SMALL_UNITS)
        form = plain(name)
        if form not in RISKY or (self._tongue.code in _SHORT_WORD_LANGUAGES and form != "in"):
            return False
        return self._kinds[end] in ("word", "elided", "number")


def _opposite(value: Value) -> Value:
    if isinstance(value, Number):
        return Number(-abs(value.value))
    if isinstance(value, Amount):
        sizes = tuple((name, -abs(size)) for name, size in value.options)
        return Amount(-abs(value.number), sizes)
    return value


def _amount(number: Number, units: tuple[Unit, ...]) -> Amount:
    sizes = tuple((dimension, number.value * size) for dimension, size in units)
    return Amount(number.value, sizes, number.other)
