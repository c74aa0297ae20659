"""Part of the worker: whether a model computes the same bits however it is asked.

What a version of llama.cpp computes with which kernel is not promised anywhere.
So each loaded model is tried: a prompt and what follows it alone, among others,
cut, and copied.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.questions import QuestionError
else:  # beside the worker, in an environment that may not have this package
    from questions import QuestionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_raq.engines.llamacpp.worker.model import Model

_SEVERAL = (2, 8)
_TOKENS, _FEWER = 24, 8
"""Tokens of the prompt that is tried; fewer of a large model."""
_LONG = 264
"""Tokens of a neighbour: attention then goes over more cells than a prompt of usual length has."""
_FOLLOWING = (3, 5)
"""Stand for the tokens of an answer."""
_STEP = 7919
"""A prime, so that a prompt has many different tokens."""

Trace = list[bytes]
"""The logits behind a prompt and behind each token that follows it."""


def self_test(model: Model) -> list[str]:
    """Return what changes bits: ``among others``, ``cut``, ``copied``; nothing if all is well."""
    trial, most = _Trial(model), model.layout.parallel
    alone = trial.alone()
    several = dict.fromkeys(count for count in (*_SEVERAL, most) if 1 < count <= most)
    ways = [("among others", partial(trial.among, count)) for count in several]
    ways.append(("cut", trial.cut))
    if model.layout.lenders:
        ways.append(("copied", trial.copied))
    broken = [step for step, way in ways if not _gives(way, alone)]
    model.clear()
    return list(dict.fromkeys(broken))


def _gives(way: Callable[[], Trace], expected: Trace) -> bool:
    try:
        return way() == expected
    except QuestionError:  # this llama.cpp cannot do it at all
        return False


class _Trial:
    """One prompt, evaluated in the ways in which a block may evaluate it."""

    def __init__(self, model: Model) -> None:
        self._model = model
        size = _TOKENS if model.is_quick else _FEWER
        self._tokens = self._make_tokens(size + 4 * model.least, 1)
        self._ends = [0] * model.sequences
        """How many tokens each sequence has."""

    def _make_tokens(self, count: int, start: int) -> list[int]:
        size, most = self._model.vocabulary.size, self._model.stream - len(_FOLLOWING)
        return [(start + place * _STEP) % size for place in range(min(count, most))]

    def _clear(self) -> None:
        self._model.clear()
        self._ends = [0] * self._model.sequences

    def alone(self) -> Trace:
        """Return what the prompt gives whole and alone."""
        self._clear()
        return [self._read(self._tokens, 0), *self._follow(1, 0)]

    def among(self, count: int) -> Trace:
        """Return what it gives in the first of two sequences, or in the last of more."""
        self._clear()
        mine = 0 if count == _SEVERAL[0] else count - 1
        others = [sequence for sequence in range(count) if sequence != mine]
        for sequence in others:
            is_long = self._model.is_quick and sequence == others[0] and count > _SEVERAL[0]
            length = _LONG if is_long else self._model.least
            self._read(self._make_tokens(length, sequence + 2), sequence)
        return [self._read(self._tokens, mine), *self._follow(count, mine)]

    def cut(self) -> Trace:
        """Return what it gives in pieces: of an odd size, of the least, and the rest."""
        self._clear()
        least = self._model.least
        first, second = least + 3, 2 * least + 3
        self._read(self._tokens[:first], 0, is_wanted=False)
        self._read(self._tokens[first:second], 0, is_wanted=False)
        return [self._read(self._tokens[second:], 0), *self._follow(1, 0)]

    def copied(self) -> Trace:
        """Return what it gives where its beginning is copied from another sequence."""
        self._clear()
        half, lender = len(self._tokens) // 2, self._model.sequences - 1
        self._read(self._tokens[half:], 0, is_wanted=False)  # to be forgotten
        self._read(self._tokens[:half], lender, is_wanted=False)
        self._model.drop(0)
        self._model.lend(lender, 0)
        self._model.drop(lender)
        self._ends[0] = half
        return [self._read(self._tokens[half:], 0), *self._follow(1, 0)]

    def _read(self, tokens: Sequence[int], sequence: int, *, is_wanted: bool = True) -> bytes:
        """Evaluate a piece of a prompt; return the logits behind it where they are wanted."""
        model = self._model
        model.batch.clear()
        model.batch.extend(tokens, self._ends[sequence], sequence)
        place = model.batch.want_logits() if is_wanted else -1
        self._ends[sequence] += len(tokens)
        model.evaluate()
        return model.logits(place) if is_wanted else b""

    def _follow(self, count: int, mine: int) -> Trace:
        """Decode some tokens in each of so many sequences; return the logits of one of them."""
        model, trace = self._model, []
        for token in _FOLLOWING:
            model.batch.clear()
            for sequence in range(count):
                model.batch.add(token, self._ends[sequence], sequence)
                self._ends[sequence] += 1
            model.fill_up()
            model.evaluate()
            trace.append(model.logits(mine))
        return trace
