"""What can be known of a model's file before llama.cpp sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError, EngineStartError
from pytest_raq.files import hash_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_raq.config import ModelDefinition


_MAGIC = b"GGUF"
_LFS_POINTER = b"version https://git-lfs"
_SHOWN_BYTES = 24
_SHOWN_DIGITS = 12


def verify_model_file(
    definition: ModelDefinition, digest: Callable[[Path], str] | None = None
) -> str:
    """Return the SHA-256 of a model's file, 64 hexadecimal digits.

    ``digest`` returns the SHA-256 of a file, maybe from memory; without it the
    file is read.

    ConfigError when there is no such file; EngineStartError when it is not
    GGUF, or not the file whose SHA-256 the definition gives.
    """
    path = definition.file_path
    _require_file(path, definition)
    try:
        with path.open("rb") as file:
            _require_gguf(path, file.read(len(_LFS_POINTER) + _SHOWN_BYTES))
        found = (digest or hash_file)(path)
    except OSError as exc:
        raise EngineStartError(
            f"{path}: cannot be read: {exc.strerror or exc}: check its permissions and its disk"
        ) from exc
    if definition.sha256 not in (None, found):
        raise EngineStartError(_tell_other_file(path, found, definition))
    return found


def require_model_file(path: Path) -> None:
    """ConfigError when a path names no regular file, EngineStartError when that is not GGUF."""
    if not path.exists():
        raise ConfigError(f"{path} does not exist: name a GGUF file")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise ConfigError(f"{path} is {kind}: name a GGUF file")
    try:
        with path.open("rb") as file:
            _require_gguf(path, file.read(len(_LFS_POINTER) + _SHOWN_BYTES))
    except OSError as exc:
        raise EngineStartError(f"{path}: cannot be read: {exc.strerror or exc}") from exc


def _require_file(path: Path, definition: ModelDefinition) -> None:
    try:
        exists, is_file, is_folder = path.exists(), path.is_file(), path.is_dir()
    except (OSError, ValueError) as exc:
        raise ConfigError(
            f"{definition.path}: file = {definition.file!r} cannot be looked for: {exc}: correct it"
        ) from exc
    if not exists:
        raise ConfigError(
            f"{path} does not exist: {_where_to_get(definition)}, "
            f"or correct file = {definition.file!r} in {definition.path}"
        )
    if not is_file:
        kind = "a folder" if is_folder else "not a regular file"
        raise ConfigError(f"{path} is {kind}: file in {definition.path} must name a GGUF file")


def _where_to_get(definition: ModelDefinition) -> str:
    if definition.source is None:
        return "put the GGUF file there"
    return f"run raq models pull {definition.path.stem}"


def _require_gguf(path: Path, head: bytes) -> None:
    if head.startswith(_MAGIC):
        return
    if not head:
        raise EngineStartError(f"{path} is empty: download or make it again")
    if head.startswith(_LFS_POINTER):
        raise EngineStartError(f"{path} is a Git LFS pointer, not the model: run git lfs pull")
    raise EngineStartError(
        f"{path} is not a GGUF file: it starts with {_show(head[:_SHOWN_BYTES])}, not with 'GGUF': "
        "download it again, or convert the model to GGUF"
    )


def _show(head: bytes) -> str:
    return repr(head.decode("ascii")) if head.isascii() else repr(head).removeprefix("b")


def _tell_other_file(path: Path, digest: str, definition: ModelDefinition) -> str:
    expected = definition.sha256 or ""
    return (
        f"{path} is not the file of {definition.path}: its SHA-256 starts with "
        f"{digest[:_SHOWN_DIGITS]}, sha256 there with {expected[:_SHOWN_DIGITS]}: "
        "download it again, or correct sha256 if the file was changed on purpose"
    )
