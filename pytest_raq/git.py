"""Queries to git: baselines of another revision, the commit of a run."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from pytest_raq.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


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
