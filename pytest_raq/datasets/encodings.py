"""Encodings of text files: how a file is decoded, and which encoding it looks like."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MARK = "(?:(?<!\\w)[{0}]|[{0}](?!\\w)|’)".format("‘’‚“”„–—…«»‹›¡¿€£¥§°²³ªº·•©®™½¼¾×±\xa0")
"""A mark of punctuation or a sign, which does not stand inside a word."""
_OTHER = r"[^\W\x00-\x7f]"


def _latin(letters: str) -> re.Pattern[str]:
    """Return letters of a Latin script, mostly between letters without accents.

    No capital follows a small letter.
    """
    small = "".join(letter for letter in letters if letter.islower())
    capital = "".join(letter for letter in letters if letter.isupper())
    one = f"(?:[{small}]|(?<![a-z])[{capital}])"
    return re.compile(f"(?<!{_OTHER}){one}{{1,2}}(?!{_OTHER})|{_MARK}")


def _script(small: str, capital: str = "") -> re.Pattern[str]:
    """Return letters of another script: no word has Latin letters too, or ends with a capital."""
    capitals = f"|(?<![A-Za-z])[{capital}](?=[{small}])" if capital else ""
    return re.compile(f"(?<![A-Za-z])[{small}](?![A-Za-z]){capitals}|{_MARK}")


_CENTRAL = "ąćęłńóśźżáčďéěíňřšťúůýžôľĺŕäőűöüăâîşţđ"
_CYRILLIC = _script("а-яёіїєґў№", "А-ЯЁІЇЄҐЎ")
_JAPANESE = re.compile("[ぁ-んァ-ヶー一-龠々、。「」・？！（）]")
_CANDIDATES: Mapping[str, re.Pattern[str]] = {
    "cp1252": _latin("àâäáãåæçéèêëíìîïñóòôöõøœúùûüßÀÂÄÁÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØŒÚÙÛÜ"),
    "cp1254": _latin("çğıöşüâîûÇĞİÖŞÜÂÎÛ"),
    "cp1250": _latin(
        "ąćęłńóśźżáčďéěíňřšťúůýžôľĺŕäőűöüăâîşţđßĄĆĘŁŃÓŚŹŻÁČĎÉĚÍŇŘŠŤÚŮÝŽÔĽĹŔÄŐŰÖÜĂÂÎŞŢĐ"
    ),
    "mac_roman": _latin("àâäáãåæçéèêëíìîïñóòôöõøœúùûüßÀÂÄÁÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØŒÚÙÛÜ"),
    "cp850": _latin("àâäáãåæçéèêëíìîïñóòôöõøúùûüßÀÂÄÁÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØÚÙÛÜ"),
    "cp1255": _script("א-ת\u05b0-\u05c3"),
    "cp1253": _script("α-ωάέήίόύώϊ", "Α-ΩΆΈΉΊΌΎΏ"),
    "cp1251": _CYRILLIC,
    "cp1256": _script("ء-يپچژگ؟،؛\u200c"),
    "cp949": re.compile("[가-힣]"),
    "gb2312": re.compile("[一-龠、。，？！：；“”‘’《》（）…—]"),
    "big5": re.compile("[一-龠、。，？！：；「」（）…—]"),
    "euc_jp": _JAPANESE,
    "cp932": _JAPANESE,
    "koi8_r": _CYRILLIC,
    "cp866": _CYRILLIC,
}
"""Encodings of spreadsheets and older programs, and the characters that their texts mostly have.

Of equals, the first one is named: so an encoding whose texts another one can read as well
comes before it.
"""
_WIDER = {"gb2312": "gb18030"}
"""Encodings that contain another one, and are named for it."""

_SHOWN = 24
"""Maximum number of characters of a decoded word in a message."""
_ENOUGH = 1 << 18
"""Bytes that are looked at."""
_FAIR = 0.8
"""The share of usual characters below which no encoding is named."""
_WORD = re.compile(r"\w*[^\W\x00-\x7f]\w*")


def to_utf8(path: Path, raw: bytes, encoding: str | None, *, has_key: bool = True) -> bytes:
    """Return the bytes of a text as UTF-8; raise DatasetError if it has another encoding.

    Without ``encoding`` the bytes do not change, and only UTF-16 is recognized:
    a reader finds other wrong bytes, and their line. ``has_key`` says whether a
    suite can name the encoding.
    """
    if encoding is None:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise DatasetError(f"{path}: is UTF-16; {remedy('utf-16', has_key=has_key)}")
        return raw
    if codecs.lookup(encoding).name != "utf-8" and _is_utf8(raw):
        raise DatasetError(f"{path}: is UTF-8, not {encoding}; remove dataset.encoding")
    try:
        return raw.decode(encoding).encode()
    except UnicodeError as exc:
        start = exc.start if isinstance(exc, UnicodeDecodeError) else 0
        raise DatasetError(f"{path}: is not {encoding}{guess(raw, start)}") from exc


def guess(raw: bytes, start: int, *, has_key: bool = True, has_lines: bool = True) -> str:
    """Return the end of a message about a text whose byte ``start`` is not as expected.

    It names the line, the encoding that the text looks like, with a word of it, and
    the next step; ``has_key`` says whether a suite can name the encoding,
    ``has_lines`` whether ``raw`` is a whole file.
    """
    number = raw.count(b"\n", 0, start) + 1
    line = f" in line {number}" if has_lines else ""
    found, word = likely_encoding(raw, start)
    if not found:
        return f"{line}; {remedy('', has_key=False)}"
    shown = f" ({word!r})" if word else ""
    return f"{line}; it looks like {found}{shown}: {remedy(found, has_key=has_key)}"


def remedy(encoding: str, *, has_key: bool) -> str:
    """Return what to do about a file in an encoding."""
    key = f'set dataset.encoding = "{encoding}", or ' if has_key else ""
    return f"{key}save it as UTF-8"


def likely_encoding(raw: bytes, start: int = 0) -> tuple[str, str]:
    """Return the encoding that a text looks like, and a word that shows whether that is right.

    Both are empty if no encoding fits. ``start`` is the first byte that is not UTF-8;
    the bytes around it decide.
    """
    if raw.count(b"\0") > len(raw) // 4:
        found = "utf-16-le" if raw[1:2] == b"\0" else "utf-16-be"
        return found, _word(raw[: _ENOUGH // 2 * 2].decode(found, errors="replace"))
    first = raw.rfind(b"\n", 0, start) + 1
    lines = raw[first : first + _ENOUGH].split(b"\n")
    part = b"\n".join(line for line in lines if not line.isascii())
    scores = {name: _score(part, name) for name in _CANDIDATES}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < _FAIR:
        return "", ""
    found = _WIDER.get(best, best)
    return found.replace("_", "-"), _word(part.decode(found, errors="replace"))


def _score(raw: bytes, encoding: str) -> float:
    """Return the share of the characters beyond ASCII that texts of an encoding mostly have."""
    # The last line may end inside a character.
    text = raw.decode(encoding, errors="replace")
    others = sum(not char.isascii() for char in text)
    usual = sum(map(len, _CANDIDATES[encoding].findall(text)))
    return usual / max(1, others)


def _word(text: str) -> str:
    found = _WORD.search(text)
    return found[0][:_SHOWN] if found else ""


def foreign_encoding(raw: bytes) -> tuple[str, str]:
    """Return the encoding that a text which is not UTF-8 looks like, and a word of it."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", _word(raw[:_ENOUGH].decode("utf-16", errors="replace"))
    try:
        raw.decode()
    except UnicodeDecodeError as exc:
        return likely_encoding(raw, exc.start)
    return "", ""


def _is_utf8(raw: bytes) -> bool:
    """Whether a text has characters beyond ASCII, and all are valid UTF-8."""
    if raw.isascii():
        return False
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
