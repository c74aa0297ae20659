"""Numbers in words, Roman numerals, and the numerals of Chinese, Japanese and Korean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.judging.equivalence.forms import key
from pytest_raq.judging.equivalence.values import CARDINAL, ORDINAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.judging.equivalence.languages import Language

MULTIPLIERS = frozenset(("mươi", "puluh"))
"""Words for ten that multiply what comes before."""

_ARTICLES = frozenset(
    "a an un une una uno ein eine een en et ett um uma o egy ena bir không"
    " ένα ένας μία μια نه".split()
)
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})\Z")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}

_HAN_DIGITS = {
    **{char: value for value, char in enumerate("零一二三四五六七八九")},
    "〇": 0,
    "两": 2,
    "兩": 2,
    "壹": 1,
    "貳": 2,
    "參": 3,
    **{char: value for value, char in enumerate("영일이삼사오육칠팔구")},
    "공": 0,
    "륙": 6,
}
_HAN_TENS = {"十": 10, "百": 100, "千": 1000, "拾": 10, "십": 10, "백": 100, "천": 1000}
_HAN_SCALES = {
    "万": 10**4,
    "萬": 10**4,
    "만": 10**4,
    "亿": 10**8,
    "億": 10**8,
    "억": 10**8,
    "兆": 10**12,
    "조": 10**12,
}
_COUNTERS = (
    "年月日号號天个個人名位本册冊岁歲歳才只隻件次回度点點時时分秒周週元円圓块塊米公英里斤吨噸千克"
    "升倍割所座条條张張辆輛头頭匹台杯枚戸户キメグトセミドポユリパ％%世階层層楼番"
)
_THAI = {"หนึ่ง": "一", "เอ็ด": "一", "สอง": "二", "ยี่": "二", "สาม": "三", "สี่": "四", "ห้า": "五",
         "หก": "六", "เจ็ด": "七", "แปด": "八", "เก้า": "九", "สิบ": "十", "ร้อย": "百", "พัน": "千",
         "หมื่น": "万", "แสน": "十万", "ล้าน": "百万", "ศูนย์": "零"}  # fmt: skip
_THAI_NUMBER = re.compile(rf"\A(?:{'|'.join(_THAI)})+|(?:{'|'.join(_THAI)}){{2,}}")
_THAI_PART = re.compile("|".join(_THAI))
_SHARES = {"一半": "1/2", "半分": "1/2", "절반": "1/2"}
_TENTHS = re.compile(r"(\d+)割")
_HAN = "零〇一二三四五六七八九十百千万亿億兆萬两兩拾"
_HAN_NUMBER = re.compile(
    rf"(?P<percent>百分之)(?P<of>[{_HAN}\d.]+)"
    rf"|(?P<mixed>\d[\d,]*(?:\.\d+)?[十百千万萬亿億兆](?:[\d,.]|[{_HAN}])*)"
    rf"|(?P<han>[{_HAN}]{{2,}}|(?<=第)[{_HAN}]+|[{_HAN}](?=[{_COUNTERS}]|[かカヶヵケ]月|つ)|\A[{_HAN}]+\Z)"
)
_HANGUL = "영일이삼사오육륙칠팔구십백천만억조"
_HANGUL_NUMBER = re.compile(
    rf"(?P<mixed>\d[\d,]*(?:\.\d+)?[백천만억조](?:\d[\d,]*[백천만억조]?)*)"
    rf"|(?<![\uac00-\ud7af])(?P<han>[{_HANGUL}]{{2,}}|\A[{_HANGUL}]\Z)"
    r"(?![\uac00-\ud7af])"
)
_PART = re.compile(r"\d+(?:\.\d+)?|.")


def numerals_as_digits(text: str) -> str:
    """Return a text with the numerals of Chinese, Japanese and Korean as digits.

    A single sign is only read as a number before a counter, after 第, or alone,
    because such signs are parts of many words.
    """
    for word, share in _SHARES.items():
        text = text.replace(word, share)
    text = _THAI_NUMBER.sub(_from_thai, text)
    text = _HAN_NUMBER.sub(_replace, text)
    text = _TENTHS.sub(lambda found: f"{int(found[1]) * 10}%", text)
    return _HANGUL_NUMBER.sub(_replace, text)


def _from_thai(found: re.Match[str]) -> str:
    value = _han_value("".join(_THAI[part] for part in _THAI_PART.findall(found[0])))
    return found[0] if value is None else value


def _replace(found: re.Match[str]) -> str:
    groups = found.groupdict()
    if groups.get("percent"):
        return f"{_han_value(groups['of'])}%"
    value = _han_value(groups.get("mixed") or groups["han"])
    return found[0] if value is None else value


def _han_value(text: str) -> str | None:
    """Return the value of a numeral as digits; None if it is none."""
    parts = _PART.findall(text.replace(",", ""))
    if all(part in _HAN_DIGITS for part in parts):  # a year or a code, sign by sign
        return "".join(str(_HAN_DIGITS[part]) for part in parts)
    total = section = 0.0
    current: float | None = None
    for part in parts:
        if part in _HAN_DIGITS:
            current = _HAN_DIGITS[part] if current is None else current * 10 + _HAN_DIGITS[part]
        elif part in _HAN_TENS:
            section += (1 if current is None else current) * _HAN_TENS[part]
            current = None
        elif part in _HAN_SCALES:
            section += current or 0
            total += (section or 1) * _HAN_SCALES[part]
            section, current = 0.0, None
        elif part[0].isdigit():
            current = float(part)
        else:
            return None
    value = total + section + (current or 0)
    return str(int(value)) if value == int(value) else repr(round(value, 9))


def roman(text: str, shortest: int = 2) -> int | None:
    """Return the value of a Roman numeral of some capitals; None if it is none."""
    if len(text) < shortest or not _ROMAN.match(text):
        return None
    values = [_ROMAN_VALUES[char] for char in text]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < after else value for value, after in pairs)


@dataclass(frozen=True, slots=True)
class SpelledNumber:
    """A number in words: its value, its kind, and how many words it takes."""

    value: float
    kind: int
    used: int


def spelled(words: Sequence[str], tongue: Language) -> SpelledNumber | None:
    """Return the number that the first of some words spell; None if they spell none.

    ``words`` are those that follow each other in a text, without hyphens.
    """
    return _Speller(words, tongue).read()


class _Speller:
    """Adds up number words: smaller ones are added, scales multiply."""

    def __init__(self, words: Sequence[str], tongue: Language) -> None:
        self._words, self._tongue = words, tongue
        self._total = self._current = 0.0
        self._scale = float("inf")
        self._used = self._steps = 0
        self._last = ""

    def read(self) -> SpelledNumber | None:
        index = 0
        while index < len(self._words):
            step = self._step(index)
            if step is None:
                break
            if isinstance(step, SpelledNumber):
                return step
            index += step
        if not self._used:
            return None
        return SpelledNumber(self._total + self._current, CARDINAL, self._used)

    def _step(self, index: int) -> int | SpelledNumber | None:
        word = self._words[index]
        if self._joins(index):
            return 1
        if (ending := self._ordinal(index)) is not None:
            return ending
        taken = self._scaled(word) or self._added(word, index)
        if not taken:
            return None
        self._last = word
        self._steps += 1
        self._used = index + 1
        return 1

    def _joins(self, index: int) -> bool:
        """Whether a word like "and" stands between two parts of one number."""
        if not self._steps or index + 1 >= len(self._words):
            return False
        if key(self._words[index]) == "de":  # Romanian: douăzeci de mii
            return self._tongue.scales.find(self._words[index + 1]) is not None
        if key(self._words[index]) not in self._tongue.ands:
            return False
        if self._tongue.code in ("en", "") and self._current % 100 and self._current < 1000:
            return False  # "twenty and three" are two numbers
        after = self._tongue.numbers.find(self._words[index + 1])
        return after is not None and self._fits(after)

    def _fits(self, value: float) -> bool:
        current = self._current
        if not current:
            return True
        if self._tongue.code == "fr" and current % 100 in (60, 80):
            return value < 20
        if self._tongue.code == "fr" and current % 20 == 10 and value < 10:
            return True
        if self._tongue.code in ("ar", "he") and current % 100 < 10 and value >= 10:
            return value < 100  # thirteen is "three ten", 25 is "five and twenty"
        step = 1000 if current % 1000 == 0 else 100 if current % 100 == 0 else 10
        return current % step == 0 and value < step and value > 0

    def _added(self, word: str, index: int) -> bool:
        value = self._tongue.numbers.find(word)
        if value is None or (key(word) in _ARTICLES and not self._may_count(index)):
            return False
        if self._last == "quatre" and value == 20 and self._current % 100 == 4:
            self._current += 76
        elif self._fits(value):
            self._current += value
        elif self._is_year(value):
            self._current = self._current * 100 + value
        else:
            return False
        return True

    def _is_year(self, value: float) -> bool:
        """Whether this is a year in pairs, "nineteen eighty-four"."""
        english = self._tongue.code in ("en", "")
        return english and not self._total and 10 <= self._current <= 99 and 10 <= value <= 99

    def _may_count(self, index: int) -> bool:
        if self._steps or len(self._words) == 1:
            return True
        after = self._words[index + 1] if index + 1 < len(self._words) else ""
        return self._tongue.scales.find(after) is not None

    def _scaled(self, word: str) -> bool:
        scale = self._tongue.scales.find(word)
        if scale is None:
            return self._compound(word)
        if key(word) == "belas" and 0 < self._current % 100 < 10:  # Indonesian teens
            self._current += 10
            return True
        if key(word) in MULTIPLIERS and self._current % 1000 == 0:
            return False
        if len(word) < 3 and not self._steps:
            return False  # "k", "mi" are only abbreviations after a number
        if scale < 1000:
            rest = self._current % 100 if scale <= 100 else self._current
            self._current += (rest or 1) * scale - rest
        elif scale < self._scale:
            self._total += (self._current or 1) * scale
            self._current, self._scale = 0.0, scale
        else:
            return False
        return True

    def _compound(self, word: str) -> bool:
        """Read one word with a scale in it: zweihundertfünf, duecento, tjugofemtusen."""
        if len(word) < 6 or self._current or not word.isalpha():
            return False
        value = compound(key(word), self._tongue)
        if value is None:
            return False
        self._current = value
        return True

    def _ordinal(self, index: int) -> SpelledNumber | None:
        value = self._tongue.ordinals.find(self._words[index])
        if value is None or self._tongue.numbers.find(self._words[index]) is not None:
            return None
        if self._steps and not (self._fits(value) and self._current):
            return None
        total, used = self._total + self._current + value, index + 1
        if value % 10 == 0 and used < len(self._words):  # Slavic: both words are ordinals
            unit = self._tongue.ordinals.find(self._words[used])
            if unit is not None and unit < 10:
                total, used = total + unit, used + 1
        return SpelledNumber(total, ORDINAL, used)


_SCALE_PARTS = {
    "de": (("tausend", 1000), ("hundert", 100)),
    "nl": (("duizend", 1000), ("honderd", 100)),
    "sv": (("tusen", 1000), ("hundra", 100)),
    "no": (("tusen", 1000), ("hundre", 100)),
    "da": (("tusind", 1000), ("hundrede", 100)),
    "it": (("mila", 1000), ("mille", 1000), ("cento", 100)),
    "fi": (("tuhatta", 1000), ("tuhat", 1000), ("sataa", 100), ("sata", 100)),
    "hu": (("ezer", 1000), ("száz", 100)),
    "tr": (("bin", 1000), ("yüz", 100)),
}


def compound(word: str, tongue: Language) -> float | None:
    """Return the value of a number that is written as one word; None if it is none."""
    parts = _SCALE_PARTS.get(tongue.code)
    if not word:
        return 0
    if parts is None:
        return None
    for name, scale in parts:
        before, found, after = word.partition(name)
        if not found:
            continue
        left = compound(before, tongue) if before else 1
        right = compound(after.removeprefix("und") if tongue.code == "de" else after, tongue)
        if right is None and tongue.code == "it":
            right = compound(f"o{after}", tongue)  # cent(o)ottanta
        if left is not None and right is not None and right < scale:
            return left * scale + right
        return None
    return tongue.numbers.find(word)
