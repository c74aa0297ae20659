"""Part of the worker: instructions that the processor executed, where the kernel counts them.

A count has next to no noise: it does not move when other programs take time of the cores. Linux
counts with ``perf_event_open``; in most virtual machines, in containers without the right,
and on other systems there is no counter, and nothing is said of it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

_SYSCALLS = {"x86_64": 298, "aarch64": 241}
"""The number of perf_event_open by architecture (asm/unistd.h of Linux)."""
_HARDWARE, _INSTRUCTIONS = 0, 1
_SIZE = 128
_INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6
_THIS_PROCESS, _ANY_CPU, _NO_GROUP, _CLOSE_ON_EXEC = 0, -1, -1, 1 << 3
_VALUE = struct.Struct("Q")


class Counter:
    """The instructions in user space of this process and of threads that it starts later.

    ``event`` is another kind and event of the kernel's, for trying this out where no
    instructions are counted.
    """

    def __init__(self, event: tuple[int, int] = (_HARDWARE, _INSTRUCTIONS)) -> None:
        self._file = _open(*event)

    def read(self) -> int:
        """Return the count so far; 0 where nothing counts."""
        if self._file < 0:
            return 0
        try:
            (value,) = _VALUE.unpack(os.read(self._file, _VALUE.size))
        except (OSError, struct.error):
            return 0
        return int(value)

    def close(self) -> None:
        """Stop counting."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _open(kind: int, event: int) -> int:
    """Return the file of a counter, or -1."""
    number = _SYSCALLS.get(platform.machine())
    if number is None or not sys.platform.startswith("linux"):
        return -1
    attributes = bytearray(_SIZE)
    flags = _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR
    struct.pack_into("=IIQQQQQ", attributes, 0, kind, _SIZE, event, 0, 0, 0, flags)
    buffer = (ctypes.c_char * _SIZE).from_buffer(attributes)
    try:
        call = ctypes.CDLL(None, use_errno=True).syscall
    except (OSError, AttributeError):
        return -1
    call.restype = ctypes.c_long
    # Each as long as a register: what is variadic in C has no type here.
    given = (number, ctypes.addressof(buffer), _THIS_PROCESS, _ANY_CPU, _NO_GROUP, _CLOSE_ON_EXEC)
    return int(call(*map(ctypes.c_long, given)))
