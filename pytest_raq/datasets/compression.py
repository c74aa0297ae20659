"""Compressed files of questions and answers: gzip, bzip2, xz and Zstandard."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import zlib
from contextlib import closing
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MIB = 1 << 20
MOST_UNPACKED = 1024 * _MIB
"""Maximum bytes of an unpacked file."""
_HARMLESS = 64 * _MIB
"""Unpacked bytes that any file may have."""
_MOST_TIMES = 250
"""Beyond that, how many times its size a file may unpack to: real texts reach 10 to 100 times."""
_PIECE = _MIB


class _Readable(Protocol):
    """An open file that unpacks what it reads."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class _Format(NamedTuple):
    """A format of compressed files: its first bytes, how it is opened, what unpacks it."""

    name: str
    magic: bytes
    open: Callable[[IO[bytes]], _Readable]
    command: str


def _open_gzip(file: IO[bytes]) -> _Readable:
    return gzip.GzipFile(fileobj=file)


def _open_zstandard(file: IO[bytes]) -> _Readable:
    arrow = importlib.import_module("pyarrow")
    stream: _Readable = arrow.CompressedInputStream(file, "zstd")
    return stream


_FORMATS = (
    _Format("gzip", b"\x1f\x8b", _open_gzip, "gzip -dk"),
    _Format("Zstandard", b"\x28\xb5\x2f\xfd", _open_zstandard, "zstd -dk"),
    _Format("bzip2", b"BZh", bz2.BZ2File, "bzip2 -dk"),
    _Format("xz", b"\xfd7zXZ\x00", lzma.LZMAFile, "xz -dk"),
)
_BY_SUFFIX = dict(zip((".gz", ".zst", ".bz2", ".xz"), _FORMATS, strict=True))


def unpack(path: Path, raw: bytes) -> bytes:
    """Return the content of a file, which is unpacked if its name says that it is compressed.

    A file that unpacks to more than ``MOST_UNPACKED`` bytes, or to very many times
    its size, is refused before it fills the memory. DatasetError names the file.
    """
    found = _BY_SUFFIX.get(path.suffix.lower())
    if found is None:
        return raw
    if not raw.startswith(found.magic):
        raise DatasetError(
            f"{path}: is not compressed with {found.name}; rename it without {path.suffix}"
        )
    try:
        return _read(path, found, raw)
    except ImportError as exc:
        raise DatasetError(
            f"{path}: {found.name} files need the datasets extra:"
            f" pip install 'pytest-raq[datasets]', or unpack it: {found.command} {path.name}"
        ) from exc
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as exc:
        reason = " ".join(str(exc).split())[:200]
        raise DatasetError(f"{path}: is damaged: {reason}; get the file again") from exc


def most_unpacked(size: int) -> int:
    """Return the maximum bytes that a compressed file of so many bytes may unpack to."""
    return min(MOST_UNPACKED, max(_HARMLESS, _MOST_TIMES * size))


def _read(path: Path, found: _Format, raw: bytes) -> bytes:
    most = most_unpacked(len(raw))
    content = io.BytesIO()
    with closing(found.open(io.BytesIO(raw))) as file:
        while piece := file.read(_PIECE):
            if content.tell() + len(piece) > most:
                raise DatasetError(
                    f"{path}: {len(raw):,} bytes unpack to more than {most / _MIB:.4g} MiB,"
                    f" which could fill the memory; unpack it if you trust it: {found.command}"
                    f" {path.name}"
                )
            content.write(piece)
    return content.getvalue()
