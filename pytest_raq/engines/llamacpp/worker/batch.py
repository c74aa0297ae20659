"""Part of the worker: llama.cpp's batch, filled token by token."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class Batch:
    """Tokens of several sequences to be evaluated in one call."""

    def __init__(self, llama: ModuleType, capacity: int) -> None:
        self.raw: Any = llama.llama_batch_init(capacity, 0, 1)
        self._capacity = capacity
        self.size = 0
        # Each access to a field of the structure makes a new pointer: keep them, as arrays.
        self._tokens = _array(self.raw.token, capacity)
        self._positions = _array(self.raw.pos, capacity)
        self._logits = _array(self.raw.logits, capacity)
        self._sequences = [self.raw.seq_id[i] for i in range(capacity)]
        counts = self.raw.n_seq_id
        for i in range(capacity):
            counts[i] = 1

    @property
    def room(self) -> int:
        """How many tokens more it can take."""
        return self._capacity - self.size

    def clear(self) -> None:
        """Empty it."""
        self.size = 0

    def add(self, token: int, position: int, sequence: int) -> None:
        """Append a token whose successor is wanted."""
        at = self.size
        self._tokens[at] = token
        self._positions[at] = position
        self._sequences[at][0] = sequence
        self._logits[at] = 1
        self.size = at + 1

    def extend(
        self, tokens: Sequence[int], position: int, sequence: int, *, wanted: int = 0
    ) -> None:
        """Append tokens that are read; of the first ``wanted`` the successors are wanted."""
        start, count = self.size, len(tokens)
        self.size = end = start + count
        self._tokens[start:end] = tokens
        self._positions[start:end] = range(position, position + count)
        self._logits[start:end] = b"\1" * wanted + bytes(count - wanted)
        for pointer in self._sequences[start:end]:
            pointer[0] = sequence

    def want_logits(self) -> int:
        """Ask for the successor of the last token; return where it will be found."""
        self._logits[self.size - 1] = 1
        return self.size - 1


def _array(pointer: Any, size: int) -> Any:  # noqa: ANN401 - a type made by ctypes
    return ctypes.cast(pointer, ctypes.POINTER(pointer._type_ * size)).contents
