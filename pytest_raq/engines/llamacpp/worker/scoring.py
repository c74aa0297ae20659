"""Part of the worker: how likely texts are after the prompts of a block.

What prompts share is evaluated once, a question's own tokens once, and its
continuations beside each other, each in a sequence that goes on from the
question. Logits are computed only where one predicts a token that is scored:
behind the prompt, and behind each token of a continuation but the last.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.beside import (
        begin,
        is_broken,
        most_rows,
        piece_size,
        read_piece,
        take,
    )
    from pytest_raq.engines.llamacpp.worker.block import NO_NUMBERS, Block, Work, works_of
    from pytest_raq.engines.llamacpp.worker.prefix import MOST_LENDERS
else:  # beside the worker, in an environment that may not have this package
    from beside import begin, is_broken, most_rows, piece_size, read_piece, take
    from block import NO_NUMBERS, Block, Work, works_of
    from prefix import MOST_LENDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.engines.llamacpp.worker.beside import Span
    from pytest_raq.engines.llamacpp.worker.model import Model
    from pytest_raq.engines.llamacpp.worker.prefix import Piece
    from pytest_raq.engines.llamacpp.worker.questions import Continuation, ScoredQuestion


@dataclass(eq=False, slots=True, kw_only=True)
class Scoring(Work):
    """A question's own piece, and its continuations: ``left`` and ``going``.

    There are cells for the longest of them; ``first`` has these at the moment.
    """

    question: ScoredQuestion
    left: deque[Continuation] = field(default_factory=deque)
    going: list[Continuation] = field(default_factory=list)
    first: Continuation | None = None


class ScoreBlock(Block):
    """Questions whose continuations are scored together."""

    kind = Scoring

    def __init__(self, model: Model, questions: Sequence[ScoredQuestion], parallel: int) -> None:
        # One sequence stays free for a continuation, whatever is kept for others.
        if model.sequences < MOST_LENDERS + 2 or not model.layout.lenders:
            self.least_shared = sys.maxsize
        self._open: list[Scoring] = []
        self._scored = list(questions)
        super().__init__(model, (), parallel)
        self._most_rows = most_rows(model.vocabulary.size)

    def _works(self, _questions: Sequence[Any], own: int) -> Iterator[Work]:
        prompts = [question.tokens for question in self._scored]
        return works_of(prompts, self.least_shared, own, self._scoring)

    def _scoring(self, piece: Piece, parent: Work | None) -> Scoring:
        assert piece.prompt is not None
        question = self._scored[piece.prompt]
        longest = max((len(each.tokens) for each in question.wanted), default=0)
        size = len(piece.tokens) + longest
        return Scoring(piece=piece, parent=parent, cells=size, holders=1, question=question)

    @property
    def is_done(self) -> bool:
        """Whether every question has its reply."""
        return not (self._waiting or self._reading or self._open)

    def _fits(self, work: Work) -> bool:
        return self._has_turn(work) and len(self._free) > 1 and work.cells <= self._cells

    def step(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Evaluate one batch: continuations of what was read, then prompts as they fit."""
        self._admit(time.perf_counter())
        self._model.batch.clear()
        self._rows = min(self._most_rows, self._model.batch.room)
        spans = [span for work in self._open for span in self._continue(work)]
        read = self._read_prompts()
        self._model.evaluate()
        for scoring, span in spans:
            self._score(scoring, span)
        for work, _, place in read:
            if work.evaluated == len(work.piece.tokens):
                self._reading.popleft()
            if isinstance(work, Scoring):
                self._begin(work, place)
        yield from self._ended()

    def _ended(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for work in [work for work in self._open if not (work.left or work.going)]:
            self._open.remove(work)
            yield work.question.request, scores_reply(work.question)
            self._model.drop(work.sequence)
            self._free.append(work.sequence)
            self._give_back(work)

    def _begin(self, work: Scoring, place: int) -> None:
        """Score the first token of each continuation, when the whole prompt was read."""
        if place < 0:
            return
        wanted = work.question.wanted
        self._open.append(work)
        if wanted:
            left = begin(self._model.logits.row(place), wanted)
            if not is_broken(wanted):
                work.left.extend(left)

    def _continue(self, work: Scoring) -> Iterator[tuple[Scoring, Span]]:
        """Put continuations of a question into the batch while there is room."""
        for each in work.going:
            if self._has_room:
                yield work, self._extend(work, each)
        while work.left and self._has_room and self._takes(work):
            each = work.left.popleft()
            work.going.append(each)
            each.sequence = self._free.pop()
            self._model.lend(work.sequence, each.sequence)
            yield work, self._extend(work, each)

    @property
    def _has_room(self) -> bool:
        return self._rows > 0 and self._model.batch.room > 0

    def _takes(self, work: Scoring) -> bool:
        """Whether the next continuation can begin; it has its cells then."""
        each = work.left[0]
        if not self._free or (work.first is not None and len(each.tokens) > self._cells):
            return False
        if work.first is None:
            work.first = each
        else:
            self._cells -= len(each.tokens)
        return True

    def _extend(self, work: Scoring, each: Continuation) -> Span:
        batch = self._model.batch
        tokens = each.unread[: min(self._rows, batch.room)]
        position = len(work.question.tokens) + len(each.log_p) - 1
        place, count = batch.size, len(tokens)
        batch.extend(tokens, position, each.sequence, wanted=count)
        self._rows -= count
        return each, place, count

    def _score(self, work: Scoring, span: Span) -> None:
        """Score what was read of a continuation, and forget one that is done."""
        take(self._model.logits, span)
        each, _, _ = span
        if each.is_done:
            self._model.drop(each.sequence)
            self._free.append(each.sequence)
            work.going.remove(each)
            if work.first is each:
                work.first = None
            else:
                self._cells += len(each.tokens)


class StreamScoreBlock(ScoreBlock):
    """The same for a reproducible model: each batch is a piece of one prompt or continuation.

    A continuation is read in the stream of its question, then cut off again.
    """

    def _take_sequence(self, work: Work) -> int:
        sequence = min(self._free) if isinstance(work, Scoring) else max(self._free)
        self._free.remove(sequence)
        self._model.drop(sequence)
        return sequence

    def _fits(self, work: Work) -> bool:
        return self._has_turn(work) and bool(self._free)

    def step(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Evaluate one piece: of a continuation of what was read, else of a prompt."""
        self._admit(time.perf_counter())
        self._model.batch.clear()
        self._rows = self._most_rows
        if self._open:
            self._score_next(self._open[0])
        else:
            work = self._reading[0]
            left = len(work.piece.tokens) - work.evaluated
            _, _, place = self._read(
                work, piece_size(left, self._model.batch.room, self._model.least)
            )
            self._model.evaluate()
            if work.evaluated == len(work.piece.tokens):
                self._reading.popleft()
            if isinstance(work, Scoring):
                self._begin(work, place)
        yield from self._ended()

    def _score_next(self, work: Scoring) -> None:
        model, start = self._model, len(work.question.tokens)
        span = read_piece(model, work.sequence, start, work.left[0])
        take(model.logits, span)
        if work.left[0].is_done:
            work.left.popleft()
            model.cut(work.sequence, start)


def scores_reply(question: ScoredQuestion) -> dict[str, Any]:
    """Return the fields of a reply: for each continuation its figures, or why there are none."""
    if is_broken(question.continuations):
        return {"type": "error", "reason": NO_NUMBERS}
    return {"type": "scores", "scores": [each.figures() for each in question.continuations]}
