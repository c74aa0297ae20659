"""Part of the worker: whether a model computes the same bits however it is asked.

What a version of llama.cpp computes with which kernel is not promised anywhere.
So each loaded model is tried: a prompt and what follows it alone, among others,
cut, and copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.questions import QuestionError
else:  # beside the worker, in an environment that may not have this package
    from questions import QuestionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_raq.engines.llamacpp.worker.model import Model

_FEWER = (8, 2)
"""Sequences, beside as many as there may be."""
_PROMPT, _PASSAGE = 16, 72
"""Tokens of what is tried among others, and cut and copied: attention may take 64 at a time."""
_LONG = 264
"""Tokens of a neighbour: attention then goes over more cells than a prompt of usual length has."""
_QUICK, _SLOW = 0.7, 15.0
"""Seconds for a whole batch: what takes longer is tried with less.

The second leaves room for a machine that is busy: what passed is remembered.
"""
_FOLLOWING = (3,)
"""Stands for the tokens of an answer."""
_STEP = 7919
"""A prime, so that a prompt has many different tokens."""

Trace = list[bytes]
"""The logits behind a prompt and behind each token that follows it."""


def self_test(model: Model) -> list[str]:
    """Return what changes bits: ``among others``, ``cut``, ``copied``; nothing if all is well."""
    trial = _Trial(model)
    ways: list[tuple[str, Callable[[], bool]]] = [("cut", trial.holds_cut)]
    if model.layout.parallel > 1:
        ways.insert(0, ("among others", trial.holds_among))
    if model.layout.lenders:
        ways.append(("copied", trial.holds_copied))
    broken = [step for step, holds in ways if not _is_sure(holds)]
    model.clear()
    return broken


def _is_sure(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except QuestionError:  # this llama.cpp cannot do it at all
        return False


class _Trial:
    """Prompts, each evaluated in the ways in which a block may evaluate it."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._ends = [0] * model.sequences
        """How many tokens each sequence has."""
        self._prompt = self._make_tokens(_PROMPT + model.least, 1)
        size = _PASSAGE if model.pace < _SLOW else _PROMPT
        self._passage = self._make_tokens(size + 2 * model.least, 1)
        self._prompt_alone, self._passage_alone = map(self._alone, (self._prompt, self._passage))

    def _make_tokens(self, count: int, start: int) -> list[int]:
        size, most = self._model.vocabulary.size, self._model.stream - len(_FOLLOWING)
        return [(start + place * _STEP) % size for place in range(min(count, most))]

    def _clear(self) -> None:
        # One by one: to empty the whole cache also overwrites it, which takes longer than a trial.
        for sequence in range(self._model.sequences):
            self._model.drop(sequence)
        self._ends = [0] * self._model.sequences

    def _alone(self, tokens: Sequence[int]) -> Trace:
        """Return what a prompt gives whole and alone."""
        self._clear()
        return [self._read(tokens, 0), *self._follow(1, 0)]

    def holds_among(self) -> bool:
        """Whether it gives that in the last of as many sequences as there may be, and of fewer."""
        self._clear()
        most = self._model.layout.parallel
        for sequence in range(most):
            is_long = self._model.pace < _QUICK and sequence == 0
            length = _LONG if is_long else self._model.least
            self._read(self._make_tokens(length, sequence + 2), sequence)
        counts = [most, *(count for count in _FEWER if count < most)]
        return all(self._among(count) == self._prompt_alone for count in counts)

    def _among(self, count: int) -> Trace:
        mine = count - 1
        self._model.drop(mine)
        self._ends[mine] = 0
        return [self._read(self._prompt, mine), *self._follow(count, mine)]

    def holds_cut(self) -> bool:
        """Whether it gives that in pieces: of an odd size, of the least, and the rest."""
        self._clear()
        tokens, least = self._passage, self._model.least
        first, second = least + 3, 2 * least + 3
        self._read(tokens[:first], 0, is_wanted=False)
        self._read(tokens[first:second], 0, is_wanted=False)
        return self._passage_alone == [self._read(tokens[second:], 0), *self._follow(1, 0)]

    def holds_copied(self) -> bool:
        """Whether it gives that where its beginning is copied from another sequence."""
        self._clear()
        tokens, half = self._passage, len(self._passage) // 2
        lender = self._model.sequences - 1
        self._read(self._prompt, 0, is_wanted=False)  # to be forgotten
        self._read(tokens[:half], lender, is_wanted=False)
        self._model.drop(0)
        self._model.lend(lender, 0)
        self._model.drop(lender)
        self._ends[0] = half
        return self._passage_alone == [self._read(tokens[half:], 0), *self._follow(1, 0)]

    def _read(self, tokens: Sequence[int], sequence: int, *, is_wanted: bool = True) -> bytes:
        """Evaluate a piece of a prompt; return the logits behind it where they are wanted."""
        model = self._model
        model.batch.clear()
        model.batch.extend(tokens, self._ends[sequence], sequence)
        place = model.batch.want_logits() if is_wanted else -1
        self._ends[sequence] += len(tokens)
        model.evaluate()
        return model.logits.row(place) if is_wanted else b""

    def _follow(self, count: int, mine: int) -> Trace:
        """Decode some tokens in each of several sequences; return the logits of one of them."""
        model, trace = self._model, []
        for token in _FOLLOWING:
            model.batch.clear()
            for sequence in range(count):
                model.batch.add(token, self._ends[sequence], sequence)
                self._ends[sequence] += 1
            model.fill_up()
            model.evaluate()
            trace.append(model.logits.row(mine))
        return trace
