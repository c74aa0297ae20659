"""Part of the worker: what the prompts of a block have in common, found on their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

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


def share_prefixes(prompts: Sequence[list[int]], least: int = LEAST_SHARED) -> list[Piece]:
    """Cut prompts, lists of at least one token each, into pieces that are evaluated once.

    Every piece comes after its parent, and all pieces that continue a piece
    are together. The last token of a prompt is never shared: its logits are
    those of one answer.
    """
    chosen = list(range(len(prompts)))
    return list(_cut(prompts, chosen, 0, Piece([], 0, None), least)) if chosen else []


def _cut(
    prompts: Sequence[list[int]], chosen: list[int], known: int, parent: Piece, least: int
) -> Iterator[Piece]:
    """Cut ``chosen`` prompts, equal up to ``known``, from the end of ``parent`` on."""
    start = parent.end
    if len(chosen) == 1:
        yield parent.child(prompts[chosen[0]][start:], prompt=chosen[0])
        return
    end = _common_end([prompts[index] for index in chosen], known)
    if end - start >= least and parent.depth < MOST_LENDERS:
        parent = parent.child(prompts[chosen[0]][start:end])
        yield parent
    branches: dict[int, list[int]] = {}
    for index in chosen:
        ends = len(prompts[index]) == end + 1
        # A prompt that ends here is a branch of its own, also beside an equal one.
        branches.setdefault(-1 - index if ends else prompts[index][end], []).append(index)
    for branch in branches.values():
        yield from _cut(prompts, branch, end, parent, least)


def _common_end(prompts: Sequence[list[int]], known: int) -> int:
    """Return up to where prompts are equal, the last token of each left out."""
    # All others lie between the least and the greatest, in the order of lists.
    first, last = min(prompts), max(prompts)
    shortest = min(map(len, prompts)) - 1
    pairs = zip(first[known:shortest], last[known:shortest], strict=False)
    return known + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
