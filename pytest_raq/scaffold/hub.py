"""Which file of a hub repository is meant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.config import nearest
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ID = re.compile(
    r"(?P<repo>[\w][\w.-]*/[\w][\w.-]*)(?:[:/](?P<what>[\w][\w./-]*))?(?:@(?P<at>[\w][\w./-]*))?",
    re.ASCII,
)
_FIRST = ("Q4_K_M", "Q8_0")
"""Quantizations that are taken when none is named, as llama.cpp does."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """A GGUF file of a hub; ``revision`` is a commit and ``sha256`` known if the hub was asked.

    Where it was not, ``revision`` is what the user said.
    """

    repo: str
    filename: str
    revision: str = ""
    sha256: str = ""


def split_hub_id(text: str) -> tuple[str, str, str] | None:
    """Return repository, file or quantization, and revision of a hub id; None if it is none.

    What the id leaves out is empty.
    """
    found = _ID.fullmatch(text.removeprefix("hf:").removeprefix("//"))
    if found is None or found["repo"].endswith(".gguf"):
        return None
    return found["repo"], found["what"] or "", found["at"] or ""


def find_hub_file(repo: str, what: str, revision: str = "") -> HubFile:
    """Return the GGUF file that is meant by its name, its quantization, or not at all.

    A named file needs no hub; what the hub adds then is its commit and SHA-256.
    ConfigError when the hub is needed and cannot be asked, or has no such file.
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
    except Exception as exc:  # every transport has errors of its own
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
        raise ConfigError(f"--model {repo}: has no GGUF file; look for a repository that has")
    told = f"has no quantization {what!r}" if what else "has several files"
    raise ConfigError(f"--model {repo}: {told}: write {repo}/FILE.gguf, one of {', '.join(files)}")
