"""Checks git: whether the baselines are in the repository, and which are not committed."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from pytest_raq.doctor.context import finding
from pytest_raq.records.command_results import Health

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_raq.doctor.context import CheckContext
    from pytest_raq.records.command_results import Finding

_SECTION = "project"
_SECONDS = 10.0
_MOST_NAMES = 3


def look_at_git(context: CheckContext) -> Iterator[Finding]:
    """Yield whether the baselines are in git, and which of them are not committed."""
    try:
        version = _git(context.folder, "--version").stdout.strip().removeprefix("git version ")
        yield _look(context.folder, version)
    except FileNotFoundError:
        yield finding(_SECTION, "git", Health.WARNING, "is not installed", "install git")
    except OSError as exc:
        told = f"cannot be run: {exc.strerror or exc}"
        yield finding(_SECTION, "git", Health.WARNING, told, "install git")
    except subprocess.TimeoutExpired:
        text = f"did not answer within {_SECONDS:g} s"
        step = "run git status here to see what it waits for"
        yield finding(_SECTION, "git", Health.WARNING, text, step)


def _look(folder: Path, version: str) -> Finding:
    inside = _git(folder, "rev-parse", "--is-inside-work-tree")
    if inside.stdout.strip() != "true":
        return _no_work_tree(version, inside)
    ignored = _git(folder, "check-ignore", "--", "baselines/mini.json").stdout.strip()
    if ignored:
        text = f"{version}; it ignores the folder baselines, which belongs in the repository"
        return finding(_SECTION, "git", Health.WARNING, text, "correct .gitignore")
    status = _git(folder, "status", "--porcelain", "-z", "--", "baselines")
    if status.returncode:
        return _trouble(version, status)
    changed = [entry[3:] for entry in status.stdout.split("\0") if entry]
    if not changed:
        return finding(_SECTION, "git", Health.OK, version)
    names = ", ".join(changed[:_MOST_NAMES]) + ", …" * (len(changed) > _MOST_NAMES)
    text = f"{version}; baselines that are not committed: {names}"
    step = "git add baselines && git commit, or git checkout baselines"
    return finding(_SECTION, "git", Health.WARNING, text, step)


def _no_work_tree(version: str, said: subprocess.CompletedProcess[str]) -> Finding:
    if said.returncode and "not a git repository" not in said.stderr:
        return _trouble(version, said)
    text = f"{version}; this folder is not in a repository, but baselines need one"
    return finding(_SECTION, "git", Health.WARNING, text, "git init")


def _trouble(version: str, said: subprocess.CompletedProcess[str]) -> Finding:
    """Return the problem reported by git: another owner of the folder, a damaged repository."""
    lines = said.stderr.strip().splitlines() or [f"exit code {said.returncode}"]
    commands = [line.strip() for line in lines if line.strip().startswith("git ")]
    step = commands[0] if commands else "run git status here, and follow its message"
    return finding(_SECTION, "git", Health.WARNING, f"{version}; {lines[0]}", step)


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - no shell, and our own arguments
        ["git", "--no-optional-locks", "-C", str(folder), *arguments],  # noqa: S607 - the user's
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        timeout=_SECONDS,
        check=False,
    )
