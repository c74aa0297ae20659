"""Fetch a file piece by piece; the part that is already here is never fetched twice.

huggingface_hub itself starts from the beginning after a process was killed, and
files of models take hours on a slow connection.
"""

from __future__ import annotations

import re
import time
from typing import IO, TYPE_CHECKING

from pytest_raq.errors import HubError
from pytest_raq.hub.remote import describe, find_remote, hub_library, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType
    from typing import Any

    from pytest_raq.config import SourceSettings
    from pytest_raq.hub.remote import RemoteFile

    Steps = Callable[[int, int | None], None]

_TIMEOUT = 30.0
_MOST_IN_VAIN = 4
"""Maximum attempts in a row that receive nothing."""
_MOST_ATTEMPTS = 60
_PAUSE = 1.0
_CONTENT_RANGE = re.compile(r"bytes (\d+)-")
_RANGE_REFUSED = 416
_PARTIAL = 206
_TRY_AGAIN = {403, 408, 429, 500, 502, 503, 504}
"""403: the address was signed for one hour only; the next attempt requests a new one."""


class _CutError(Exception):
    """The transfer ended early; the next attempt continues from there."""


def download(source: SourceSettings, remote: RemoteFile, file: IO[bytes], steps: Steps) -> None:
    """Append the missing part of a file; ``steps`` receives the bytes done and all bytes.

    Raises HubError when the hub stops sending or sends another amount; what arrived
    stays in the file.
    """
    library = hub_library()
    in_vain = 0
    for attempt in range(_MOST_ATTEMPTS):
        before = file.seek(0, 2)
        try:
            _fetch(library, source, remote, file, steps)
        except _CutError as exc:
            in_vain = 0 if file.seek(0, 2) > before else in_vain + 1
            if in_vain == _MOST_IN_VAIN or attempt == _MOST_ATTEMPTS - 1:
                raise HubError(
                    f"{describe(source)}: {_amount(file.seek(0, 2), remote.size)} arrived,"
                    f" then the transfer was cut off repeatedly ({exc}): run the command"
                    " again, it continues from there"
                ) from exc
            time.sleep(_PAUSE * (1 + in_vain))
            remote = _refresh(source, remote)
        else:
            return


def _amount(done: int, size: int | None) -> str:
    return f"{done:,} of {size:,} bytes" if size is not None else f"{done:,} bytes"


def _refresh(source: SourceSettings, remote: RemoteFile) -> RemoteFile:
    """Return the file as the hub describes it now; raise HubError if it has changed."""
    now = find_remote(source)
    if (now.sha256, now.git_blob, now.size) != (remote.sha256, remote.git_blob, remote.size):
        raise HubError(f"{describe(source)}: changed on the hub while it was pulled: pull again")
    return now


def _fetch(
    library: ModuleType, source: SourceSettings, remote: RemoteFile, file: IO[bytes], steps: Steps
) -> None:
    start = file.seek(0, 2)
    if remote.size is not None and start > remote.size:
        start = file.truncate(0)
    if start == remote.size:
        return
    headers = remote.headers | ({"range": f"bytes={start}-"} if start else {})
    try:
        with library.get_session().stream(
            "GET", remote.url, headers=headers, timeout=_TIMEOUT, follow_redirects=True
        ) as response:
            _require_success(library, source, response, file)
            file.seek(_start_of(response, start, file))
            _append(source, remote, response.iter_bytes(), file, steps)
    except library.errors.HfHubHTTPError as exc:
        raise tell(library, source, exc) from exc
    except library.errors.HTTPError as exc:
        raise _CutError(type(exc).__name__) from exc


def _require_success(
    library: ModuleType,
    source: SourceSettings,
    response: Any,  # noqa: ANN401 - of a library that is optional
    file: IO[bytes],
) -> None:
    status = response.status_code
    if status == _RANGE_REFUSED:
        file.truncate(0)
        raise _CutError("the hub refused to continue")
    if status in _TRY_AGAIN:
        raise _CutError(f"status {status}")
    try:
        library.utils.hf_raise_for_status(response)
    except library.errors.HfHubHTTPError as exc:
        raise tell(library, source, exc) from exc


def _start_of(response: Any, wanted: int, file: IO[bytes]) -> int:  # noqa: ANN401 - as above
    """Return the offset of a response in the file; a hub may always start at the beginning."""
    if response.status_code != _PARTIAL:
        return file.truncate(0)
    told = _CONTENT_RANGE.match(response.headers.get("content-range", ""))
    start = int(told[1]) if told else wanted
    if start != wanted:
        file.truncate(0)
        raise _CutError(f"the hub continued at {start:,} instead of {wanted:,}")
    return start


def _append(
    source: SourceSettings,
    remote: RemoteFile,
    pieces: Iterator[bytes],
    file: IO[bytes],
    steps: Steps,
) -> None:
    done = file.tell()
    for piece in pieces:
        done += len(piece)
        if remote.size is not None and done > remote.size:
            file.truncate(0)
            raise HubError(
                f"{describe(source)}: the hub sent more than the {remote.size:,} bytes that it"
                " announced: the download is deleted"
            )
        file.write(piece)
        steps(done, remote.size)
    file.flush()
    if remote.size is not None and done < remote.size:
        raise _CutError("the hub ended the transfer")
