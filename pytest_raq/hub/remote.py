"""Queries about a file on a hub before it is fetched, and the form of hub ids."""

from __future__ import annotations

import importlib
import logging
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_raq.config import SourceSettings
from pytest_raq.errors import ConfigError, HubError

if TYPE_CHECKING:
    from types import ModuleType


_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_BLOB = re.compile(r"[0-9a-f]{40}")
_YES = {"1", "ON", "YES", "TRUE"}
_SECONDS = 10.0
_PAUSES = (1.0, 2.0, 4.0)
_BUSY = {408, 429, 500, 502, 503, 504}
_REASON_LENGTH = 160
_USER = re.compile(r"(?<=://)[^/\s]*@")
"""Name and password in an address."""

SCHEME = "hf:"
FORM = "hf:ORG/REPO/FILE or hf:ORG/REPO/FILE@REVISION"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as its hub describes it.

    ``sha256`` or, for a file that the hub keeps in git itself, ``git_blob``
    is the hash of its content; ``size`` is in bytes, None if the hub does not
    report it; ``commit`` is the commit of the revision, empty if it is not
    reported; ``headers`` are for requests to its ``url``.
    """

    url: str
    headers: dict[str, str]
    size: int | None
    commit: str
    sha256: str = ""
    git_blob: str = ""


class HubUnreachableError(HubError):
    """The hub cannot be asked: no network, offline mode, or it does not answer."""


def hub_library() -> ModuleType:
    """Return huggingface_hub; HubError when it is not installed."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        library = importlib.import_module("huggingface_hub")
        for part in ("constants", "errors", "utils"):
            importlib.import_module(f"huggingface_hub.{part}")
    except ImportError as exc:
        raise HubError(
            "files of a hub need the huggingface_hub package: pip install 'pytest-raq[hub]'"
        ) from exc
    # It reports its retries with signed addresses; our own messages are enough.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return library


def is_offline(library: ModuleType) -> bool:
    """Whether the environment forbids asking the hub."""
    said = os.environ.get("HF_HUB_OFFLINE", "").upper() in _YES
    return said or bool(library.constants.HF_HUB_OFFLINE)


def endpoint() -> str:
    """Return the address of the hub."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def shown_endpoint() -> str:
    """Return the address of the hub without user and password."""
    return _USER.sub("", endpoint())


def describe(source: SourceSettings) -> str:
    """Return the name of a hub file for messages."""
    return f"{source.filename} of {source.repo} ({source.revision})"


def find_remote(source: SourceSettings) -> RemoteFile:
    """Ask the hub for size, content hash and commit of a file.

    Raises HubError, on one line, if there is no such file or it may not be read;
    HubUnreachableError if the hub cannot be asked.
    """
    library = hub_library()
    if is_offline(library):
        raise HubUnreachableError(f"{describe(source)}: HF_HUB_OFFLINE forbids asking the hub")
    for pause in _PAUSES:
        try:
            return _ask(library, source)
        except HubUnreachableError as exc:
            if not isinstance(exc, _HubBusyError):
                raise
            time.sleep(pause)
    return _ask(library, source)


class _HubBusyError(HubUnreachableError):
    """The hub replies that it is not available now."""


def _ask(library: ModuleType, source: SourceSettings) -> RemoteFile:
    try:
        url = library.hf_hub_url(
            source.repo, source.filename, revision=source.revision, endpoint=endpoint()
        )
        found = library.get_hf_file_metadata(url, timeout=_SECONDS)
    except Exception as exc:
        raise tell(library, source, exc) from exc
    etag = found.etag or ""
    return RemoteFile(
        url=found.location,
        headers=_headers(library, url, found.location),
        size=found.size,
        commit=found.commit_hash or "",
        sha256=etag if _SHA256.fullmatch(etag) else "",
        git_blob=etag if _GIT_BLOB.fullmatch(etag) else "",
    )


def _headers(library: ModuleType, asked: str, location: str) -> dict[str, str]:
    """Return the headers of a request; the token is sent only to the hub, to no other host."""
    headers = dict(library.utils.build_hf_headers(library_name="pytest-raq"))
    if urlsplit(asked)[:2] != urlsplit(location)[:2]:
        headers = {name: value for name, value in headers.items() if name != "authorization"}
    return headers | {"accept-encoding": "identity"}


def tell(library: ModuleType, source: SourceSettings, exc: Exception) -> HubError:
    """Return an error of huggingface_hub with a message of ours."""
    errors, what = library.errors, describe(source)
    consent = (
        f"its authors require consent: give it at {shown_endpoint()}/{source.repo} and set HF_TOKEN"
        " to your token"
    )
    absent = (
        f"{shown_endpoint()} has no such repository: correct repo, or set HF_TOKEN if it is private"
    )
    for kind, told in (
        (errors.GatedRepoError, consent),
        (errors.RemoteEntryNotFoundError, "the repository has no such file: correct filename"),
        (errors.RevisionNotFoundError, "the repository has no such revision: correct revision"),
        (errors.RepositoryNotFoundError, absent),
    ):
        if isinstance(exc, kind):
            return HubError(f"{what}: {told}")
    if isinstance(exc, errors.HfHubHTTPError):
        status = exc.response.status_code
        hint = ": check HF_TOKEN" if status in (401, 403) else ""
        text = f"{what}: {shown_endpoint()} answered with status {status}{hint}"
        return _HubBusyError(text) if status in _BUSY else HubError(text)
    if isinstance(exc, errors.HFValidationError | ValueError):
        return HubError(f"{what}: {_reason(exc)}: correct [source]")
    return HubUnreachableError(f"{what}: {shown_endpoint()} cannot be reached ({_reason(exc)})")


def _reason(exc: Exception) -> str:
    text = " ".join(str(exc).split()) or type(exc).__name__
    token = os.environ.get("HF_TOKEN", "")
    text = _USER.sub("", text.replace(token, "…") if token else text)
    return text if len(text) <= _REASON_LENGTH else f"{text[:_REASON_LENGTH]}…"


def find_cached(source: SourceSettings) -> Path | None:
    """Return the path of a file in the cache of huggingface_hub; None if it is not there."""
    library = hub_library()
    try:
        found = library.try_to_load_from_cache(
            source.repo, source.filename, revision=source.revision
        )
    except ValueError as exc:
        raise tell(library, source, exc) from exc
    return Path(found) if isinstance(found, str) else None


def parse_target(text: str) -> SourceSettings | None:
    """Return the file of a hub that a text names; None if it is not a hub id.

    Raises ConfigError if it begins like a hub id but is not valid.
    """
    if not text.startswith(SCHEME):
        return None
    place, at, revision = text.removeprefix(SCHEME).removeprefix("//").partition("@")
    organisation, _, rest = place.partition("/")
    name, _, filename = rest.partition("/")
    parts = (organisation, name, *filename.split("/"))
    is_whole = all(parts) and bool(at) == bool(revision)
    if not is_whole or not {".", ".."}.isdisjoint((*parts, revision)):
        raise ConfigError(f"{text}: is not a file of a hub: write {FORM}")
    settings = {"repo": f"{organisation}/{name}", "filename": filename}
    return SourceSettings(**settings, **({"revision": revision} if revision else {}))
