"""Cuts a text into words, numbers, dates, times and signs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pytest_raq.judging.equivalence.forms import fold
from pytest_raq.judging.equivalence.number_words import numerals_as_digits

if TYPE_CHECKING:
    from collections.abc import Iterator

UNSPACED = "\u3005-\u3007\u3041-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Characters of scripts without spaces that are words of their own, as a class of `re`."""

_CLUSTER = (
    r"[\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46][\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*"  # Thai
    r"|[\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u0edc-\u0edf][\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd]*"
    r"|[\u1000-\u102a\u103f][\u102b-\u103e]*"  # Burmese
    r"|[\u1780-\u17b3][\u17b4-\u17d3]*"  # Khmer
)
_SOUTHEAST = "\u0e01-\u0edf\u1000-\u109f\u1780-\u17ff"
_LETTER = (
    rf"(?:[^\W\d_{UNSPACED}{_SOUTHEAST}]"
    r"|[\u0300-\u036f\u0483-\u0487\u0900-\u0963\u0970-\u0dff])"
)
_DAY = r"(?:a|p)(?:\.m\.?|m\b)"
_LEXEMES = re.compile(
    rf"""
    [^\S\n]* (?:
    (?P<short> (?:{_LETTER}\.){{2,}} )
  | (?P<elided> (?:l|d|qu|j|n|s|c|m|t|un|dell|all|nell|dall|sull|quell)'(?={_LETTER}) )
  | (?P<word> [a-z](?:\+\+?|\#)(?!\w) | {_LETTER}(?:{_LETTER}|\d)*(?:'{_LETTER}+)* )
  | (?P<date>
        (?<!\d)\d{{4}}-0[1-9](?![\d-])
      | (?<!\d)\d{{4}}([-/.])[ ]?\d{{1,2}}\5[ ]?\d{{1,2}}(?!\d)\.?
      | (?<!\d)\d{{1,2}}([-/.])[ ]?\d{{1,2}}\6[ ]?\d{{4}}(?!\d)
      | (?<!\d)\d{{1,2}}/\d{{1,2}}[ ]\d{{4}}(?!\d)
      | (?<!\d)\d{{1,2}}/\d{{4}}(?!\d)
      | (?<!\d)\d{{4}}[ ]?[年년](?:[ ]?\d{{1,2}}[ ]?[月월](?:[ ]?\d{{1,2}}[ ]?[日号號일])?)?
      | (?<!\d)\d{{1,2}}[ ]?[月월][ ]?\d{{1,2}}[ ]?[日号號일] )
  | (?P<time>
        (?<!\d)\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?!\d)(?:[ ]?(?:{_DAY}|(?:uhr|h)\b))?
      | (?<![\d.,])\d{{1,2}}(?:\.\d{{2}})?[ ]?{_DAY}
      | (?<![\d.,])\d{{1,2}}\.\d{{2}}[ ]?(?:uhr|h)\b
      | (?<![\d.,])\d{{1,2}}[ ]?uhr\b(?:[ ]\d{{2}}\b)?
      | (?<![\d.,])\d{{1,2}}[ ]?h[ ]?\d{{2}}\b
      | (?:上午|下午|早上|晚上|凌晨|午前|午後)[ ]?\d{{1,2}}
        (?:[ ]?(?:点|點|时|時|시|:)(?:[ ]?\d{{1,2}}[ ]?[分분]?|半)?)
      | (?<!\d)\d{{1,2}}(?:点|點|时|時|시)(?![間间간])(?:[ ]?\d{{1,2}}[分분]|半)? )
  | (?P<decade> \d{{3}}0'?(?:s|er)\b | '?\b\d0(?:s|er)\b )
  | (?P<ordinal>
        \d+(?:st|nd|rd|th|ers?|re|ère|ere|ème|eme|e|de|ste|nde)\b
      | \d+(?:ος|ου|ο|η|ης)\b
      | \d+\.?[oa]\b | \d+:[ae]\b | 第\d+ | \d+번째
      | \d+-?(?:й|я|е|го|му|м|ом|ая|ое|ый|ий|ой|х|ше|тя|га|те)\b
      | \d+'?(?:inci|ıncı|uncu|üncü|nci|ncı)\b )
  | (?P<number>
        \d+(?:\.\d+)?e[-+]?\d{{1,3}}\b
      | (?:\d{{1,3}}(?:[ ]\d{{3}})+(?!\d)|\d+)(?:[.,]\d+|'\d{{3}}(?!\d))*
      | (?<![\w.])\.\d+ )
  | (?P<sign> [{UNSPACED}] | {_CLUSTER} )
  | (?P<mark> \n | \S ) )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PREFIXED = re.compile(
    r"(?:零下|负|負|マイナス|氷点下|영하 ?|마이너스 ?|ติดลบ ?|ลบ ?|(?<!\w)(?:ऋण|माइनस) )(?=\d)"
)
_ALTERNATIVES = re.compile("或者|还是|還是|抑或|或(?![许許然])|または|もしくは|あるいは|หรือ")


_HEBREW_SHORT = re.compile('(?<=[א-ת])"(?=[א-ת])')
_FRACTION = re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_MARKUP = re.compile(r"\\(?:boxed|text(?:bf)?|mathrm|mathbf)\{([^{}]*)\}")
_TIMES_TEN = re.compile(r"(?<=\d) ?[x*·] ?10\^")
_POWER_OF_UNIT = re.compile(r"(?<=[a-z])\^(?=\d)")
_VIETNAMESE = re.compile(
    r"(?:ngày )?(?:(\d{1,2}) )?tháng (\d{1,2})(?: năm (\d{4}))?(?!\d)", re.IGNORECASE
)
_KOREAN_SIGNS = {"오전": "午前", "오후": "午後", "제": "第"}


def _in_figures(found: re.Match[str]) -> str:
    """Return a Vietnamese date in figures: ngày 2 tháng 9 năm 1945."""
    day, month, year = found.groups()
    if day and year:
        return f"{day}.{month}.{year}"
    if year:
        return f"{month}/{year}"
    return f"{month}月{day}日" if day else found[0]


class Lexeme(NamedTuple):
    """A piece of a text: its kind, as the groups above are called, and its place."""

    kind: str
    text: str
    start: int
    end: int


def prepare(text: str) -> str:
    """Return the text that is cut: folded, with East Asian numerals as digits."""
    text = fold(text)
    if "\\" in text:
        text = _MARKUP.sub(r"\1", _FRACTION.sub(r" \1/\2", text))
    if '"' in text:
        text = _HEBREW_SHORT.sub("", text)
    if "^" in text:
        text = _TIMES_TEN.sub(" x 10^", _POWER_OF_UNIT.sub("", text))
    if text.isascii():
        return text
    text = numerals_as_digits(_VIETNAMESE.sub(_in_figures, text))
    for korean, sign in _KOREAN_SIGNS.items():
        text = re.sub(rf"{korean}(?= ?\d)", sign, text) if korean in text else text
    return _ALTERNATIVES.sub(" | ", _PREFIXED.sub("-", text))


def cut(text: str) -> Iterator[Lexeme]:
    """Yield the lexemes of a prepared text."""
    for found in _LEXEMES.finditer(text):
        kind = found.lastgroup or "mark"
        yield Lexeme(kind, found[kind], *found.span(kind))
