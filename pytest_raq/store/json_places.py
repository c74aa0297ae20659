"""Where the parts of a JSON text stand, whatever its layout, also in one that is broken."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Path = tuple[int | str, ...]
"""Keys and indices from the document down, e.g. ``("models", "llama", "f1")``."""

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_NO_JSON = ("NaN", "Infinity", "-Infinity")


class _Step(NamedTuple):
    """A key of an object, or the start of a value."""

    path: Path
    start: int
    piece: str
    is_key: bool


def line_of(text: str, path: Sequence[int | str]) -> int:
    """Return the line (from 1) of a part, or of its nearest parent that is there."""
    wanted, best, position = tuple(path), 0, 0
    for step in _walk(text):
        size = len(step.path)
        if best < size <= len(wanted) and step.path == wanted[:size]:
            best, position = size, step.start
    return text.count("\n", 0, position) + 1


def path_at(text: str, position: int) -> Path:
    """Return the part that was being told before an offset; empty at the start."""
    path: Path = ()
    for step in _walk(text):
        if step.start >= position:
            break
        path = step.path
    return path


def find_repeated_key(text: str) -> Path | None:
    """Return the first key that an object has twice."""
    seen = set()
    for step in _walk(text):
        if step.is_key and step.path in seen:
            return step.path
        if step.is_key:
            seen.add(step.path)
    return None


def find_no_number(text: str) -> Path | None:
    """Return the first part that is NaN or infinite, which JSON does not know."""
    return next((step.path for step in _walk(text) if step.piece in _NO_JSON), None)


class _Frame:
    """An object or a list that is open, and where it is: a key, or an index."""

    def __init__(self, *, is_list: bool) -> None:
        self.is_list = is_list
        self.here: int | str | None = 0 if is_list else None
        self.awaits_key = not is_list

    def next(self) -> None:
        if isinstance(self.here, int):
            self.here += 1
        else:
            self.awaits_key = True


def _walk(text: str) -> Iterator[_Step]:
    """Yield each key and each value; text that is no JSON ends nothing."""
    frames: list[_Frame] = []
    for match in _TOKEN.finditer(text):
        piece, top = match[0], frames[-1] if frames else None
        if piece in "}]":
            del frames[-1:]
        elif piece == "," and top:
            top.next()
        elif piece in ":,":
            continue
        elif top and top.awaits_key:
            top.here, top.awaits_key = _key(piece), False
            yield _Step(_path(frames), match.start(), piece, is_key=True)
        else:
            yield _Step(_path(frames), match.start(), piece, is_key=False)
            if piece in "{[":
                frames.append(_Frame(is_list=piece == "["))


def _path(frames: Sequence[_Frame]) -> Path:
    return tuple(frame.here for frame in frames if frame.here is not None)


def _key(piece: str) -> str:
    try:
        return str(json.loads(piece))
    except ValueError:
        return piece.strip('"')
