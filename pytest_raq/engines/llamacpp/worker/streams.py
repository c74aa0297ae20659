"""Part of the worker: a block whose answers depend on nothing that is computed beside them.

Each sequence has a stream of the cache. llama.cpp evaluates the same number of
tokens of each stream together, and streams that stand side by side; it cuts other
batches itself, and could leave a single token of a prompt. So a batch here is one
piece of one prompt, or one token of each answer.
"""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.beside import piece_size, read_in_stream
    from pytest_raq.engines.llamacpp.worker.block import Block, Reading
else:  # beside the worker, in an environment that may not have this package
    from beside import piece_size, read_in_stream
    from block import Block, Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.engines.llamacpp.worker.block import Part, Work
    from pytest_raq.engines.llamacpp.worker.model import Model
    from pytest_raq.engines.llamacpp.worker.questions import Question

_NOTHING_IS_SHARED = sys.maxsize

_by_sequence = attrgetter("sequence")


class StreamBlock(Block):
    """Questions being answered together, each with the bits of being answered alone.

    Answers have the first sequences, without gaps; what is kept for several of
    them has the last ones. What several prompts share is evaluated once and
    copied into the stream of each. Texts are scored in the stream of their prompt.
    """

    read_on = staticmethod(read_in_stream)

    def __init__(self, model: Model, questions: Sequence[Question], parallel: int) -> None:
        if not model.layout.lenders:
            self.least_shared = _NOTHING_IS_SHARED
        super().__init__(model, questions, min(parallel, model.layout.parallel))

    def _take_sequence(self, work: Work) -> int:
        sequence = min(self._free) if isinstance(work, Reading) else max(self._free)
        self._free.remove(sequence)
        self._model.drop(sequence)  # it may have filled up a batch
        return sequence

    def _fits(self, work: Work) -> bool:
        # A stream has room for the longest question: cells need not be counted.
        return self._has_turn(work) and bool(self._free)

    def _fill(self) -> tuple[list[Reading], list[Part]]:
        """Read of one prompt while there is one: the more answers, the less a batch costs each."""
        if self._reading:
            work = self._reading[0]
            left = len(work.piece.tokens) - work.evaluated
            size = piece_size(left, self._model.batch.room, self._model.least)
            return [], [self._read(work, size)]
        self._close_ranks()
        for reading in self._decoding:
            self._decode(reading)
        self._model.fill_up()
        return self._decoding, []

    def _close_ranks(self) -> None:
        """Move the last answers to where others ended."""
        self._decoding.sort(key=_by_sequence)
        gaps = sorted(set(range(len(self._decoding))) - set(map(_by_sequence, self._decoding)))
        for gap, reading in zip(gaps, self._decoding[::-1], strict=False):
            self._free.remove(gap)
            self._free.append(reading.sequence)
            self._model.lend(reading.sequence, gap)
            self._model.drop(reading.sequence)
            reading.sequence = gap
        self._decoding.sort(key=_by_sequence)
