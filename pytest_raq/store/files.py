"""Write files so that a reader never sees half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pytest_raq.errors import StoreError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace ``path`` by ``content`` in one step, making its folder if needed.

    Text is written as UTF-8, with its line ends as they are.

    StoreError when the place cannot be written; the old file is then untouched.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        if isinstance(content, str):
            # Half of a surrogate pair, which a server may answer, is written as JSON escapes it.
            content = content.encode(errors="backslashreplace")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner reads; a result is for everyone.
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as exc:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def show_path(path: Path) -> str:
    """Return a path as a reader would type it: from the working folder where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
