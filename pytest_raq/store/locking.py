"""One process at a time opens a store or sets it aside."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAUSE = 0.02


@contextmanager
def folder_lock(folder: Path, seconds: float) -> Iterator[None]:
    """Hold the lock of a folder; go on without where it cannot be had in that time.

    The folder itself is locked, so that no file is left behind and a folder
    that cannot be written can be locked all the same. The kernel releases the
    lock of a process that dies.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        _wait_for(handle, seconds)
        yield
    finally:
        os.close(handle)


def _wait_for(handle: int, seconds: float) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        except OSError:  # a file system without locks
            return
        else:
            return
