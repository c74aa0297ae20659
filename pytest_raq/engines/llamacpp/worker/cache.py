"""Part of the worker: how a context's cache is laid out, and how much memory it may take.

Usually all sequences share one cache. A reproducible model gives each sequence a
stream of its own: cells of others between one's own would change the order in
which attention adds.
"""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.prefix import MOST_LENDERS
    from pytest_raq.engines.llamacpp.worker.questions import LoadError
else:  # beside the worker, in an environment that may not have this package
    from prefix import MOST_LENDERS
    from questions import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

_USUAL_CELLS = 8192
"""Tokens; what sequences of usual length fill together."""
_CACHE_SHARE = 8
"""The cache may take so small a part of the memory, unless one sequence needs more."""
_STREAM_UNIT = 256
"""Tokens; llama.cpp makes streams of a multiple of it."""
SIDE_BATCH = 128
"""Tokens that are evaluated at once beside answers: more would take more memory for logits."""
SIDE_SEQUENCES = 17
"""The prompt, and as many texts after it as are evaluated at once."""
_X86 = frozenset({"x86_64", "amd64", "i386", "i686"})


def least_rows() -> int:
    """Return the fewest tokens that kernels compute as they compute many.

    llama.cpp's products of matrices leave fewer columns to another kernel: below
    2 on x86, below 4 or 8 on Arm (``llamafile_sgemm``).
    """
    return 2 if platform.machine().lower() in _X86 else 8


@dataclass(frozen=True, slots=True)
class Layout:
    """``cells`` tokens for ``sequences``, of which ``parallel`` answer and ``lenders`` lend.

    With ``unified`` they share the cells, else each has its part of them.
    """

    sequences: int
    cells: int
    parallel: int
    lenders: int = MOST_LENDERS
    unified: bool = True


def most_cells(limit: int, parallel: int, *, streams: bool) -> int:
    """Return the most tokens that any layout of a cache has, with the cache beside it."""
    if streams:
        stream = -(-limit // _STREAM_UNIT) * _STREAM_UNIT
        return (max(parallel, least_rows()) + MOST_LENDERS) * stream
    return max(limit, min(parallel * limit, _USUAL_CELLS)) + limit + SIDE_BATCH


def shared_layouts(
    limit: int, parallel: int, *, bytes_of_a_cell: int, trained: int
) -> Iterator[Layout]:
    """Yield one cache for all sequences, and a smaller one for when memory is short.

    ``limit`` is how many tokens a sequence has at most; above ``trained``
    tokens of cache the model takes other rotary factors, 0: it never does.
    """
    affordable = memory_bytes() // _CACHE_SHARE // bytes_of_a_cell
    most = min(parallel * limit, _USUAL_CELLS, affordable)
    if trained:
        most = min(most, trained)
    for cells in dict.fromkeys((max(limit, most), limit)):
        yield Layout(parallel + MOST_LENDERS, cells, parallel)


def stream_layouts(limit: int, parallel: int, *, bytes_of_a_cell: int) -> Iterator[Layout]:
    """Yield streams for as many sequences as memory affords, then for fewer and fewer.

    LoadError when it has no room for one.
    """
    stream = -(-limit // _STREAM_UNIT) * _STREAM_UNIT
    memory, size = memory_bytes(), stream * bytes_of_a_cell
    if least_rows() * size > memory:
        reason = f"{memory / 1e9:.1f} GB of memory have no room for the {size / 1e9:.1f} GB"
        raise LoadError("context", f"{reason} that a sequence takes")
    affordable = memory // _CACHE_SHARE // size
    count = max(1, min(parallel, affordable - MOST_LENDERS))
    while True:
        # A question alone needs no passage that is kept for others.
        lenders = MOST_LENDERS if count > 1 else 0
        sequences = max(count, least_rows()) + lenders
        yield Layout(sequences, sequences * stream, count, lenders, unified=False)
        if count == 1:
            return
        count //= 2


def side_layout(limit: int, *, trained: int) -> Layout:
    """Return the cache of a second context, in which texts are scored beside answers.

    ``limit`` is how many tokens a sequence has at most; beyond ``trained`` tokens of
    cache the model takes other rotary factors, so both caches stand on one side of it.
    """
    cells = limit + SIDE_BATCH
    return Layout(SIDE_SEQUENCES, limit if limit <= trained < cells else cells, parallel=1)


def memory_bytes() -> int:
    """Return the memory of this machine, or of the container that this process is in."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")
        return min(pages * size, int(limit))
    return pages * size
