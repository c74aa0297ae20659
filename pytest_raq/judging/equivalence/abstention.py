"""Whether an answer says that there is no answer."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from pytest_raq.judging.equivalence.forms import fold, key, plain
from pytest_raq.judging.equivalence.languages import language, language_of, read_tables

LONGEST = 600
"""Characters of an answer in which an abstention is looked for."""

_NOT_WORDS = re.compile(r"[^\w\s\u0900-\u0963\u0970-\u0dff\u0e00-\u0e7f]|_")
_SPACES = re.compile(r"\s+")
_WORDS = re.compile(r"\w+")
_CLAUSES = re.compile(r"[.!?。！？;\n]+")


def bare(text: str) -> str:
    """Return a text without case, accents and punctuation."""
    lower = plain(fold(text)).replace("'", "").replace("n/a", "na")
    return _SPACES.sub(" ", _NOT_WORDS.sub(" ", lower)).strip()


@cache
def _whole() -> frozenset[str]:
    return frozenset(bare(text) for text in read_tables("abstentions.toml")["whole"])


@cache
def _parts() -> re.Pattern[str]:
    table = read_tables("abstentions.toml")
    parts = "|".join(f"(?:{_plain_pattern(part)})" for part in table["parts"])
    return re.compile(rf"(?<!\w)(?:{parts})")


@cache
def _inside() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{part})" for part in read_tables("abstentions.toml")["inside"]))


def _plain_pattern(pattern: str) -> str:
    """Return a pattern for texts without accents; what follows a backslash stays."""
    pieces = re.split(r"(\\.)", pattern)
    return "".join(piece if piece.startswith("\\") else plain(fold(piece)) for piece in pieces)


@lru_cache(maxsize=8192)
def abstains(text: str, code: str = "") -> bool:
    """Whether a text says that there is no answer, and gives none.

    An empty text abstains. A guess after it ("I don't know, but perhaps …") is
    an answer. ``code`` is the language of the question.
    """
    plainer = bare(text[:LONGEST])
    if not plainer:
        return not any(char.isalnum() for char in text)
    if plainer in _whole():
        return True
    if not (_parts().search(plainer) or _inside().search(key(fold(text[:LONGEST])))):
        return False
    return not _guesses(text, code)


def _guesses(text: str, code: str) -> bool:
    """Whether an answer follows an abstention."""
    words = {key(word) for word in _WORDS.findall(fold(text[:LONGEST]))}
    known = language(language_of(text, code))
    if known.guess & words:
        return True
    return known.code in ("zh", "ja", "ko") and any(word in text for word in known.guess)
