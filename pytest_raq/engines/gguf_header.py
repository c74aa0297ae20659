"""The header of a GGUF file, read without llama.cpp.

The layout is that of the GGUF specification (docs/gguf.md of ggml), versions 2
and 3, little-endian: magic, version, counts of tensors and of keys, then the
keys with their typed values. Nothing behind the keys is read, and no value is
kept that is not asked for, so that a vocabulary of 250,000 words is passed by.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_KEYS = 100_000
_MOST_TEXT = 1_000_000
"""Bytes of a text that is kept; a chat template has some thousands."""

_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_FORMATS |= {12: "d"}
_TEXT, _LIST = 8, 9

_QUANTIZATIONS = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    32: "BF16",
}
"""Names of ``general.file_type`` (enum llama_ftype of llama.h)."""

_WANTED = frozenset(
    {
        "general.architecture",
        "general.name",
        "general.type",
        "general.file_type",
        "split.count",
        "tokenizer.chat_template",
    }
)


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What is known of a model from its file.

    ``context_length`` counts the tokens it was trained for; 0 where the file
    does not say it. Texts that the file lacks are empty. ``parts`` is the
    number of files that the model is split into.
    """

    architecture: str
    name: str
    context_length: int
    chat_template: str
    quantization: str
    kind: str
    parts: int


def read_gguf_header(path: Path) -> GgufHeader:
    """Return the header of a GGUF file.

    ConfigError when the file is absent, unreadable, not GGUF, or ends within
    its header.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            keys = dict(_Reader(path, file, size).keys())
    except FileNotFoundError as exc:
        raise ConfigError(f"{path} does not exist") from exc
    except IsADirectoryError as exc:
        raise ConfigError(f"{path} is a folder; a model is a GGUF file") from exc
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"{path}: cannot be read: {getattr(exc, 'strerror', None) or exc}"
        ) from exc
    architecture = _text(keys, "general.architecture")
    return GgufHeader(
        architecture=architecture,
        name=_text(keys, "general.name"),
        context_length=max(0, _number(keys, f"{architecture}.context_length")),
        chat_template=_text(keys, "tokenizer.chat_template"),
        quantization=_QUANTIZATIONS.get(_number(keys, "general.file_type", -1), ""),
        kind=_text(keys, "general.type"),
        parts=max(1, _number(keys, "split.count")),
    )


def _text(keys: dict[str, object], key: str) -> str:
    value = keys.get(key, "")
    return value if isinstance(value, str) else ""


def _number(keys: dict[str, object], key: str, default: int = 0) -> int:
    value = keys.get(key, default)
    return value if isinstance(value, int) else default


class _Reader:
    """Reads what is in the file, and no more than that."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self._path, self._file, self._left = path, file, size

    def keys(self) -> list[tuple[str, object]]:
        """Return the wanted keys with their values."""
        self._check_start()
        count = self._unpack("Q")
        if not isinstance(count, int) or count > _MOST_KEYS:
            raise self._wrong(f"it claims {count} keys")
        found = []
        for _ in range(count):
            key = self._text(keep=True)
            value = self._value(self._kind(), keep=_is_wanted(key))
            if _is_wanted(key):
                found.append((key, value))
        return found

    def _check_start(self) -> None:
        magic = self._take(len(_MAGIC)) if self._left >= len(_MAGIC) else b""
        if magic != _MAGIC:
            raise ConfigError(f"{self._path} is not a GGUF file: it does not start with 'GGUF'")
        version = self._unpack("I")
        if version not in _VERSIONS:
            raise self._wrong(f"its version is {version}; 2 and 3 are known")
        self._unpack("Q")

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError(
            f"{self._path} is not a readable GGUF file: {what}; download or make it again"
        )

    def _need(self, count: int) -> None:
        if count > self._left:
            raise self._wrong("it ends within its header")
        self._left -= count

    def _take(self, count: int) -> bytes:
        self._need(count)
        return self._file.read(count)

    def _skip(self, count: int) -> None:
        self._need(count)
        self._file.seek(count, 1)

    def _unpack(self, code: str) -> object:
        raw = self._take(struct.calcsize(f"<{code}"))
        try:
            return struct.unpack(f"<{code}", raw)[0]
        except struct.error as exc:  # the file became shorter while it was read
            raise self._wrong("it ends within its header") from exc

    def _length(self) -> int:
        length = self._unpack("Q")
        assert isinstance(length, int)
        return length

    def _kind(self) -> int:
        kind = self._unpack("I")
        assert isinstance(kind, int)
        return kind

    def _text(self, *, keep: bool) -> str:
        length = self._length()
        if keep and length <= _MOST_TEXT:
            return self._take(length).decode("utf-8", errors="replace")
        self._skip(length)
        return ""

    def _value(self, kind: int, *, keep: bool) -> object:
        if kind in _FORMATS:
            return self._unpack(_FORMATS[kind])
        if kind == _TEXT:
            return self._text(keep=keep)
        if kind == _LIST:
            self._skip_list()
            return None
        raise self._wrong(f"it has a value of the unknown type {kind}")

    def _skip_list(self) -> None:
        kind, count = self._kind(), self._length()
        if kind in _FORMATS:
            self._skip(count * struct.calcsize(f"<{_FORMATS[kind]}"))
        elif kind == _TEXT:
            self._need(8 * count)  # each text has at least its length
            self._left += 8 * count
            for _ in range(count):
                self._skip(self._length())
        else:
            raise self._wrong(f"it has a list of the type {kind}")


def _is_wanted(key: str) -> bool:
    return key in _WANTED or key.endswith(".context_length")
