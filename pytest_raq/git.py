"""Queries to git: baselines of another revision, the commit of a run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Sequence


_SECONDS = 60.0


def show_revision(spec: str) -> bytes:
    """Return the content of ``REV:PATH``; raise BaselineError if git does not find it."""
    # The colon ensures that git does not read the text as an option or show a commit.
    revision, _, path = spec.partition(":")
    if not path or revision.startswith("-"):
        raise BaselineError(f"{spec}: is not a file, a suite or REVISION:PATH")
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the spec is not an option
            ["git", "show", "--no-textconv", spec],  # noqa: S607 - the user's git
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise BaselineError(f"{spec}: git cannot be run to read it: {exc}") from exc
    if done.returncode:
        said = done.stderr.decode("utf-8", errors="replace").strip().splitlines()
        raise BaselineError(f"{spec}: git does not find it: {said[0] if said else 'no reason'}")
    return done.stdout


def tracked_files(paths: Sequence[Path]) -> list[Path]:
    """Return those of some files of one folder that are tracked by git; none without git."""
    folder = paths[0].parent
    command = ["git", "--no-optional-locks", "--literal-pathspecs", "-C", str(folder), "ls-files"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            [*command, "-z", "--", *(path.name for path in paths)],
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    names = {os.fsdecode(name) for name in done.stdout.split(b"\0")}
    return [path for path in paths if path.name in names]


def describe_commit(folder: Path) -> str:
    """Return the commit of a folder's git repository, 40 digits; empty if there is none.

    It ends with ``-dirty`` if tracked files differ from the commit.
    """
    command = ["git", "--no-optional-locks", "-C", str(folder), "describe", "--always"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            [*command, "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout.decode("ascii", "replace").strip()


class Repository:
    """A work tree of git and its revisions; paths are relative to its ``top``, with slashes."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def commit(self, revision: str) -> str:
        """Return the commit of a revision, 40 digits or more; empty if git does not know it."""
        return _text(self._ask("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"))

    def merge_base(self, commit: str) -> str:
        """Return the commit where the current one left another; empty if it is not known."""
        return _text(self._ask("merge-base", commit, "HEAD"))

    def relative(self, path: Path) -> str:
        """Return a path in the repository; empty if it is outside. Links of files are kept."""
        place = path.parent.resolve() / path.name
        return place.relative_to(self.top).as_posix() if place.is_relative_to(self.top) else ""

    def changed(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        """Return which of some files or folders differ from a commit: path → A, M, D or T.

        Files that are not committed count; new ones too, unless git ignores them.
        """
        options = ("--name-status", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
        parts = _names(self._ask("diff", *options, commit, "--", *paths))
        found = dict(zip(parts[1::2], parts[::2], strict=False))
        new = self._ask("ls-files", "--others", "--exclude-standard", "-z", "--", *paths)
        return {**found, **dict.fromkeys(_names(new), "A")}

    def files(self, commit: str, path: str) -> list[str]:
        """Return the files at or below a path in a commit; none if it is not there."""
        return _names(self._ask("ls-tree", "-r", "-z", "--name-only", commit, "--", path))

    def content(self, commit: str, path: str) -> bytes | None:
        """Return the content of a file in a commit; None if it is not there."""
        return self._ask("cat-file", "blob", f"{commit}:{path}")

    def _ask(self, *arguments: str) -> bytes | None:
        return _git(self.top, *arguments)


def find_repository(folder: Path) -> Repository | None:
    """Return the repository that a folder is in; None if there is none, or no git."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return Repository(Path(os.fsdecode(top.removesuffix(b"\n")))) if top else None


def _git(folder: Path, *arguments: str) -> bytes | None:
    """Return what git writes; None if it cannot be run, or fails."""
    command = ["git", "--no-optional-locks", "--literal-pathspecs", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            command, capture_output=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return None if done.returncode else done.stdout


def _text(said: bytes | None) -> str:
    return (said or b"").decode("ascii", "replace").strip()


def _names(said: bytes | None) -> list[str]:
    return [os.fsdecode(name) for name in (said or b"").split(b"\0") if name]
