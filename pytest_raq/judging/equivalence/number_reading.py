"""Reads numbers in figures and in words, with signs, fractions, powers and scales."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_raq.judging.equivalence.forms import key
from pytest_raq.judging.equivalence.number_words import SpelledNumber, spelled
from pytest_raq.judging.equivalence.values import CARDINAL, EITHER, ORDINAL, Number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.judging.equivalence.languages import Language
    from pytest_raq.judging.equivalence.lexing import Lexeme

DIGITS = 15
"""Longer numbers are codes: they do not fit a floating-point number."""

LONGEST = 12
"""Words of the longest number in words."""

BEYOND = 32
"""Places after the last piece that can be looked at; nothing is there."""

SHORT_SCALES = {"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "bn": 1e9, "B": 1e9, "b": 1e9,
                "tn": 1e12, "T": 1e12, "mn": 1e6, "mm": 1e6}  # fmt: skip
"""Scales after an amount of money."""

_TOUCHING_SCALES = frozenset(("k", "K", "B", "T"))
_LOOSE_SCALES = frozenset(("M", "bn", "tn"))
_HUNDREDS = frozenset(("hundred", "hundreds"))
_FIGURES = re.compile(r"\d+")
_DOT_ORDINALS = frozenset("de da no fi cs pl tr hu".split())
_ROMANCE = frozenset(("es", "it", "pt", "fr", ""))
_TIMES = frozenset(("x", "*", "·"))


def parse_number(text: str, *, comma: bool) -> tuple[float, float | None] | None:
    """Return the value of a number and its other reading; None if it is none.

    ``comma`` says that the comma is the decimal sign of the language. In
    ``1.066`` the other reading is the one with the other sign, if it is possible.
    """
    bare = text.replace(" ", "").replace("'", "")
    if "e" in bare.lower():
        return float(bare), None
    if sum(char.isdigit() for char in bare) > DIGITS:
        return None
    dots, commas = bare.count("."), bare.count(",")
    if dots and commas:
        return _both_signs(bare, dots, commas)
    if not dots and not commas:
        return float(bare), None
    sign = "." if dots else ","
    parts = bare.split(sign)
    if len(parts) > 2:
        return (float("".join(parts)), None) if _are_groups(parts) else None
    before, after = parts
    decimal = float(f"{before or 0}.{after}")
    grouped = float(before + after) if _are_groups(parts) else None
    return (decimal, grouped) if grouped is None or (sign == ",") == comma else (grouped, decimal)


def _both_signs(bare: str, dots: int, commas: int) -> tuple[float, float | None] | None:
    decimal = "." if bare.rindex(".") > bare.rindex(",") else ","
    if (dots if decimal == "." else commas) > 1:
        return None
    groups = bare.replace("," if decimal == "." else ".", "")
    return float(groups.replace(",", ".")), None


def _are_groups(parts: Sequence[str]) -> bool:
    """Whether digits are grouped by thousands, or, in India, by hundreds of thousands."""
    first, *others = parts
    if not 1 <= len(first) <= 3 or first.startswith("0") or len(others[-1]) != 3:
        return False
    sizes = {len(part) for part in others[:-1]}
    return sizes <= {3} or sizes == {2}


class NumberReader:
    """Finds numbers in the pieces of a text; places are indices of pieces."""

    def __init__(self, pieces: Sequence[Lexeme], tongue: Language) -> None:
        self._pieces, self._tongue = pieces, tongue
        beyond = [""] * BEYOND  # also before the first: place -1 is the last of them
        self._texts = [piece.text for piece in pieces] + beyond
        self._kinds = [piece.kind for piece in pieces] + beyond

    def touches(self, place: int) -> bool:
        """Whether nothing stands between a piece and the next."""
        last = len(self._pieces) - 1
        return 0 <= place < last and self._pieces[place].end == self._pieces[place + 1].start

    def sign(self, place: int) -> tuple[int, int]:
        """Return the sign of what starts at a place, 1 or -1, and where its number starts."""
        kind, after = self._kinds[place], self._kinds[place + 1]
        if kind == "mark" and self._texts[place] in ("-", "+") and self.touches(place):
            follows = self.touches(place - 1) and self._kinds[place - 1] not in ("mark", "sign")
            if not follows and after in ("number", "mark", "word"):
                return (-1 if self._texts[place] == "-" else 1), place + 1
        if kind == "word" and key(self._texts[place]) in self._tongue.minus:
            counts = after in ("number", "mark") or self.spelled(place + 1) is not None
            return (-1, place + 1) if counts else (1, place)
        return 1, place

    def number(self, place: int) -> tuple[Number, int] | None:
        """Return the number without a sign that starts at a place, and where it ends."""
        kind = self._kinds[place]
        if kind == "ordinal":
            return self._ordinal(place)
        if kind == "word":
            return self._worded(place)
        return self._figures(place) if kind == "number" else None

    def spelled(self, place: int) -> tuple[SpelledNumber, int] | None:
        """Return the number in words that starts at a place, and where it ends."""
        if self._kinds[place] != "word":
            return None
        words: list[str] = []
        places: list[int] = []
        while len(words) < LONGEST and self._kinds[place] and (words or self._texts[place] != "-"):
            if self._kinds[place] == "word":
                words.append(self._texts[place])
                places.append(place)
            elif self._texts[place] != "-" and not self._goes_on(place):
                break
            place += 1
        found = spelled(words, self._tongue)
        return None if found is None else (found, places[found.used - 1] + 1)

    def _goes_on(self, place: int) -> bool:
        """Whether a number goes on after a comma: "one thousand, two hundred"."""
        if self._texts[place] != "," or self._kinds[place + 1] != "word":
            return False
        scale = self._tongue.scales.find(self._texts[place - 1])
        return scale is not None and scale >= 1000

    def _worded(self, place: int) -> tuple[Number, int] | None:
        found = self.spelled(place)
        if found is None:
            return self._named_fraction(place, 1)
        number, end = found
        if self._texts[end] == "번째":  # "the …th" in Korean
            return Number(number.value, ORDINAL), end + 1
        if number.kind == ORDINAL:
            return Number(number.value, ORDINAL), end
        if (half := self._and_part(end)) is not None and number.value < 100:
            return Number(number.value + half[0]), half[1]
        return self._named_fraction(end, number.value, counted=True) or (Number(number.value), end)

    def _and_part(self, place: int) -> tuple[float, int] | None:
        """Return the part after a whole number, "and a half", and where it ends."""
        if key(self._texts[place]) not in self._tongue.ands:
            return None
        place += 1 + (key(self._texts[place + 1]) in self._tongue.articles)
        part = self._tongue.fractions.words.get(key(self._texts[place]))
        return None if part is None else (part, place + 1)

    def _figures(self, place: int) -> tuple[Number, int] | None:
        """Read figures with what may follow them: a fraction, a power, a scale."""
        parsed = parse_number(self._texts[place], comma=self._tongue.comma)
        if parsed is None:
            return None
        if self._is_dot_ordinal(place):
            return Number(parsed[0], EITHER), place + 1
        return self._joined(place + 1, *parsed)

    def _joined(self, end: int, value: float, other: float | None) -> tuple[Number, int]:
        """Return a number in figures with the fraction, power or scale after it."""
        if (fraction := self._fraction(end)) is not None:
            return Number(value / fraction[0]), fraction[1]
        if (mixed := self._mixed(end)) is not None:
            return Number(value + mixed[0]), mixed[1]
        if (power := self._power(value, end)) is not None:
            return power
        scale, end = self._scale(end)
        if (half := self._and_part(end)) is not None and scale == 1:
            return Number(value + half[0]), half[1]
        return Number(value * scale, CARDINAL, None if other is None else other * scale), end

    def _named_fraction(
        self, place: int, count: float, *, counted: bool = False
    ) -> tuple[Number, int] | None:
        """Read "half", "three quarters", "two thirds"; ``counted`` after a number."""
        place += self._texts[place] == "-"
        if self._kinds[place] != "word":
            return None
        word = key(self._texts[place])
        part = self._tongue.fractions.words.get(word)
        if part is None and counted:
            part = self._third(word, count)
        return None if part is None else (Number(count * part), place + 1)

    def _third(self, word: str, count: float) -> float | None:
        if self._tongue.code not in ("en", "") or not count:
            return None
        value = self._tongue.ordinals.words.get(word.removesuffix("s"))
        fits = count == 1 or word.endswith("s")
        return 1 / value if value is not None and value >= 3 and fits else None

    def _fraction(self, place: int) -> tuple[float, int] | None:
        """Return what a number is divided by, ``/4``, and where it ends."""
        below = self._texts[place + 1]
        tight = self.touches(place - 1) and self.touches(place)
        if self._texts[place] != "/" or not tight or not below.isdigit() or not int(below):
            return None
        return float(below), place + 2

    def _mixed(self, place: int) -> tuple[float, int] | None:
        """Return the fraction after a whole number, 2 1/2, and where it ends."""
        above = self._texts[place]
        fraction = self._fraction(place + 1) if above.isdigit() else None
        if fraction is None or int(above) >= fraction[0]:
            return None
        return int(above) / fraction[0], fraction[1]

    def _power(self, value: float, end: int) -> tuple[Number, int] | None:
        """Read ``10^6`` and ``3 x 10^8``."""
        if self._texts[end] in _TIMES and self._texts[end + 1] == "10":
            found = self._power(10, end + 2)
            return None if found is None else (Number(value * found[0].value), found[1])
        if self._texts[end] != "^":
            return None
        sign, place = self.sign(end + 1)
        text = self._texts[place]
        if not text.isdigit() or len(text) > 2 or not 0 < value <= 10:
            return None
        return Number(float(value ** (sign * int(text)))), place + 1

    def _ordinal(self, place: int) -> tuple[Number, int] | None:
        text = self._texts[place]
        figures = _FIGURES.search(text)
        assert figures is not None
        if text[-1] in "oa" and self._tongue.code not in _ROMANCE:
            return None
        if len(figures[0]) > DIGITS:
            return None
        return Number(float(figures[0]), ORDINAL), place + 1

    def _is_dot_ordinal(self, place: int) -> bool:
        """Whether a full stop makes a number an ordinal: "19. Jahrhundert"."""
        text = self._texts[place]
        if self._tongue.code not in _DOT_ORDINALS or self._texts[place + 1] != ".":
            return False
        return text.isdigit() and len(text) <= 3 and self._kinds[place + 2] in ("", "word")

    def _scale(self, place: int) -> tuple[float, int]:
        """Return the product of the scales after a number: million, Mio., thousand."""
        product = 1.0
        while self._kinds[place] == "word":
            text = self._texts[place]
            if text in _LOOSE_SCALES or (text in _TOUCHING_SCALES and self.touches(place - 1)):
                scale: float | None = SHORT_SCALES[text]
            else:
                scale = self._tongue.scales.find(text)
            if scale is None or (scale == 100 and text.lower() not in _HUNDREDS):
                break  # "25 cents" are not 2,500
            product *= scale
            place += 1
            if self._texts[place] == "." and self._kinds[place + 1] and len(text) < 6:
                place += 1  # an abbreviation
        return product, place
