"""Part of the worker: log-probabilities from the logits of llama.cpp."""

from __future__ import annotations

import ctypes
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_DECIMALS = 9
"""What the last bits of exp() in one version of a library or another cannot change."""


def log_softmax(pointer: Any, size: int, tokens: Sequence[int]) -> tuple[list[float], int]:  # noqa: ANN401 - a pointer
    """Return log p (nats) of tokens, and the token with the highest one.

    ``pointer`` is to ``size`` floats, one for each token of the vocabulary. The
    sum is taken in double precision. NaN when a logit is not a number.
    """
    array = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float * size)).contents
    try:
        import numpy as np
    except ImportError:
        row = list(array)
        highest = max(row)
        total = math.fsum(math.exp(value - highest) for value in row)
        likeliest = row.index(highest)
    else:
        wide = np.frombuffer(memoryview(array), dtype=np.float32).astype(np.float64)
        likeliest = int(wide.argmax())
        highest = float(wide[likeliest])
        wide -= highest
        total = float(np.exp(wide, out=wide).sum())
    rest = math.log(total) if total > 0 else math.nan
    return [round(array[token] - highest - rest, _DECIMALS) for token in tokens], likeliest
