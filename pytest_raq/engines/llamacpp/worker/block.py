"""Part of the worker: the questions of a block, answered together.

Continuous batching over one cache: what prompts share is evaluated once and
lent to the sequences that go on from it, all sequences decode in one batch, the
room that is left in it takes the tokens of the next prompts, and a sequence
that ends makes room for the next question. A block starts from an empty cache
and its schedule depends on its own questions alone, so that its answers are the
same in every run, whatever was asked before.
"""

from __future__ import annotations

import math
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.beside import begin, is_broken, read_beside
    from pytest_raq.engines.llamacpp.worker.prefix import LEAST_SHARED, Piece, share_prefixes
    from pytest_raq.engines.llamacpp.worker.questions import QuestionError
    from pytest_raq.engines.llamacpp.worker.thoughts import ReasonedText, thought_times
else:  # beside the worker, in an environment that may not have this package
    from beside import begin, is_broken, read_beside
    from prefix import LEAST_SHARED, Piece, share_prefixes
    from questions import QuestionError
    from thoughts import ReasonedText, thought_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_raq.engines.llamacpp.worker.model import Model
    from pytest_raq.engines.llamacpp.worker.questions import Beside, Continuation, Question
    from pytest_raq.engines.llamacpp.worker.thoughts import Span
    from pytest_raq.engines.llamacpp.worker.vocabulary import Vocabulary

    ReadOn = Callable[[Model, int, int, Sequence[Continuation]], None]

Part = tuple["Work", int, int]
"""What was read of a piece: how many tokens, and where its logits will be; -1: nowhere."""

NO_NUMBERS = "the model computes values that are not numbers: check its file"


@dataclass(eq=False, slots=True, kw_only=True)
class Work:
    """A piece on its way through the cache.

    ``holders`` counts the question itself and the pieces that go on from here:
    while there are any, the cells stay. ``prefilled`` tokens of prompt took
    ``seconds``: each step's time is shared among its tokens.
    """

    piece: Piece
    parent: Work | None
    cells: int
    holders: int
    sequence: int = -1
    evaluated: int = 0
    prefilled: int = 0
    seconds: float = 0.0


@dataclass(eq=False, slots=True, kw_only=True)
class Reading(Work):
    """A question's own piece: read to its end, then decoded token by token."""

    question: Question
    text: ReasonedText
    sampler: Any = None
    token: int = -1
    generated: int = 0
    reason: str = ""
    started: float = 0.0
    first_token: float = 0.0
    decode_seconds: float = 0.0
    thought: int = 0
    thought_seconds: float = 0.0
    first_answer: float = 0.0

    def take(self, token: int, vocabulary: Vocabulary) -> bool:
        """Append a token to the text; whether a stop string ends it."""
        piece = vocabulary.to_bytes(token)
        if not self.question.is_split:
            return self.text.add(piece)
        ended = self.text.add_token(piece, b"" if piece else vocabulary.mark(token))
        self.thought = self.generated if self.text.is_thinking else self.thought
        return ended

    row: bytes = b""
    """The logits behind the prompt, where texts are scored beside the answer."""

    @property
    def is_scored(self) -> bool:
        """Whether an answer that has ended is followed by scores."""
        return self.question.beside is not None and self.reason != NO_NUMBERS


class Block:
    """Questions being answered together by a model.

    ``kind`` is the work that completes a prompt, behind which logits are wanted;
    ``read_on`` scores texts that follow the prompt of an answer that has ended.
    """

    least_shared = LEAST_SHARED
    kind: type[Work] = Reading
    read_on: ReadOn = staticmethod(read_beside)

    def __init__(self, model: Model, questions: Sequence[Question], parallel: int) -> None:
        self._model = model
        self._parallel = parallel
        self._free = list(range(model.sequences - 1, -1, -1))
        self._cells = model.cells
        self._waiting: deque[Work] = deque(self._works(questions, model.least))
        self._reading: deque[Work] = deque()
        self._decoding: list[Reading] = []
        self._asked = 0
        self._paused = 0.0
        """Seconds that went into scoring: no answer took them."""
        self._rows = sys.maxsize
        """Of how many tokens more the batch may have logits."""

        model.clear()

    def _works(self, questions: Sequence[Question], own: int) -> Iterator[Work]:
        """Yield what is to be evaluated for questions, parents first."""
        return works_of(
            [question.tokens for question in questions],
            self.least_shared,
            own,
            lambda piece, parent: _reading(questions, piece, parent, self._model.spans),
        )

    @property
    def is_done(self) -> bool:
        """Whether every question has its reply."""
        return not (self._waiting or self._reading or self._decoding)

    def step(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Evaluate one batch; yield the request and the reply of each question that ended.

        A token of each decoding sequence, then prompts as they fit.
        QuestionError when llama.cpp cannot go on; the rest of the block is lost.
        """
        started = self._clock()
        self._admit(started)
        self._model.batch.clear()
        decoded, read = self._fill()
        self._model.evaluate()
        ended = list(self._sample(decoded, read))
        now = self._clock()
        tokens = len(decoded) + sum(count for _, count, _ in read)
        self._book(decoded, read, now, (now - started) / tokens)
        for reading in ended:
            yield reading.question.request, _reply(reading)
            if reading.is_scored:
                paused = time.perf_counter()
                yield reading.question.request, _scores(self._model, reading, self.read_on)
                self._paused += time.perf_counter() - paused
            self._release(reading)

    def _clock(self) -> float:
        return time.perf_counter() - self._paused

    def _fill(self) -> tuple[list[Reading], list[Part]]:
        """Fill the batch; return what is decoded, in order from its start, and what is read."""
        for reading in self._decoding:
            self._decode(reading)
        return self._decoding, self._read_prompts()

    def _decode(self, reading: Reading) -> None:
        """Put the last token of an answer into the batch."""
        position = len(reading.question.tokens) + reading.generated - 1
        self._model.batch.add(reading.token, position, reading.sequence)

    def _admit(self, now: float) -> None:
        """Start what is next, in order, while there is a sequence and room for it."""
        while self._waiting and self._fits(self._waiting[0]):
            work = self._waiting.popleft()
            work.sequence = self._take_sequence(work)
            self._cells -= work.cells
            if isinstance(work, Reading):
                self._asked += 1
                work.started = now
                work.sampler = work.question.make_sampler()
            if work.parent is not None:
                self._borrow(work, work.parent)
            self._reading.append(work)

    def _take_sequence(self, _work: Work) -> int:
        return self._free.pop()

    def _fits(self, work: Work) -> bool:
        return self._has_turn(work) and bool(self._free) and work.cells <= self._cells

    def _has_turn(self, work: Work) -> bool:
        """Whether what it goes on from is there, and one question more may be answered."""
        parent = work.parent
        if parent is not None and parent.evaluated < len(parent.piece.tokens):
            return False
        return not (isinstance(work, Reading) and self._asked == self._parallel)

    def _borrow(self, work: Work, parent: Work) -> None:
        """Go on from what the parent evaluated; the last to do so frees its sequence."""
        self._model.lend(parent.sequence, work.sequence)
        parent.piece.children -= 1
        # What was evaluated for several is counted for the first of them.
        work.prefilled, parent.prefilled = parent.prefilled, 0
        work.seconds, parent.seconds = parent.seconds, 0.0
        if parent.piece.children == 0:
            self._model.drop(parent.sequence)
            self._free.append(parent.sequence)

    def _read_prompts(self) -> list[Part]:
        """Fill the batch with prompts, as far as there are rows for logits; return what of each."""
        read = []
        for work in self._reading:
            count = min(self._model.batch.room, len(work.piece.tokens) - work.evaluated)
            if not count or not self._rows:
                break
            read.append(self._read(work, count))
        return read

    def _read(self, work: Work, count: int) -> Part:
        """Put the next tokens of a piece into the batch."""
        batch, tokens, at = self._model.batch, work.piece.tokens, work.evaluated
        batch.extend(tokens[at : at + count], work.piece.start + at, work.sequence)
        work.evaluated += count
        if not isinstance(work, self.kind) or work.evaluated < len(tokens):
            return work, count, -1
        self._rows -= 1
        return work, count, batch.want_logits()

    def _sample(self, decoded: list[Reading], read: list[Part]) -> Iterator[Reading]:
        """Choose the next token of every sequence; yield those that ended."""
        for place, reading in enumerate(decoded):
            if self._choose(reading, place):
                yield reading
        for work, _, place in read:
            if place >= 0:
                assert isinstance(work, Reading)
                if work.question.beside is not None:
                    work.row = self._model.logits.row(place)
                if self._choose(work, place):
                    yield work

    def _choose(self, reading: Reading, place: int) -> bool:
        """Sample a token; whether it ends the answer."""
        model, vocabulary = self._model, self._model.vocabulary
        reading.token = token = model.logits.sample(reading.sampler, place)
        reading.generated += 1
        if math.isnan(model.logits.of(place, token)):
            reading.reason = NO_NUMBERS
        elif vocabulary.ends(token) or reading.take(token, vocabulary):
            reading.reason = "stop"
        elif reading.question.is_full(
            reading.generated, reading.thought, is_thinking=reading.text.is_thinking
        ):
            reading.reason = "length"
        return bool(reading.reason)

    def _book(self, decoded: list[Reading], read: list[Part], now: float, seconds: float) -> None:
        """Share the time of a step among its tokens, and move on who has read its prompt."""
        for reading in decoded:
            reading.decode_seconds += seconds
            if reading.text.is_thinking:
                reading.thought_seconds += seconds
            elif reading.thought and not reading.first_answer:
                reading.first_answer = now - reading.started
        self._decoding = [reading for reading in self._decoding if not reading.reason]
        for work, count, place in read:
            work.seconds += seconds * count
            work.prefilled += count
            if work.evaluated == len(work.piece.tokens):
                self._reading.popleft()
            if place >= 0:
                assert isinstance(work, Reading)
                work.first_token = now - work.started
                if not work.reason:
                    self._decoding.append(work)

    def _release(self, reading: Reading) -> None:
        """Give back the sequence of an answer, and the cells that nobody holds any more."""
        self._model.free_sampler(reading.sampler)
        reading.sampler = None
        self._model.drop(reading.sequence)
        self._free.append(reading.sequence)
        self._asked -= 1
        self._give_back(reading)

    def _give_back(self, work: Work | None) -> None:
        """Free the cells that nobody holds any more: of a work and what it goes on from."""
        while work is not None:
            work.holders -= 1
            if work.holders:
                break
            self._cells += work.cells
            work = work.parent

    def close(self) -> None:
        """Free what the questions that are left hold."""
        for work in [*self._reading, *self._decoding]:
            if isinstance(work, Reading) and work.sampler is not None:
                self._model.free_sampler(work.sampler)
                work.sampler = None


def works_of(
    prompts: Sequence[list[int]],
    least_shared: int,
    own: int,
    make: Callable[[Piece, Work | None], Work],
) -> Iterator[Work]:
    """Yield what is to be evaluated for prompts, parents first.

    ``make`` returns the work of the piece that completes a prompt, after that of its parent.
    """
    works: dict[Piece, Work] = {}
    for piece in share_prefixes(prompts, least_shared, own):
        parent = works[piece.parent] if piece.parent is not None else None
        if piece.prompt is None:
            size = len(piece.tokens)
            works[piece] = work = Work(piece=piece, parent=parent, cells=size, holders=0)
        else:
            work = make(piece, parent)
        if parent is not None:
            parent.holders += 1
        yield work


def _reading(
    questions: Sequence[Question], piece: Piece, parent: Work | None, spans: Sequence[Span]
) -> Reading:
    assert piece.prompt is not None
    question = questions[piece.prompt]
    return Reading(
        piece=piece,
        parent=parent,
        cells=len(piece.tokens) + question.room,
        holders=1,
        question=question,
        text=ReasonedText(question.stop, spans, question.closing),
    )


def _reply(reading: Reading) -> dict[str, Any]:
    """Return the fields of a reply; QuestionError when the result is not an answer."""
    if reading.reason == NO_NUMBERS:
        return {"type": "error", "reason": NO_NUMBERS}
    question = reading.question
    timing = {
        "prompt_tokens": len(question.tokens),
        "prefilled_tokens": reading.prefilled,
        "generated_tokens": reading.generated,
        "time_to_first_token": question.seconds + reading.first_token,
        "prefill_seconds": reading.seconds,
        "decode_seconds": reading.decode_seconds,
        "total_seconds": question.seconds + reading.seconds + reading.decode_seconds,
    }
    if reading.thought:
        until = question.seconds + reading.first_answer if reading.first_answer else 0.0
        timing |= thought_times(reading.thought, reading.thought_seconds, until)
    return {
        "type": "answer",
        "text": reading.text.text(),
        "opened": question.closing is not None,
        "finish_reason": reading.reason,
        "timing": timing,
        "scored": reading.is_scored,
    }


def _scores(model: Model, reading: Reading, read_on: ReadOn) -> dict[str, Any]:
    """Return the fields of a reply: how likely an answer is, and texts in its place.

    The answer has been sent: whatever goes wrong here, it is not lost.
    """
    question = reading.question
    assert question.beside is not None
    wanted = question.beside.with_answer(reading.text.answer())
    try:
        read_on(model, reading.sequence, len(question.tokens), begin(reading.row, wanted))
    except (QuestionError, MemoryError) as exc:
        return {"type": "scores", "scores": None, "reason": str(exc)}
    return _beside_reply(question.beside, wanted)


def _beside_reply(beside: Beside, scored: Sequence[Continuation]) -> dict[str, Any]:
    """Return the fields of a reply: figures of the texts, and of the answer if it is none of them.

    No figures where the model computes no numbers: who scores these texts alone says so.
    """
    if is_broken(scored):
        return {"type": "scores", "scores": None, "reason": NO_NUMBERS}
    asked = beside.continuations
    own = [{"text": each.text, **each.figures()} for each in scored[len(asked) :]]
    return {"type": "scores", "scores": [each.figures() for each in asked], "answer": own}
