"""Endings and prefixes that grammar writes onto a word without changing what it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_KOREAN = frozenset(
    "은 는 이 가 을 를 의 에 에서 에게 로 으로 와 과 도 만 부터 까지 이다 다 입니다 이에요 예요"
    " 에요 이었다 였다 이었습니다 였습니다 이라고 라고 이며 이고 인 이라는 라는 에는 에서는 으로는"
    " 로는 께서 이죠 죠 이야 야 이란 란 에게서 한테 처럼 보다 마다 이나 나 이랑 랑 이요 요 임"
    " 이라 라 씨 님".split()
)
_HEBREW = frozenset("הבלמכשו")
_ARABIC = ("وال", "بال", "فال", "كال", "لل", "و", "ب", "ل", "ف", "ك")
_SHORTEST = 3
"""Minimum letters of a word that is found behind a prefix."""


def names(word: str, name: str) -> bool:
    """Whether a word is a name with an ending or a prefix of grammar: Paris's, 서울은."""
    if word.startswith(name):
        rest = word[len(name) :]
        return not rest or rest[0] == "'" or rest in _KOREAN
    if not word.endswith(name) or word.isascii() or len(name) < _SHORTEST:
        return False
    prefix = word[: -len(name)]
    return prefix in _ARABIC or all(letter in _HEBREW for letter in prefix)


def without_particle(word: str) -> Iterator[str]:
    """Yield a Korean word without the endings it may have."""
    if not word or not "가" <= word[-1] <= "힣":
        return
    for end in range(len(word) - 1, 0, -1):
        if word[end:] in _KOREAN:
            yield word[:end]
