"""Whether an answer contains a reference: whole words, whatever is written around them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ARTICLES = frozenset(("a", "an", "the"))
_SIGNS = frozenset("%‰°")
_HYPHENS = frozenset("-‐‑\u00ad")  # noqa: RUF001 - hyphens of texts, the last one invisible
_INVISIBLE = frozenset("\u200b\u2060\ufeff\u00ad")
_GROUP_MARKS = "'’\u00a0\u2009\u202f"
_NUMBER = re.compile(rf"\d+(?:[.,{_GROUP_MARKS}]\d+)*")
_GROUPED = re.compile(rf"\d{{1,3}}(?:([,{_GROUP_MARKS}])\d{{3}})(?:\1\d{{3}})*(\.\d+)?")
_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}(\.\d+)?")
_DOTTED = re.compile(r"\d{1,3}(?:\.\d{3}){2,}(,\d+)?")
_DECIMAL = re.compile(r"\d+[.,]\d+")
_MARKS = re.compile(rf"[{_GROUP_MARKS},]")
_PARTS = re.compile(r"\d+")
_UNSPACED = (
    "\u0e00\u0eff",  # Thai, Lao
    "\u1000\u109f",  # Burmese
    "\u1780\u17ff",  # Khmer
    "\u3040\u30ff",  # kana
    "\u31f0\u31ff",
    "\u3400\u4dbf",  # Han
    "\u4e00\u9fff",
    "\uf900\ufaff",
    "\U00020000\U0003ffff",
)
"""Scripts that write no spaces between words: first and last character."""

Token = tuple[str, bool, bool]
"""A word, number or sign; whether a hyphen joins it to the one before, and to the one behind."""


def contains(text: str, references: Iterable[str]) -> bool:
    """Return whether a reference stands in a text as whole words.

    Case, punctuation, articles, markup and the separators of thousands do not matter. In
    scripts without spaces a reference may stand anywhere. A number is whole too: 14 is not
    in 314, 3.14 or −14.
    """
    tokens = _tokens(text)
    return any(_holds(text, tokens, reference) for reference in references)


def _holds(text: str, tokens: tuple[Token, ...], reference: str) -> bool:
    wanted = _tokens(reference)
    if not wanted:
        return bool(reference.strip()) and reference.strip() in text
    only = wanted[0][0] if len(wanted) == 1 else ""
    if len(only) == 1 and only.isalpha() and not _is_unspaced(only):
        return _holds_letter(text, reference.strip(" .()[]*:"))
    words = _content(wanted)
    given = _content(tokens)
    size, first = len(words), words[0][0]
    names = [word for word, _, _ in words]
    for at in range(len(given) - size + 1):
        if given[at][0] != first or given[at][1]:
            continue
        if not given[at + size - 1][2] and [each[0] for each in given[at : at + size]] == names:
            return True
    return False


def _holds_letter(text: str, letter: str) -> bool:
    """Whether a text names a single letter, as the answer to a choice: in its case, alone."""
    pattern = rf"(?<![^\W_])(?<![-'’]){re.escape(letter)}(?![^\W_])(?![-'’+#])"
    return re.search(pattern, text) is not None


def _content(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Return tokens without articles, unless there is nothing else."""
    return tuple(each for each in tokens if each[0] not in _ARTICLES) or tokens


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[Token, ...]:
    whole = unicodedata.normalize("NFC", _compatible(text)).casefold()
    return tuple(_cut(unicodedata.normalize("NFC", whole)))


def _compatible(text: str) -> str:
    """Return a text with plain forms of its letters and digits; spaces of numbers stay."""
    return "".join(
        str(unicodedata.digit(char, char))
        if char.isdigit() and unicodedata.category(char) == "Nd"
        else char
        if char in _GROUP_MARKS
        else ""
        if char in _INVISIBLE
        else unicodedata.normalize("NFKC", char)
        for char in text
    )


def _cut(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        char = text[at]
        if char.isdecimal() and not _in_word(text, at):
            end = _NUMBER.match(text, at).end()  # type: ignore[union-attr]
            found = _numbers(text[at:end], text[:at])
            for word in found[:-1]:
                yield word, False, False
            at = _end_of_word(text, end)  # "14th" is one word
            yield found[-1] + text[end:at], False, _is_joined(text, at, 1)
        elif _is_unspaced(char):
            yield char, False, False
            at += 1
        elif _is_word(char):
            end = _end_of_word(text, at)
            yield text[at:end], _is_joined(text, at - 1, -1), _is_joined(text, end, 1)
            at = end
        else:
            if char in _SIGNS or unicodedata.category(char) == "Sc":
                yield char, False, False
            at += 1


def _in_word(text: str, at: int) -> bool:
    return at > 0 and _is_word(text[at - 1]) and not _is_unspaced(text[at - 1])


def _end_of_word(text: str, at: int) -> int:
    while at < len(text) and _is_word(text[at]) and not _is_unspaced(text[at]):
        at += 1
    if text[at - 1].isalpha() and text[at : at + 1] in ("+", "#"):  # C++, C#
        at += 2 if text[at : at + 2] == "++" else 1
    return at


def _is_joined(text: str, at: int, step: int) -> bool:
    """Whether a hyphen at a place joins a word to letters beyond it."""
    if not (0 <= at < len(text) and text[at] in _HYPHENS):
        return False
    beyond = at + step
    return 0 <= beyond < len(text) and text[beyond].isalpha()


def _is_word(char: str) -> bool:
    return char != "_" and (char.isalnum() or unicodedata.category(char)[0] == "M")


def _is_unspaced(char: str) -> bool:
    return any(span[0] <= char <= span[1] for span in _UNSPACED)


def _numbers(text: str, before: str) -> list[str]:
    """Return a run of digits as one number if it is one, else as several."""
    is_number = (
        text.isdecimal()
        or _GROUPED.fullmatch(text)
        or _INDIAN.fullmatch(text)
        or _DOTTED.fullmatch(text)
        or _DECIMAL.fullmatch(text)
    )
    if not is_number:
        return _PARTS.findall(text)
    grouped = _GROUPED.fullmatch(text) or _INDIAN.fullmatch(text)
    number = _MARKS.sub("", text) if grouped else text
    is_negative = before[-1:] in ("-", "−") and not (
        _is_word(before[-2:-1] or " ") or before[-2:-1] in (")", "]")
    )
    return [f"-{number}" if is_negative else number]
