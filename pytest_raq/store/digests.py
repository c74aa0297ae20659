"""SHA-256 of files, remembered as long as a file is as it was."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from pathlib import Path

RACY_SECONDS = 2.0
"""A file may change once more without another time: clocks of file systems tick that slowly."""


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits; OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def signature(found: os.stat_result) -> str:
    """Return what changes when a file does: device, inode, size and both times.

    The time of the last change of the inode is among them: it cannot be set
    back, as a copy that keeps times does with the time of modification.
    """
    times = f"{found.st_mtime_ns} {found.st_ctime_ns}"
    return f"{found.st_dev} {found.st_ino} {found.st_size} {times}"


def is_racy(found: os.stat_result) -> bool:
    """Whether a file changed so lately that its next change might not show.

    As git does with its index; a time in the future is never trusted.
    """
    return time.time() - max(found.st_mtime, found.st_ctime) < RACY_SECONDS
