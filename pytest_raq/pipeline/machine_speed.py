"""How fast the machine itself is at the moment: a fixed piece of work on all cores.

A busy neighbour, a lower clock or a throttled runner slow everything down, on
the machine that the fingerprint names. What the work takes then and now tells
that from a model that has become slower.
"""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

MACHINE = "machine_per_second"
"""The name of the measure beside those of a model: how often a second the work is done."""

_BLOCK = bytes(2**20)
_TIMES = 2


class MachineSpeed:
    """Does the work when asked: some milliseconds of hashing on each core, at the same time."""

    def __init__(self) -> None:
        self._cores = _usable_cores()
        self._pool = ThreadPoolExecutor(self._cores)

    def measure(self) -> float:
        """Return how often a second all cores together do their work."""
        start = time.perf_counter()
        # hashlib lets go of the interpreter's lock for blocks as large as this.
        list(self._pool.map(_work, range(self._cores)))
        return 1.0 / (time.perf_counter() - start)


def _work(_core: int) -> None:
    for _ in range(_TIMES):
        hashlib.sha256(_BLOCK)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
