"""Files: written in one step, locked, hashed, and shown as a user would type them."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator


_PAUSE = 0.02

COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
"""The suffixes of compressed files that can be read."""


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace ``path`` by ``content`` in one step, making its folder if needed.

    Text is written as UTF-8, with unchanged line ends.

    Raises StoreError if the path cannot be written; then the old file does not change.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        if isinstance(content, str):
            # Half of a surrogate pair, which a server may send, is written as a JSON escape.
            content = content.encode(errors="backslashreplace")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read; a result is for everyone.
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as exc:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def data_suffix(path: Path) -> str:
    """Return what a file contains, by its name: ``.csv`` for ``a.csv`` and ``a.CSV.gz``."""
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix in COMPRESSED else suffix


def show_path(path: Path) -> str:
    """Return a path as a user would type it: relative if it is inside the working folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def folder_lock(folder: Path, seconds: float) -> Iterator[None]:
    """Hold the lock of a folder; continue without it if it is not free in that time.

    The folder itself is locked, so that no file is left behind and a read-only
    folder can be locked too. The kernel releases the lock of a process that
    ends.
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
    end = time.monotonic() + seconds
    while not try_lock(handle) and time.monotonic() < end:
        time.sleep(_PAUSE)


def try_lock(handle: int) -> bool:
    """Take the lock of an open file or folder if it is free; true if locks are not supported."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system: each process works independently
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file; raise ConfigError if it cannot be read."""
    try:
        return hash_file(path)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits; raise OSError if unreadable."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
