"""Write what a hub said into a definition, so that the next pull gets the same file."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from pytest_raq.errors import HubError

if TYPE_CHECKING:
    from pathlib import Path

_TABLE = re.compile(r"^\s*\[")


def pin_lines(sha256: str, commit: str) -> str:
    """Return what a definition should say, as it is typed."""
    told = f'sha256 = "{sha256}"'
    return f'{told} and, in [source], revision = "{commit}"' if commit else told


def pin(path: Path, sha256: str, commit: str) -> None:
    """Set ``sha256`` and ``source.revision`` of a definition; the rest of it stays as it is.

    HubError, with the lines to type, where the file is not written plainly
    enough to be changed by a program.
    """
    try:
        before = path.read_text(encoding="utf-8")
        after = _set(before, None, "sha256", sha256, behind="file")
        if commit:
            after = _set(after, "source", "revision", commit, behind="filename")
        _require_same(_parse(after), _expected(_parse(before), sha256, commit))
        path.write_text(after, encoding="utf-8")
    except (OSError, ValueError) as exc:
        raise HubError(
            f"{path}: cannot be pinned ({exc}): write {pin_lines(sha256, commit)} yourself"
        ) from exc


def _require_same(found: dict[str, object], wanted: dict[str, object]) -> None:
    if found != wanted:
        raise ValueError("it would change more than that")


def _parse(text: str) -> dict[str, object]:
    return tomllib.loads(text.removeprefix("\ufeff"))


def _expected(table: dict[str, object], sha256: str, commit: str) -> dict[str, object]:
    source = table.get("source")
    assert isinstance(source, dict)
    revision = {"revision": commit} if commit else {}
    return {**table, "sha256": sha256, "source": {**source, **revision}}


def _set(text: str, table: str | None, key: str, value: str, *, behind: str) -> str:
    """Return a TOML text with a key of a table set, as a new line ``behind`` another if need be."""
    lines = text.splitlines(keepends=True)
    start, end = _extent(lines, table)
    line = f'{key} = "{value}"\n'
    for index in range(start, end):
        if re.match(rf"\s*{key}\s*=", lines[index]):
            lines[index] = line
            return "".join(lines)
    place = next(
        (index + 1 for index in range(start, end) if re.match(rf"\s*{behind}\s*=", lines[index])),
        start,
    )
    if place and not lines[place - 1].endswith("\n"):
        lines[place - 1] += "\n"
    return "".join((*lines[:place], line, *lines[place:]))


def _extent(lines: list[str], table: str | None) -> tuple[int, int]:
    """Return where the keys of a table begin and end; ValueError when it has no lines."""
    heads = [index for index, line in enumerate(lines) if _TABLE.match(line)]
    if table is None:
        return 0, heads[0] if heads else len(lines)
    for number, index in enumerate(heads):
        if re.match(rf"\s*\[\s*{table}\s*\]", lines[index]):
            return index + 1, heads[number + 1] if number + 1 < len(heads) else len(lines)
    raise ValueError(f"it has no [{table}] of its own lines")
