"""Where an answer states a reference, and whether it denies it or lists it among others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pytest_raq.judging.equivalence.forms import plain
from pytest_raq.judging.equivalence.particles import names
from pytest_raq.judging.equivalence.reading import AND, DENIES, OR, TURN, Reading, Token
from pytest_raq.judging.equivalence.values import Match, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BEFORE, AFTER = 6, 3
"""Words before and after a mention in which a negation denies it."""

BEFORE_SIGNS, AFTER_SIGNS = 8, 9
"""The same for scripts without spaces, in characters."""

ITEM = 3
"""Maximum words of an item of a list."""

_CLAUSE = frozenset(',;.!?:()\n"，。；、！？：|।–[]')
_LISTED = frozenset(",;/、，\n|·•;")
_CHOICE = frozenset("/|")
_VERB_LAST = frozenset(("tr", "hi", "fa", "ko", "ja"))
_ONLY_AFTER = frozenset(("tr", "hi", "ko", "ja"))
_DENIED_BEFORE = {
    "zh": re.compile(
        "不(?![但仅僅只过過久同错錯断少论論])|没(?!收|落)|沒|并非|並非|而非|绝非|絕非|并未|從未|从未|除了"
    ),
    "th": re.compile("ไม่(?!เพียง|แค่|เฉพาะ)|มิใช่"),
}
_DENIED_AFTER = {
    "zh": re.compile("^[^，。,.;；]{0,4}(?:不(?![但仅僅只过過久同错錯断少])|没|沒|并非|並非)"),
    "ja": re.compile("ない|ありません|なく|ません|違[いうっ]"),
    "th": re.compile("ไม่"),
}
_KOREAN_DENIALS = ("아니", "아닙", "아닌", "않", "없")


class Mention(NamedTuple):
    """A place in an answer, from a token up to another, and how well it matches."""

    start: int
    end: int
    match: Match


def stand(expected: Token, given: Token, *, last: bool = True) -> Match:
    """Return how a token of an answer stands to one of a reference."""
    if expected.value is not None:
        return Match.OTHER if given.value is None else compare(expected.value, given.value)
    if given.value is not None:
        return Match.OTHER
    if expected.key == given.key:
        return Match.SAME
    if last and names(given.key, expected.key):
        return Match.MORE
    if plain(expected.key) == plain(given.key):
        return Match.CLOSE
    return Match.OTHER


def mentions(
    expected: Sequence[Token], answer: Reading, lowest: Match = Match.MORE
) -> Iterator[Mention]:
    """Yield the places where an answer has all tokens of a reference, one after the other."""
    tokens, size = answer.tokens, len(expected)
    if any(token.value is None and plain(token.key) not in answer.plain for token in expected):
        return
    for start in range(len(tokens) - size + 1):
        worst = Match.SAME
        for offset, token in enumerate(expected):
            match = stand(token, tokens[start + offset], last=offset in (0, size - 1))
            if match < lowest:
                break
            worst = min(worst, match)
        else:
            yield Mention(start, start + size, worst)


def is_denied(answer: Reading, mention: Mention) -> bool:
    """Whether a negation in the same clause denies what is mentioned."""
    code = answer.tongue.code
    if code in _DENIED_BEFORE or code in _DENIED_AFTER:
        return _is_denied_by_signs(answer, mention)
    if code == "ko":
        return _is_denied_in_korean(answer, mention)
    if code not in _ONLY_AFTER and _is_denied_before(answer, mention):
        return True
    return _is_denied_after(answer, mention)


def _is_denied_before(answer: Reading, mention: Mention) -> bool:
    tokens = answer.tokens
    for index in range(mention.start - 1, max(-1, mention.start - 1 - BEFORE), -1):
        if _CLAUSE & set(tokens[index + 1].gap) or tokens[index + 1].role == TURN:
            return False
        if tokens[index].role == DENIES:
            return True
        if tokens[index].role == TURN:
            return False
    return False


def _is_denied_after(answer: Reading, mention: Mention) -> bool:
    tokens, code = answer.tokens, answer.tongue.code
    for index in range(mention.end, min(len(tokens), mention.end + AFTER)):
        token = tokens[index]
        if _CLAUSE & set(token.gap) or token.role == TURN:
            return False
        if token.role == DENIES:
            # "Paris not Rome" says Paris; "Paris isn't …" does not.
            bare = index == mention.end and code in ("en", "") and token.key == "not"
            return not bare
    return False


def _is_denied_in_korean(answer: Reading, mention: Mention) -> bool:
    for token in answer.tokens[mention.end : mention.end + 2]:
        if _CLAUSE & set(token.gap):
            return False
        if token.key.startswith(_KOREAN_DENIALS):
            return True
    return False


def _is_denied_by_signs(answer: Reading, mention: Mention) -> bool:
    text, code = answer.text, answer.tongue.code
    start, end = answer.tokens[mention.start].start, answer.tokens[mention.end - 1].end
    before = _within(text[max(0, start - BEFORE_SIGNS) : start], last=True)
    after = _within(text[end : end + AFTER_SIGNS], last=False)
    if code in _DENIED_BEFORE and _DENIED_BEFORE[code].search(before):
        return True
    return code in _DENIED_AFTER and bool(_DENIED_AFTER[code].search(after))


def _within(text: str, *, last: bool) -> str:
    """Return the part of a text in the same clause."""
    parts = re.split(r'[,;.!?:()\n"，。；、！？：|]', text)
    return parts[-1] if last else parts[0]


def rivals(answer: Reading, mention: Mention, right: Sequence[Sequence[Token]]) -> int:
    """Return how many other candidates a list has in which the mention is one.

    0 if the answer does not list it. ``right`` are the tokens of all references:
    an item that is one of them is no rival.
    """
    items, place = _items(answer, mention)
    if place is None or len(items) < 2:
        return 0
    start, end = items[place]
    chained = [place]
    if mention.end == end:
        chained += _chain(answer, items, place, 1)
    if mention.start == start:
        chained += _chain(answer, items, place, -1)
    others = [index for index in chained if index != place]
    wrong = [index for index in others if not _is_right(answer, items[index], right)]
    if not wrong:
        return 0
    low, high = min(chained), max(chained)
    links = [_link(answer, items[index]) for index in range(low + 1, high + 1)]
    if OR in links:
        return len(wrong)
    bare = all(items[i][1] - items[i][0] <= ITEM for i in range(low, high))
    if AND in links and bare and low == 0 and high == len(items) - 1:
        return len(wrong)
    return len(wrong) if len(others) > 1 and bare else 0


def _items(answer: Reading, mention: Mention) -> tuple[list[tuple[int, int]], int | None]:
    """Return the items that separators make of an answer, and the one with the mention."""
    tokens = answer.tokens
    starts = [0]
    for index in range(1, len(tokens)):
        inside = mention.start < index < mention.end
        if (not inside and (_LISTED & set(tokens[index].gap) or _is_link(tokens[index]))) or (
            not inside and "." in tokens[index].gap
        ):
            starts.append(index)
    bounds = list(zip(starts, [*starts[1:], len(tokens)], strict=True))
    items = [(a + 1 if _is_link(tokens[a]) and b - a > 1 else a, b) for a, b in bounds]
    holds = (index for index, (a, b) in enumerate(items) if a <= mention.start and mention.end <= b)
    return items, next(holds, None)


def _is_link(token: Token) -> bool:
    return token.role in (OR, AND)


def _link(answer: Reading, item: tuple[int, int]) -> str:
    """Return the word that stands before an item, if it is "or" or "and"."""
    tokens = answer.tokens
    first = tokens[item[0]]
    if _CHOICE & set(first.gap):
        return OR
    if item[0] and _is_link(tokens[item[0] - 1]):
        return tokens[item[0] - 1].role
    return ""


def _chain(answer: Reading, items: Sequence[tuple[int, int]], place: int, step: int) -> list[int]:
    """Return the items that go on a list from a place; the last may be long."""
    found = []
    index = place + step
    while 0 <= index < len(items):
        start, end = items[index]
        if _starts_clause(answer, items[index]):
            break
        found.append(index)
        if end - start > ITEM:
            break
        index += step
    return found


def _starts_clause(answer: Reading, item: tuple[int, int]) -> bool:
    """Whether an item begins as a clause does, not as a candidate: "which", "not"."""
    first = answer.tokens[item[0]]
    if first.role == DENIES:
        return True
    is_word = first.value is None and item[1] - item[0] > 1
    return is_word and first.key in answer.tongue.stop


def _is_right(answer: Reading, item: tuple[int, int], right: Sequence[Sequence[Token]]) -> bool:
    tokens = answer.tokens[item[0] : item[1]]
    return any(
        len(expected) <= len(tokens)
        and all(
            stand(one, other) >= Match.MORE
            for one, other in zip(expected, tokens[: len(expected)], strict=True)
        )
        for expected in right
    )
