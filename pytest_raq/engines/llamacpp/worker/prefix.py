"""Part of the worker: what the prompts of a block have in common, found on their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEAST_SHARED = 8
"""Tokens; a shorter common start is cheaper to evaluate again than to wait for."""

MOST_LENDERS = 3
"""Shared pieces one after the other: template, passage, and what questions have in common."""


@dataclass(eq=False, slots=True)
class Piece:
    """Tokens to be evaluated in one sequence, after those of ``parent``.

    ``prompt`` is the index of the prompt that the piece completes; None when
    several prompts go on from here, in ``children`` pieces.
    """

    tokens: list[int]
    start: int
    parent: Piece | None
    prompt: int | None = None
    children: int = 0
    depth: int = 0

    @property
    def end(self) -> int:
        """The position behind the last token."""
        return self.start + len(self.tokens)

    def child(self, tokens: list[int], prompt: int | None = None) -> Piece:
        """Return a piece that goes on from here; the empty piece is nobody's parent."""
        if not self.tokens:
            return Piece(tokens, 0, None, prompt, depth=1)
        self.children += 1
        return Piece(tokens, self.end, self, prompt, depth=self.depth + 1)


def share_prefixes(
    prompts: Sequence[list[int]], least: int = LEAST_SHARED, own: int = 1
) -> list[Piece]:
    """Cut prompts, lists of at least one token each, into pieces that are evaluated once.

    Every piece stands behind its parent, and whatever goes on from a piece
    stands together. The last ``own`` tokens of a prompt, one at least, are
    never shared: the logits of the last are those of one answer.
    """
    chosen = list(range(len(prompts)))
    sizes = _Sizes(least, own)
    return list(_cut(prompts, chosen, 0, Piece([], 0, None), sizes)) if chosen else []


class _Sizes(NamedTuple):
    """The fewest tokens that are shared, and that are a prompt's own."""

    least: int
    own: int


def _cut(
    prompts: Sequence[list[int]], chosen: list[int], known: int, parent: Piece, sizes: _Sizes
) -> Iterator[Piece]:
    """Cut ``chosen`` prompts, equal up to ``known``, from the end of ``parent`` on."""
    start = parent.end
    if len(chosen) == 1:
        yield parent.child(prompts[chosen[0]][start:], prompt=chosen[0])
        return
    end = _common_end([prompts[index] for index in chosen], known, sizes.own)
    if end - start >= sizes.least and parent.depth < MOST_LENDERS:
        parent = parent.child(prompts[chosen[0]][start:end])
        yield parent
    branches: dict[int, list[int]] = {}
    for index in chosen:
        ends = len(prompts[index]) <= end + sizes.own
        # A prompt that ends here is a branch of its own, also beside an equal one.
        branches.setdefault(-1 - index if ends else prompts[index][end], []).append(index)
    for branch in branches.values():
        yield from _cut(prompts, branch, end, parent, sizes)


def _common_end(prompts: Sequence[list[int]], known: int, own: int) -> int:
    """Return up to where prompts are equal, the last ``own`` tokens of each left out."""
    # Between the least and the greatest, in the order of lists, stand all others.
    first, last = min(prompts), max(prompts)
    shortest = max(known, min(map(len, prompts)) - own)
    pairs = zip(first[known:shortest], last[known:shortest], strict=False)
    return known + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
