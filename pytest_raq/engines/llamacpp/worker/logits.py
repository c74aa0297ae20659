"""Part of the worker: what llama.cpp says of the successors of a token, and how one is chosen."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.log_softmax import log_softmax
else:  # beside the worker, in an environment that may not have this package
    from log_softmax import log_softmax

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class Logits:
    """The logits of the batch that was evaluated last; ``size`` is that of the vocabulary."""

    def __init__(self, llama: ModuleType, context: Any, size: int) -> None:  # noqa: ANN401 - a pointer
        self._llama, self._context, self._size = llama, context, size

    def sample(self, sampler: Any, place: int) -> int:  # noqa: ANN401 - an opaque pointer
        """Choose the successor of the token at a place of the batch."""
        token: int = self._llama.llama_sampler_sample(sampler, self._context, place)
        return token

    def of(self, place: int, token: int) -> float:
        """Return the logit of a successor of the token at a place of the batch."""
        value: float = self._llama.llama_get_logits_ith(self._context, place)[token]
        return value

    def row(self, place: int) -> bytes:
        """Return the logits of all successors of the token at a place of the batch."""
        found = self._llama.llama_get_logits_ith(self._context, place)
        return ctypes.string_at(found, self._size * ctypes.sizeof(ctypes.c_float))

    def log_p(self, place: int, tokens: Sequence[int]) -> tuple[list[float], int]:
        """Return log p (nats) of successors of the token at a place, and the likeliest of all."""
        found = self._llama.llama_get_logits_ith(self._context, place)
        return log_softmax(found, self._size, tokens)


def log_p_in(row: bytes, tokens: Sequence[int]) -> tuple[list[float], int]:
    """Return log p (nats) of tokens, and the likeliest one, from what `Logits.row` returned."""
    floats = ctypes.cast(ctypes.c_char_p(row), ctypes.POINTER(ctypes.c_float))
    return log_softmax(floats, len(row) // ctypes.sizeof(ctypes.c_float), tokens)
