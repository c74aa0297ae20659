"""Whether two texts mean the same, word by word and value by value."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_raq.judging.equivalence.forms import key
from pytest_raq.judging.equivalence.mentions import stand
from pytest_raq.judging.equivalence.reading import AND, OR, Reading, Token
from pytest_raq.judging.equivalence.values import Amount, Date, Match, Number

if TYPE_CHECKING:
    from collections.abc import Sequence

JOINTS = 6
"""Maximum signs that one of two texts may have more, to join words or around them."""

_JOINED = re.compile(r"(?<=[^\W\d_])[-\s]+(?=\w)|(?<=\d)[-\s]+(?=[^\W\d_])")
_EDGES = " .,;:!?\"'"
_SEPARATORS = frozenset(",、/|")


def equality(expected: Reading, answer: Reading) -> str:
    """Return why two texts mean the same, e.g. "same date"; empty if they do not."""
    if not expected.tokens or not answer.tokens:
        return ""
    if same_tokens(expected.tokens, answer.tokens):
        return _kind(expected.tokens)
    if _are_joined(expected, answer) or _as_one(expected.tokens) == _as_one(answer.tokens) != "":
        return "same words"
    return "same list" if _same_list(expected, answer) else ""


def _are_joined(expected: Reading, answer: Reading) -> bool:
    """Whether two texts differ in what joins words alone: A-12, A 12."""
    if abs(len(expected.text) - len(answer.text)) > JOINTS:
        return False
    return _solid(expected.text) == _solid(answer.text)


@lru_cache(maxsize=8192)
def _solid(text: str) -> str:
    return key(_JOINED.sub("", text)).strip(_EDGES)


def same_tokens(one: Sequence[Token], other: Sequence[Token]) -> bool:
    """Whether two texts have the same words and values in the same order."""
    return len(one) == len(other) and all(
        stand(a, b, last=False) is Match.SAME for a, b in zip(one, other, strict=True)
    )


def split(reading: Reading) -> list[tuple[Token, ...]]:
    """Return the items of a text that is a list; one if it is none."""
    items: list[list[Token]] = [[]]
    for token in reading.tokens:
        linked = token.role in (AND, OR)
        if items[-1] and (linked or not _SEPARATORS.isdisjoint(token.gap)):
            items.append([])
        if not linked:
            items[-1].append(token)
    return [tuple(item) for item in items if item]


def _as_one(tokens: Sequence[Token]) -> str:
    """Return words as one, so that e-mail is email; empty if there is a value."""
    if any(token.value is not None for token in tokens):
        return ""
    return "".join(token.key for token in tokens).replace("'", "")


def _kind(tokens: Sequence[Token]) -> str:
    value = tokens[0].value
    if len(tokens) > 1 or value is None:
        return "same words"
    if isinstance(value, Number):
        return "same number"
    if isinstance(value, Amount):
        return "same amount"
    return "same date" if isinstance(value, Date) else "same time"


def _same_list(expected: Reading, answer: Reading) -> bool:
    """Whether two texts have the same items, in any order."""
    if not (expected.is_list and answer.is_list):
        return False
    ones, rest = split(expected), split(answer)
    if len(ones) < 2 or len(ones) != len(rest):
        return False
    for one in ones:
        hit = next((item for item in rest if same_tokens(one, item)), None)
        if hit is None:
            return False
        rest.remove(hit)
    return True
