"""Part of the worker: how likely texts are after a prompt that was read.

The first token of each is scored by the logits behind the prompt. For the others the
texts are read: beside each other in a second context, or, for a reproducible model,
one after the other in the stream of the prompt.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.cache import SIDE_SEQUENCES
    from pytest_raq.engines.llamacpp.worker.logits import log_p_in
else:  # beside the worker, in an environment that may not have this package
    from cache import SIDE_SEQUENCES
    from logits import log_p_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_raq.engines.llamacpp.worker.context import Context
    from pytest_raq.engines.llamacpp.worker.logits import Logits
    from pytest_raq.engines.llamacpp.worker.model import Model
    from pytest_raq.engines.llamacpp.worker.questions import Continuation

_BYTES_OF_LOGITS = 2**26
"""llama.cpp keeps the logits of a batch in memory: a row of a large vocabulary takes 1 MB."""

Span = tuple["Continuation", int, int]
"""What was read of a continuation: where its logits are, and how many tokens."""


def most_rows(vocabulary: int) -> int:
    """Return of how many tokens the logits are kept at once, for a size of vocabulary."""
    return max(1, _BYTES_OF_LOGITS // 4 // vocabulary)


def piece_size(left: int, room: int, least: int) -> int:
    """Return how many tokens to read of those that are left: fewer than ``least`` never stay."""
    return left if left <= room else min(room, left - least)


def begin(row: bytes, wanted: Iterable[Continuation]) -> list[Continuation]:
    """Score first tokens by the logits behind a prompt; return what has more tokens to score."""
    chosen = [each for each in wanted if not each.problem]
    if chosen:
        found, likeliest = log_p_in(row, [each.tokens[0] for each in chosen])
        for each, log_p in zip(chosen, found, strict=True):
            each.add(log_p, likeliest)
    return [each for each in chosen if not each.is_done]


def take(logits: Logits, span: Span) -> None:
    """Score the tokens that follow what was read of a continuation."""
    each, place, count = span
    for row in range(place, place + count):
        (log_p,), likeliest = logits.log_p(row, [each.tokens[len(each.log_p)]])
        each.add(log_p, likeliest)


def is_broken(continuations: Iterable[Continuation]) -> bool:
    """Whether the model computed something that is not a number."""
    return any(math.isnan(log_p) for each in continuations for log_p in each.log_p)


def read_piece(model: Model, sequence: int, start: int, each: Continuation) -> Span:
    """Evaluate the next piece of a continuation in the stream of its prompt, which ends at a start.

    One that is shorter than what kernels want is followed by a token that is not scored.
    """
    unread, batch = each.unread, model.batch
    rows = max(most_rows(model.vocabulary.size), 2 * model.least)
    batch.clear()
    count = piece_size(len(unread), min(rows, batch.room), model.least)
    tokens = unread[:count] + each.tokens[-1:] * (model.least - count)
    position = start + len(each.log_p) - 1
    batch.extend(tokens, position, sequence, wanted=len(tokens))
    model.evaluate()
    return each, 0, count


def read_in_stream(model: Model, sequence: int, start: int, wanted: Sequence[Continuation]) -> None:
    """Score the rest of continuations one by one, where the prompt stands; what follows it goes."""
    for each in wanted:
        model.cut(sequence, start)
        while not each.is_done:
            take(model.logits, read_piece(model, sequence, start, each))


def read_beside(model: Model, sequence: int, start: int, wanted: Sequence[Continuation]) -> None:
    """Score the rest of continuations beside each other in a second context.

    It gets a copy of the prompt: a ``sequence`` of the model up to a ``start``. The
    cache of the model stays as it is, so no answer depends on what is scored.
    """
    side = model.side
    if not wanted or side is None:
        return
    side.clear(overwrite=False)
    side.restore(0, model.state(sequence))
    side.cut(0, start)
    _SideReader(model, side, start).read(wanted)
    if is_broken(wanted):
        side.clear()


class _SideReader:
    """Fills batches with continuations, each in a sequence that goes on from the prompt."""

    def __init__(self, model: Model, side: Context, start: int) -> None:
        self._side, self._start = side, start
        self._free = list(range(SIDE_SEQUENCES - 1, 0, -1))
        self._room = min(side.batch.room, most_rows(model.vocabulary.size))
        self._spans: list[Span] = []
        self._going: list[Continuation] = []

    def read(self, wanted: Sequence[Continuation]) -> None:
        """Score all of them."""
        side = self._side
        side.batch.clear()
        for each in wanted:
            if not self._free:
                self._evaluate()
            each.sequence = self._free.pop()
            self._going.append(each)
            side.lend(0, each.sequence)
            rest = each.unread
            while rest:
                if side.batch.size == self._room:
                    self._evaluate()
                rest = self._add(each, rest)
        self._evaluate()

    def _add(self, each: Continuation, rest: list[int]) -> list[int]:
        """Put tokens of a continuation into the batch; return those that are left."""
        batch = self._side.batch
        count = min(len(rest), self._room - batch.size)
        position = self._start + len(each.tokens) - 1 - len(rest)
        self._spans.append((each, batch.size, count))
        batch.extend(rest[:count], position, each.sequence, wanted=count)
        return rest[count:]

    def _evaluate(self) -> None:
        """Evaluate the batch, score what follows its tokens, and forget what is done."""
        self._side.evaluate()
        for span in self._spans:
            take(self._side.logits, span)
        for each in [each for each in self._going if each.is_done]:
            self._going.remove(each)
            self._side.drop(each.sequence)
            self._free.append(each.sequence)
        self._spans.clear()
        self._side.batch.clear()
