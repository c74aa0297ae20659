"""The model to ask, as a definition: a GGUF file, a file of a hub, or a server."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.config import load_model, nearest, suite_names
from pytest_raq.engines.gguf_header import GgufHeader, read_gguf_header
from pytest_raq.errors import ConfigError
from pytest_raq.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence


_ID = re.compile(
    r"(?P<repo>[\w][\w.-]*/[\w][\w.-]*)(?:[:/](?P<what>[\w][\w./-]*))?(?:@(?P<at>[\w][\w./-]*))?",
    re.ASCII,
)
_FIRST = ("Q4_K_M", "Q8_0")
"""Quantizations that are chosen when none is named, as in llama.cpp."""

_SECONDS = 5
_MOST_BYTES = 1_000_000

KEY_VARIABLE = "OPENAI_API_KEY"

FAMILIES = ("gemma", "llama", "ministral", "mistral", "mixtral", "qwen", "phi", "granite", "smollm")
"""Families recognized by name; llama.cpp runs several of them as the architecture llama."""

REFERENCE = "reference"
"""The judge that needs no model."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_PART = re.compile(r"-\d{5}-of-\d{5}$")
_QUANTIZATION = re.compile(
    r"[-_.](?:ud[-_])?(?:i?q\d[a-z0-9_]*|t?q\d_\d|b?f16|fp16|f32|mxfp4(?:_moe)?)$", re.IGNORECASE
)
_NOT_GENERATING = frozenset({"bert", "nomic-bert", "jina-bert-v2", "clip", "t5encoder", "whisper"})


@dataclass(frozen=True, slots=True)
class HubFile:
    """A GGUF file of a hub; if the hub was asked, ``revision`` is a commit, ``sha256`` known.

    Otherwise ``revision`` is the revision given by the user.
    """

    repo: str
    filename: str
    revision: str = ""
    sha256: str = ""


def split_hub_id(text: str) -> tuple[str, str, str] | None:
    """Return repository, file or quantization, and revision; None for a text of another form.

    Parts that the id does not have are empty.
    """
    found = _ID.fullmatch(text.removeprefix("hf:").removeprefix("//"))
    if found is None or found["repo"].endswith(".gguf"):
        return None
    return found["repo"], found["what"] or "", found["at"] or ""


def find_hub_file(repo: str, what: str, revision: str = "") -> HubFile:
    """Return the GGUF file of a name, a quantization, or the default.

    A named file needs no hub; the hub then only adds its commit and SHA-256.
    Raises ConfigError if the hub is needed and cannot be asked, or has no such file.
    """
    is_named = what.endswith(".gguf")
    try:
        commit, files = _list_files(repo, revision)
    except ConfigError:
        if is_named:
            return HubFile(repo, what, revision)
        raise
    filename = what if is_named else _choose(repo, what, list(files))
    if filename not in files:
        raise ConfigError(f"--model {repo}: has no file {what!r}{nearest(what, files)}")
    return HubFile(repo, filename, commit, files[filename])


def _list_files(repo: str, revision: str) -> tuple[str, dict[str, str]]:
    """Return the commit of a repository and its GGUF files with their SHA-256."""
    try:
        from huggingface_hub import HfApi
    except ImportError as exc:
        raise ConfigError(
            f"--model {repo}: which file? write {repo}/FILE.gguf, or install huggingface_hub"
        ) from exc
    try:
        info = HfApi().model_info(repo, revision=revision or None, files_metadata=True, timeout=10)
    except Exception as exc:  # every transport has its own errors
        told = (str(exc).strip() or type(exc).__name__).splitlines()[0]
        raise ConfigError(
            f"--model {repo}: the hub cannot be asked for its files ({told[:160]}):"
            f" write {repo}/FILE.gguf"
        ) from exc
    files = {
        item.rfilename: (item.lfs.sha256 or "") if item.lfs else ""
        for item in info.siblings or ()
        if item.rfilename.endswith(".gguf")
    }
    return info.sha or "", files


def _choose(repo: str, what: str, files: Sequence[str]) -> str:
    for wanted in (what,) if what else _FIRST:
        for name in files:
            if re.search(
                rf"(^|[-_./]){re.escape(wanted)}(-\d{{5}}-of-\d{{5}})?\.gguf$", name, re.IGNORECASE
            ):
                return name
    if len(files) == 1 and not what:
        return files[0]
    if not files:
        raise ConfigError(f"--model {repo}: has no GGUF file; choose a repository that has one")
    told = f"has no quantization {what!r}" if what else "has several files"
    raise ConfigError(f"--model {repo}: {told}: write {repo}/FILE.gguf, one of {', '.join(files)}")


def served_model(text: str) -> tuple[str, str, str]:
    """Return the base URL of a server, the model, and the variable of its API key.

    ``URL#MODEL`` names the model; else the server is asked, which must have
    exactly one. No key is sent, so a server that answers needs none. Raises
    ConfigError if the model is not clear.
    """
    url, _, wanted = text.partition("#")
    base = _base_url(url)
    if wanted:
        return base, wanted, KEY_VARIABLE
    names = _ask(base)
    if len(names) == 1:
        return base, names[0], ""
    told = ", ".join(safe_text(name, 60) for name in names[:12])
    raise ConfigError(
        f"--model {url}: the server has {len(names)} models: write {url}#MODEL"
        + (f", one of {told}" if told else "")
    )


def _base_url(url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as exc:
        raise ConfigError(f"--model {url}: is not an address: {exc}") from exc
    if not host or any(not char.isprintable() or char == " " for char in url):
        raise ConfigError(f"--model {url!r}: is not an address; write http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query:
        raise ConfigError(
            f"--model {parts.scheme}://{host}: an address must not contain a key:"
            " put it into an environment variable, and name that in api_key_env"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def _ask(base: str) -> list[str]:
    request = urllib.request.Request(f"{base}/models", headers={"Accept": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as reply:  # noqa: S310 - http(s) only
            table = json.loads(reply.read(_MOST_BYTES))
        return [str(item["id"]) for item in table["data"]]
    except urllib.error.HTTPError as exc:
        why = f"answers with status {exc.code} {exc.reason}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        why = str(getattr(exc, "reason", None) or exc) or type(exc).__name__
        why = f"does not list its models ({safe_text(why, 120)})"
    raise ConfigError(f"--model {base}: {why}: start the server, or name the model: {base}#MODEL")


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model to ask, and what is known about it before it runs.

    Exactly one of ``file`` (absolute), ``url`` and ``hub`` is its place;
    none of them if the definition already exists. ``served_as`` is the name
    of the model on its server, ``key`` the variable with its API key.
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
        """Whether its definition already exists."""
        return self.file is None and self.hub is None and not self.url

    @property
    def family(self) -> str:
        """The family, recognized by names; empty if unknown."""
        texts = [self.name, self.served_as, self.header.name if self.header else ""]
        words = " ".join(texts).lower()
        known = next((family for family in FAMILIES if family in words), "")
        return known or (self.header.architecture if self.header else "")


def local_models(folder: Path) -> list[Path]:
    """Return the GGUF files of a folder and of its folder ``models``."""
    return sorted({*folder.glob("*.gguf"), *folder.glob("models/*.gguf")})


def find_contestant(text: str, folder: Path) -> Contestant:
    """Return the model that a text names; the prefix ``NAME=`` gives it a name.

    The text is the path of a GGUF file, the address of an OpenAI-compatible
    server (``#MODEL`` at its end selects one of its models), the id of a file on
    a hub (``OWNER/REPO/FILE.gguf`` or ``OWNER/REPO:Q4_K_M``), or the name of a
    definition in ``folder``. Raises ConfigError if it is none of these.
    """
    text, name = text.strip(), ""
    left, equals, right = text.partition("=")
    if equals and _NAME.fullmatch(left) and not _as_path(text).exists():
        name, text = left, right.strip()
    if not text:
        raise ConfigError("--model is empty: give a GGUF file, the address of a server or a hub id")
    found = _find(text, folder, name)
    if not _NAME.fullmatch(found.name):
        raise ConfigError(f"--model {text}: has no name for models/NAME.toml: write NAME={text}")
    return found


def find_judge(text: str, folder: Path) -> str | Contestant:
    """Return ``reference``, the name of a definition of ``folder``, or a server as the judge.

    Raises ConfigError if the text is none of these.
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
        str(path).encode()  # a definition is UTF-8, and contains the path
    except (RuntimeError, ValueError) as exc:
        raise ConfigError(f"--model {text!r}: is not a path: {exc}") from exc
    return path


def _from_file(path: Path, name: str) -> Contestant:
    header = read_gguf_header(path)
    if header.architecture in _NOT_GENERATING or header.kind not in {"", "model"}:
        kind = header.kind or header.architecture
        raise ConfigError(f"{path}: has the kind {kind!r}; give a model that generates text")
    return Contestant(name or _plain_name(path.name), file=path, header=header)


def _tell_nothing(text: str, path: Path, folder: Path) -> str:
    beside = [file.name for file in path.parent.glob("*.gguf")]
    known = [*beside, *suite_names(folder / "models")]
    return (
        f"--model {text}: is not a file, a definition in {folder / 'models'},"
        f" an address or a hub id{nearest(path.name, known)}"
    )


def _plain_name(text: str) -> str:
    """Return a file or served name without folders, suffix and quantization, in lower case."""
    stem = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem = _PART.sub("", stem.removesuffix(".gguf"))
    stem = _QUANTIZATION.sub("", stem) or stem
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")


def read_file(path: Path) -> bytes:
    """Return the content of a file; raise ConfigError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
