"""Part of the worker: a context of llama.cpp, its cache and its batch."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.batch import Batch
    from pytest_raq.engines.llamacpp.worker.logits import Logits
    from pytest_raq.engines.llamacpp.worker.questions import QuestionError
else:  # beside the worker, in an environment that may not have this package
    from batch import Batch
    from logits import Logits
    from questions import QuestionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

State = ctypes.Array[ctypes.c_uint8]
"""What a sequence has in the cache, as llama.cpp writes it."""


class Context:
    """Evaluates batches of at most ``capacity`` tokens in a cache of ``cells`` tokens.

    ``raw`` is llama.cpp's context, ``vocabulary`` the number of its tokens;
    ``alive`` is called after each batch.
    """

    def __init__(
        self,
        llama: ModuleType,
        raw: Any,  # noqa: ANN401 - a pointer
        *,
        capacity: int,
        vocabulary: int,
        alive: Callable[[], None],
    ) -> None:
        self._llama, self._context, self._alive = llama, raw, alive
        self._memory = llama.llama_get_memory(raw)
        self.cells = int(llama.llama_n_ctx(raw))
        self.batch = Batch(llama, min(capacity, self.cells))
        self.logits = Logits(llama, raw, vocabulary)

    def clear(self, *, overwrite: bool = True) -> None:
        """Empty the cache; without ``overwrite`` in no time, but what stood there is still there.

        No token sees that, unless it is not a number.
        """
        self._llama.llama_memory_clear(self._memory, overwrite)

    def lend(self, lender: int, borrower: int) -> None:
        """Let a sequence go on from what another has in the cache.

        Between streams that is copied, before the next batch is evaluated; else nothing is.
        """
        self._llama.llama_memory_seq_cp(self._memory, lender, borrower, -1, -1)

    def drop(self, sequence: int) -> None:
        """Forget a sequence; cells that no other has are free."""
        self._llama.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def cut(self, sequence: int, position: int) -> None:
        """Forget what a sequence has from a position on; QuestionError where it cannot be cut."""
        if not self._llama.llama_memory_seq_rm(self._memory, sequence, position, -1):
            raise QuestionError("llama.cpp cannot cut the cache of this model")

    def state(self, sequence: int) -> State:
        """Return a copy of what a sequence has in the cache; QuestionError where there is none."""
        llama, context = self._llama, self._context
        size = int(llama.llama_state_seq_get_size(context, sequence))
        state = (ctypes.c_uint8 * size)()
        if not size or llama.llama_state_seq_get_data(context, state, size, sequence) != size:
            raise QuestionError("llama.cpp cannot copy the cache of this model")
        return state

    def restore(self, sequence: int, state: State) -> None:
        """Give a sequence what one of another context of the model has; QuestionError if it fails.

        Its cells keep their order, and stand at the start of an empty cache.
        """
        if not self._llama.llama_state_seq_set_data(self._context, state, len(state), sequence):
            raise QuestionError("llama.cpp cannot put a copy of a cache into another one")

    def evaluate(self) -> None:
        """Evaluate the batch; QuestionError when llama.cpp cannot."""
        self.batch.raw.n_tokens = self.batch.size
        code = self._llama.llama_decode(self._context, self.batch.raw)
        if code:
            raise QuestionError(f"llama.cpp could not evaluate a batch (code {code})")
        self._alive()
