"""The most address space that a worker may take: a wrong file must not fill the machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.cache import memory_bytes
else:  # beside the worker, in an environment that may not have this package
    from cache import memory_bytes

if TYPE_CHECKING:
    from types import ModuleType

_COPIES = 3
"""The file as it is mapped, its weights rearranged for kernels, and room for both to move."""
_FIXED_BYTES = 4 * 2**30
"""What does not grow with a file: buffers of a batch for the largest vocabularies, libraries."""
_THREAD_BYTES = 192 * 2**20
"""What a thread reserves and mostly never touches: its stack, and an arena of the C library."""
_CELL_BYTES = 2**16
_CELL_SHARE = 1 / 1000
"""What a token takes in the cache, as a share of the file: at most 0.03 % in known models."""


def address_space(file_bytes: int, *, cells: int, threads: int, taken: int, memory: int) -> int:
    """Return the limit in bytes for a file and a cache of so many tokens.

    ``taken`` is what the process has already, ``memory`` what the machine has: no cache needs
    more than that.
    """
    cache = int(cells * (_CELL_BYTES + _CELL_SHARE * file_bytes))
    model = _COPIES * file_bytes + min(cache, memory)
    return taken + model + threads * _THREAD_BYTES + _FIXED_BYTES


def limit_memory(llama: ModuleType, file: str, *, cells: int, threads: int) -> None:
    """Limit the address space of this process, where the system knows such a limit.

    Not with a graphics card: its driver reserves addresses for all memory of the machine.
    """
    if llama.llama_supports_gpu_offload():
        return
    with contextlib.suppress(ImportError, OSError, ValueError, AttributeError, IndexError):
        import resource

        page = os.sysconf("SC_PAGE_SIZE")
        taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * page
        wanted = address_space(
            _size(Path(file)),
            cells=cells,
            threads=threads,
            taken=taken,
            memory=memory_bytes(),
        )
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard == resource.RLIM_INFINITY or wanted < hard:
            resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _size(file: Path) -> int:
    """Return the bytes of a model: of all its files, if it is split into several."""
    name, mark, rest = file.name.rpartition("-of-")
    if not mark:
        return file.stat().st_size
    head = name.rpartition("-")[0]
    return sum(part.stat().st_size for part in file.parent.iterdir() if _is_part(part, head, rest))


def _is_part(part: Path, head: str, rest: str) -> bool:
    return part.name.startswith(f"{head}-") and part.name.endswith(f"-of-{rest}")
