"""Write all files of a plan, or none."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError
from pytest_raq.scaffold.workflows import OWN_WORKFLOW
from pytest_raq.store import show_path, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_raq.scaffold.plan import Plan


def write_files(plan: Plan, *, force: bool) -> dict[str, bool]:
    """Write the files of a plan; return each path with whether it was written or is as before.

    A workflow of an earlier start stays as it is. ConfigError when a file of
    another content is there already and not ``force``; StoreError when one
    cannot be written. Whatever goes wrong, the folder is left as it was.
    """
    absent = {name: text for name, text in plan.kept.items() if not (plan.folder / name).exists()}
    content = plan.files | absent
    before = {name: _read(plan.folder / name) for name in content}
    if not force:
        content = {name: text for name, text in content.items() if not _is_own(text, before[name])}
        _refuse_overwriting(plan, {name: before[name] for name in content})
    changed = [name for name, wanted in content.items() if before[name] != wanted]
    made = _missing_folders(plan.folder / name for name in changed)
    try:
        for name in changed:
            write_atomically(plan.folder / name, content[name])
    except BaseException:  # Ctrl-C too leaves nothing half-written
        _restore(plan.folder, {name: before[name] for name in changed}, made)
        raise
    return {name: name in changed for name in {**plan.files, **plan.kept}}


def _read(path: Path) -> bytes | None:
    """Return what a file holds, None where there is none; ConfigError when that is not known."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        why = exc.strerror or exc
        raise ConfigError(f"{show_path(path)}: is there and cannot be read: {why}") from exc


def _is_own(wanted: bytes, found: bytes | None) -> bool:
    """Whether a file is a workflow that was written for another suite of the folder."""
    start = wanted.partition(b"\n")[0]
    return found is not None and OWN_WORKFLOW in start and found.startswith(start)


def _refuse_overwriting(plan: Plan, before: dict[str, bytes | None]) -> None:
    there = [name for name, found in before.items() if found not in (None, plan.files.get(name))]
    if there:
        verb = "exists" if len(there) == 1 else "exist"
        raise ConfigError(
            f"{', '.join(show_path(plan.folder / name) for name in there)} {verb} already:"
            f" nothing was written; {_ways_out(there)}--force replaces what is there"
        )


def _ways_out(there: list[str]) -> str:
    ways = {
        "suites/": "--suite NAME writes another suite",
        "models/": "--model NAME takes a definition that exists",
        "": "--ci none leaves the workflow alone",
    }
    found = [next(way for start, way in ways.items() if name.startswith(start)) for name in there]
    return "".join(f"{way}, " for way in dict.fromkeys(found))


def _missing_folders(paths: Iterable[Path]) -> list[Path]:
    """Return the folders that writing will make, the innermost first."""
    missing = {folder for path in paths for folder in path.parents if not folder.exists()}
    return sorted(missing, key=lambda folder: len(folder.parts), reverse=True)


def _restore(folder: Path, before: dict[str, bytes | None], made: list[Path]) -> None:
    for name, content in before.items():
        path = folder / name
        with contextlib.suppress(OSError):
            if content is None:
                path.unlink(missing_ok=True)
            elif path.read_bytes() != content:
                path.write_bytes(content)
    for folder_made in made:
        with contextlib.suppress(OSError):
            folder_made.rmdir()
