"""Where a file of a hub may be written: inside the project, never through a link."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_raq.errors import HubError
from pytest_raq.hub.remote import hub_library

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


SUFFIX = ".gguf"
_MAGIC = b"GGUF"

_MARKS = (".git", "pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg")
"""What the folder of a project has."""

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def project_folder(definitions: Path) -> Path:
    """Return the folder of the project that a folder of definitions belongs to.

    It is the nearest folder with a file of git, Python or pytest; where there is none,
    the folder above the definitions, but never the root of the disk.
    """
    folder = definitions.resolve()
    for place in (folder, *folder.parents):
        if place != place.parent and any((place / mark).exists() for mark in _MARKS):
            return place
    return folder if folder.parent == folder.parent.parent else folder.parent


def hub_cache() -> Path:
    """Return the cache of huggingface_hub; HubError when it is not installed."""
    return Path(hub_library().constants.HF_HUB_CACHE)


def require_place(name: str, target: Path, folders: Sequence[Path]) -> None:
    """Raise HubError unless a model's file may be written to a path.

    The name must end in ``.gguf``, and the folder must be inside one of ``folders``, also
    after all links.
    """
    if target.suffix.lower() != SUFFIX:
        raise HubError(
            f"{target}: is no place for the file of {name}: a file that is pulled must end in"
            f" {SUFFIX}: correct file or filename in the definition"
        )
    try:
        place = target.parent.resolve()
        allowed = [folder.resolve() for folder in folders]
    except (OSError, RuntimeError, ValueError) as exc:
        raise HubError(f"{target}: cannot be written: {exc}: correct file") from exc
    if not any(place.is_relative_to(folder) for folder in allowed):
        raise HubError(
            f"{target}: is outside the project ({allowed[0]}), in {place}: correct file in the"
            f" definition of {name}, or allow this folder with --into {place}"
        )


def require_gguf(what: str, path: Path) -> None:
    """Raise HubError if a file does not begin like a GGUF file."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise HubError(f"{what}: is not a GGUF file: correct filename in [source]")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[IO[bytes]]:
    """Open a partial file for one process at a time; the others wait until that process ends.

    Raises HubError for anything but a file of its own: a link would lead the download to
    another file.
    """
    while True:
        with _open_own(path) as file:
            with contextlib.suppress(ImportError, OSError):
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            # The process that held the lock before may have moved the file.
            if _is_at(path, file):
                yield file
                return


def _open_own(path: Path) -> IO[bytes]:
    if path.is_symlink():
        raise _not_own(path)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _NO_FOLLOW, 0o666)
    file = os.fdopen(handle, "a+b")
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        file.close()
        raise _not_own(path)
    return file


def _not_own(path: Path) -> HubError:
    return HubError(
        f"{path}: is a link or no regular file, and a download is written to no other file:"
        " remove it"
    )


def _is_at(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def draft_of(source: Path, target: Path) -> Iterator[Path]:
    """Yield a new file beside ``target`` with the content of ``source``; remove it afterwards."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}.copy")
    try:
        try:
            draft.hardlink_to(source)  # no second 4 GB on the same disk
        except OSError:
            with source.open("rb") as content, draft.open("xb") as copy:
                shutil.copyfileobj(content, copy, 2**20)
        yield draft
    finally:
        draft.unlink(missing_ok=True)
