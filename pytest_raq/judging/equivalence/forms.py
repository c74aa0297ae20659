"""One form for texts that Unicode, keyboards and programs write in many."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST = 4000
"""Characters of an answer that are read; what follows cannot make it better."""

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_RAISED = re.compile(r"(?<=\d)[⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_VULGAR = re.compile(r"(\d?)([¼-¾⅐-⅞])")
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´ʼʻ＇", "'"),
        **dict.fromkeys("“”„‟″«»「」『』《》〈〉", '"'),
        **dict.fromkeys("‐‑‒−﹣", "-"),
        **dict.fromkeys("—―", "–"),
        "⁄": "/",
        "٪": "%",
        **dict.fromkeys("،、", ","),
        "؛": ";",
        "؟": "?",
        **dict.fromkeys("。।۔", "."),
        "×": "x",
        "٫": ".",
        "٬": ",",
        **dict.fromkeys("أإآٱ", "ا"),
        "ى": "ي",
        "ی": "ي",
        "ک": "ك",
        "ـ": None,
        "〜": "~",
    }
)
# Vowel signs that Arabic and Hebrew write or leave out.
_OPTIONAL = re.compile("[\u0591-\u05bd\u05bf-\u05c7\u064b-\u0652\u0670]")
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
_TIGHT_DASH = re.compile(r"(?<=\S)–(?=\S)|(?<!\S)–(?=\d)")
_FOREIGN_DIGITS = re.compile(r"[^\D0-9]")
_ACCENTS = re.compile("[\u0300-\u036f]")


def fold(text: str) -> str:
    """Return a text with one form of digits, quotes, dashes and letters; capitals stay.

    Full-width forms and ligatures become plain letters (NFKC), vowel signs that
    may be left out and invisible characters go, and powers keep their meaning:
    ``10⁶`` becomes ``10^6``, and ``m²`` becomes ``m2``.
    """
    text = text[:LONGEST]
    if text.isascii():
        return text.replace("`", "'")
    text = _VULGAR.sub(_fraction, text)
    text = _RAISED.sub(lambda found: "^" + found[0].translate(_SUPERSCRIPTS), text)
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).translate(_SIGNS)
    text = _TIGHT_DASH.sub("-", _OPTIONAL.sub("", text))
    return _FOREIGN_DIGITS.sub(lambda found: str(unicodedata.decimal(found[0])), text)


def _fraction(found: re.Match[str]) -> str:
    return f"{found[1]} {unicodedata.normalize('NFKC', found[2])}"


@lru_cache(maxsize=1 << 16)
def key(word: str) -> str:
    """Return a word as it is compared: without case, and without the dots of the Turkish i."""
    if word.isascii():
        return word.lower()
    return word.casefold().replace("i\u0307", "i").replace("ı", "i")


@lru_cache(maxsize=1 << 16)
def plain(word: str) -> str:
    """Return a word without case and accents."""
    lower = key(word)
    if lower.isascii():
        return lower
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", lower))
    return unicodedata.normalize("NFC", bare).replace("ł", "l").replace("ø", "o").replace("đ", "d")
