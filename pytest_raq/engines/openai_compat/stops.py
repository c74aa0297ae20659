"""Cuts a reply where a stop text begins, for servers that refuse or ignore ``stop``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.engines.openai_compat.completions import Completion


def until_stop(done: Completion, stops: Sequence[str], *, start: int = 0) -> Completion:
    """Return a reply as it would be if the server had stopped before the first stop text.

    Reasoning before ``start`` (a place in the text) is not searched.
    A stop text may lie across pieces. Tokens and times are those of the text that is kept:
    its tokens are counted exactly if each piece of the stream was one, otherwise
    estimated from its share of the pieces, or of the characters.
    """
    found = (done.text.find(stop, start) for stop in stops)
    end = min((at for at in found if at >= 0), default=None)
    if end is None:
        return done
    kept = [mark for mark, begin in zip(done.marks, _begins(done), strict=True) if begin < end]
    tokens = done.completion_tokens
    is_exact = 0 < tokens == done.pieces
    if tokens and not is_exact:
        share = len(kept) / done.pieces if done.pieces > 1 else end / len(done.text)
        tokens = max(1, round(tokens * share)) if end else 0
    last = kept[-1][1] if kept else done.first_seconds
    return replace(
        done,
        text=done.text[:end],
        finish_reason="stop",
        completion_tokens=len(kept) if is_exact else tokens,
        is_estimate=done.is_estimate or not is_exact,
        pieces=len(kept),
        last_seconds=last,
        total_seconds=last if done.pieces > 1 and last else done.total_seconds,
        marks=done.marks[: len(kept)],
    )


def _begins(done: Completion) -> list[int]:
    """Return how many characters came before each piece."""
    return [0, *(characters for characters, _ in done.marks[:-1])][: len(done.marks)]
