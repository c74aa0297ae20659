"""A model as it was typed: a GGUF file, a server, a file of a hub, or a definition."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from pytest_raq.config import load_model, nearest, suite_names
from pytest_raq.engines.gguf_header import GgufHeader, read_gguf_header
from pytest_raq.errors import ConfigError
from pytest_raq.scaffold.hub import HubFile, find_hub_file, split_hub_id
from pytest_raq.scaffold.servers import served_model

FAMILIES = ("gemma", "llama", "ministral", "mistral", "mixtral", "qwen", "phi", "granite", "smollm")
"""Families that a name tells; llama.cpp runs several of them as the architecture llama."""

REFERENCE = "reference"
"""The judge that needs no model."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_PART = re.compile(r"-\d{5}-of-\d{5}$")
_QUANTIZATION = re.compile(
    r"[-_.](?:ud[-_])?(?:i?q\d[a-z0-9_]*|t?q\d_\d|b?f16|fp16|f32|mxfp4(?:_moe)?)$", re.IGNORECASE
)
_NOT_GENERATING = frozenset({"bert", "nomic-bert", "jina-bert-v2", "clip", "t5encoder", "whisper"})


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model to be asked, and what is known of it before it runs.

    Exactly one of ``file`` (absolute), ``url`` and ``hub`` says where it is;
    none of them when the definition exists already. ``served_as`` is the name
    that a server knows the model by, ``key`` the variable that holds its key.
    """

    name: str
    file: Path | None = None
    header: GgufHeader | None = None
    url: str = ""
    served_as: str = ""
    key: str = ""
    hub: HubFile | None = None

    @property
    def exists(self) -> bool:
        """Whether its definition is there already."""
        return self.file is None and self.hub is None and not self.url

    @property
    def family(self) -> str:
        """The family, as far as names tell it; empty if unknown."""
        texts = [self.name, self.served_as, self.header.name if self.header else ""]
        words = " ".join(texts).lower()
        known = next((family for family in FAMILIES if family in words), "")
        return known or (self.header.architecture if self.header else "")


def local_models(folder: Path) -> list[Path]:
    """Return the GGUF files of a folder and of its folder ``models``."""
    return sorted({*folder.glob("*.gguf"), *folder.glob("models/*.gguf")})


def find_contestant(text: str, folder: Path) -> Contestant:
    """Return the model that a text names; ``NAME=…`` before it gives it a name.

    The text is the path of a GGUF file, the address of an OpenAI-compatible
    server (``#MODEL`` behind it says which of its models), the id of a file on
    a hub (``OWNER/REPO/FILE.gguf`` or ``OWNER/REPO:Q4_K_M``), or the name of a
    definition that ``folder`` has. ConfigError when it is none of these.
    """
    text, name = text.strip(), ""
    left, equals, right = text.partition("=")
    if equals and _NAME.fullmatch(left) and not _as_path(text).exists():
        name, text = left, right.strip()
    if not text:
        raise ConfigError("--model is empty: give a GGUF file, the address of a server or a hub id")
    found = _find(text, folder, name)
    if not _NAME.fullmatch(found.name):
        raise ConfigError(f"--model {text}: gives no name for models/NAME.toml: write NAME={text}")
    return found


def find_judge(text: str, folder: Path) -> str | Contestant:
    """Return ``reference``, the name of a definition of ``folder``, or a server as the judge.

    ConfigError when the text is none of these.
    """
    left, _, right = text.partition("=")
    url = right if _NAME.fullmatch(left) else text
    if url.startswith(("http://", "https://")):
        return find_contestant(text if url != text else f"judge={text}", folder)
    known = [REFERENCE, *suite_names(folder / "models")]
    if text not in known:
        raise ConfigError(f"--judge {text}: no such judge{nearest(text, known)}")
    return text if text == REFERENCE else load_model(folder / "models", text).name


def _find(text: str, folder: Path, name: str) -> Contestant:
    if text.startswith(("http://", "https://")):
        url, served_as, key = served_model(text)
        return Contestant(name or _plain_name(served_as), url=url, served_as=served_as, key=key)
    path = _as_path(text)
    if path.exists() or text.startswith(("/", ".", "~")):
        return _from_file(path, name)
    if (folder / "models" / f"{text}.toml").is_file() and not name:
        return Contestant(load_model(folder / "models", text).name)
    hub_id = split_hub_id(text)
    if hub_id is None or path.parent.is_dir():
        raise ConfigError(_tell_nothing(text, path, folder))
    hub = find_hub_file(*hub_id)
    return Contestant(name or _plain_name(hub.filename), hub=hub)


def _as_path(text: str) -> Path:
    try:
        path = Path(os.path.normpath(Path(text).expanduser().absolute()))
        str(path).encode()  # a definition is UTF-8, and names it
    except (RuntimeError, ValueError) as exc:
        raise ConfigError(f"--model {text!r}: is not a path: {exc}") from exc
    return path


def _from_file(path: Path, name: str) -> Contestant:
    header = read_gguf_header(path)
    if header.architecture in _NOT_GENERATING or header.kind not in {"", "model"}:
        kind = header.kind or header.architecture
        raise ConfigError(f"{path}: is of the kind {kind!r}, not a model that generates text")
    return Contestant(name or _plain_name(path.name), file=path, header=header)


def _tell_nothing(text: str, path: Path, folder: Path) -> str:
    beside = [file.name for file in path.parent.glob("*.gguf")]
    known = [*beside, *suite_names(folder / "models")]
    return (
        f"--model {text}: is no file, no definition in {folder / 'models'},"
        f" and no address or hub id{nearest(path.name, known)}"
    )


def _plain_name(text: str) -> str:
    """Return a file or served name without folders, suffix and quantization, in lower case."""
    stem = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem = _PART.sub("", stem.removesuffix(".gguf"))
    stem = _QUANTIZATION.sub("", stem) or stem
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file; ConfigError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc


def read_file(path: Path) -> bytes:
    """Return what a file holds; ConfigError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
