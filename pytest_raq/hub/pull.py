"""Fetches and checks files of a hub, puts them in their place, and pins them to a commit."""

from __future__ import annotations

import glob
import hashlib
import re
import shutil
import tomllib
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from pytest_raq.errors import HubError, StoreError
from pytest_raq.files import hash_file, write_atomically
from pytest_raq.hub.download import download
from pytest_raq.hub.places import draft_of, locked, require_gguf, require_place
from pytest_raq.hub.remote import HubUnreachableError, describe, find_cached, find_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_raq.config import SourceSettings
    from pytest_raq.hub.remote import RemoteFile


_SHOWN_DIGITS = 12

_TABLE = re.compile(r"^\s*\[")

if TYPE_CHECKING:
    Steps = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A file that is needed at a path.

    ``sha256`` is the required SHA-256, whatever the hub says, empty if it is
    not known; ``remote`` is the answer of the hub, None if it cannot be asked.
    """

    name: str
    source: SourceSettings
    target: Path
    sha256: str = ""
    remote: RemoteFile | None = None
    cached: Path | None = None
    is_complete: bool = False

    @property
    def missing_bytes(self) -> int:
        """Bytes that have to be fetched or copied; 0 if unknown."""
        if self.is_complete:
            return 0
        if self.cached is not None:
            found = self.cached.stat()
            # On the same disk, both paths share one file.
            is_link = found.st_dev == _existing(self.target.parent).stat().st_dev
            return 0 if is_link else found.st_size
        size = (self.remote.size if self.remote else None) or 0
        part = self.partial
        return max(0, size - (part.stat().st_size if part.exists() else 0))

    @property
    def partial(self) -> Path:
        """The partial file of the download, next to the target."""
        content = self.expected or (self.remote.git_blob if self.remote else "")
        return self.target.with_name(f".{self.target.name}.{content[:_SHOWN_DIGITS]}.part")

    @property
    def expected(self) -> str:
        """The SHA-256 that the file must have; empty if unknown."""
        return self.sha256 or (self.remote.sha256 if self.remote else "")


@dataclass(frozen=True, slots=True)
class Pulled:
    """What was done: ``how`` is "complete", "fetched" or "from the cache"."""

    job: Job
    sha256: str
    size: int
    how: str


class Puller:
    """Pulls files into ``folders``, and writes nowhere else.

    ``digest`` returns the SHA-256 of a file, possibly from memory.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        digest: Callable[[Path], str] | None = None,
        *,
        force: bool = False,
    ) -> None:
        self._folders = tuple(folders)
        self._digest = digest or hash_file
        self._force = force

    def plan(self, job: Job) -> Job:
        """Plan what has to be done for a job; raise HubError if it cannot be done.

        The hub is not asked about an existing file with the right SHA-256.
        If it cannot be reached, the cache of huggingface_hub is used.
        """
        if job.sha256 and job.target.is_file() and self._digest(job.target) == job.sha256:
            return replace(job, is_complete=True)
        require_place(job.name, job.target, self._folders)
        try:
            job = replace(job, remote=find_remote(job.source))
        except HubUnreachableError as exc:
            return self._plan_offline(job, exc)
        self._refuse_other(job)
        if not job.expected and not (job.remote and job.remote.git_blob):
            raise HubError(
                f"{describe(job.source)}: the hub does not report its SHA-256: set sha256"
            )
        if job.target.exists():
            return self._plan_existing(job)
        return replace(job, cached=self._find_cached(job))

    def _plan_offline(self, job: Job, reason: HubError) -> Job:
        cached = find_cached(job.source)
        if cached is None:
            where = (
                "there is no file yet" if not job.target.exists() else "there is an unknown file"
            )
            raise HubUnreachableError(
                f"{reason}, it is not in the cache, and {where} at {job.target}"
            ) from reason
        known = cached.resolve().name  # files in the cache are named by their SHA-256
        if not job.sha256 and len(known) == len(hashlib.sha256().hexdigest()):
            job = replace(job, sha256=known)
        if job.target.exists() and self._digest(job.target) == (job.sha256 or self._digest(cached)):
            return replace(job, is_complete=True)
        self._refuse_existing(job)
        return replace(job, cached=cached)

    def _plan_existing(self, job: Job) -> Job:
        if job.target.is_file() and self._fits(job, job.target):
            return replace(job, is_complete=True)
        self._refuse_existing(job)
        return replace(job, cached=self._find_cached(job))

    def _refuse_existing(self, job: Job) -> None:
        if job.target.exists() and not (self._force and job.target.is_file()):
            raise HubError(
                f"{job.target}: exists, but is not {describe(job.source)}:"
                " move it away, or replace it with --force"
            )

    def _refuse_other(self, job: Job) -> None:
        told = job.remote.sha256 if job.remote else ""
        if job.sha256 and told and told != job.sha256:
            raise HubError(
                f"{describe(job.source)}: its SHA-256 starts with {told[:_SHOWN_DIGITS]} on the"
                f" hub, with {job.sha256[:_SHOWN_DIGITS]} in the definition of {job.name}: name"
                " the commit as revision, or correct sha256"
            )

    def _find_cached(self, job: Job) -> Path | None:
        """Return the file in the cache if it is certainly the one of the hub."""
        if job.remote is None or not job.remote.commit:
            return None
        cached = find_cached(job.source.model_copy(update={"revision": job.remote.commit}))
        return cached if cached and self._fits(job, cached) else None

    def _fits(self, job: Job, path: Path) -> bool:
        size = job.remote.size if job.remote else None
        if size is not None and path.stat().st_size != size:
            return False
        if job.expected:
            return self._digest(path) == job.expected
        return job.remote is not None and _git_blob(path) == job.remote.git_blob

    @staticmethod
    def require_room(jobs: Sequence[Job]) -> None:
        """Raise HubError if a disk does not have enough space for the download."""
        needed: dict[int, tuple[Path, int]] = {}
        for job in jobs:
            if job.missing_bytes:
                folder = _existing(job.target.parent)
                disk = folder.stat().st_dev
                needed[disk] = (folder, needed.get(disk, (folder, 0))[1] + job.missing_bytes)
        for folder, size in needed.values():
            free = shutil.disk_usage(folder).free
            if free < size:
                raise HubError(
                    f"{folder}: has {_amount(free)} free, but {_amount(size)} are needed:"
                    " make space, or pull fewer models"
                )

    def pull(self, job: Job, steps: Steps) -> Pulled:
        """Do a planned job and check the result; raise HubError if it is wrong.

        ``steps`` receives the job's name, the bytes done and all bytes. The target
        is written in one step: after any error, the old file stays.
        """
        if job.is_complete:
            digest = job.expected or self._digest(job.target)
            return Pulled(job, digest, job.target.stat().st_size, "complete")
        require_place(job.name, job.target, self._folders)
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            return self._take_cached(job) if job.cached else self._fetch(job, steps)
        except OSError as exc:
            raise HubError(
                f"{job.target}: cannot be written: {exc.strerror or exc}: pull again, it continues"
                " from there"
            ) from exc

    def _take_cached(self, job: Job) -> Pulled:
        assert job.cached is not None
        require_gguf(describe(job.source), job.cached)
        with draft_of(job.cached.resolve(), job.target) as draft:
            digest = hash_file(draft)
            if job.expected and digest != job.expected:
                raise HubError(
                    f"{describe(job.source)}: in the cache its SHA-256 starts with"
                    f" {digest[:_SHOWN_DIGITS]}, but it must start with"
                    f" {job.expected[:_SHOWN_DIGITS]}: remove {job.cached}"
                )
            draft.replace(job.target)
        return Pulled(job, digest, job.target.stat().st_size, "from the cache")

    def _fetch(self, job: Job, steps: Steps) -> Pulled:
        assert job.remote is not None
        with locked(job.partial) as file:
            if job.target.is_file() and self._fits(job, job.target):
                # Another process pulled it while this one waited.
                job.partial.unlink(missing_ok=True)
                return self.pull(replace(job, is_complete=True), steps)
            found = file.seek(0, 2)
            self._fill(job, file, steps)
            if found and not self._is_right(job):
                # The partial file of an earlier attempt may be damaged.
                file.truncate(0)
                self._fill(job, file, steps)
            self._require_right(job)
            digest = hash_file(job.partial)
            job.partial.replace(job.target)
        for other in job.target.parent.glob(f".{glob.escape(job.target.name)}.*.part"):
            other.unlink(missing_ok=True)
        return Pulled(job, digest, job.target.stat().st_size, "fetched")

    @staticmethod
    def _fill(job: Job, file: IO[bytes], steps: Steps) -> None:
        assert job.remote is not None
        download(job.source, job.remote, file, lambda done, size: steps(job.name, done, size))

    @staticmethod
    def _is_right(job: Job) -> bool:
        assert job.remote is not None
        if job.expected:
            return hash_file(job.partial) == job.expected
        return _git_blob(job.partial) == job.remote.git_blob

    def _require_right(self, job: Job) -> None:
        if not self._is_right(job):
            told = _tell_other(job)
            job.partial.unlink(missing_ok=True)
            raise HubError(told)
        try:
            require_gguf(describe(job.source), job.partial)
        except HubError:
            job.partial.unlink(missing_ok=True)
            raise


def _tell_other(job: Job) -> str:
    said = "the definition" if job.sha256 else "the hub"
    return (
        f"{describe(job.source)}: the SHA-256 of the download starts with"
        f" {hash_file(job.partial)[:_SHOWN_DIGITS]}, {said} says"
        f" {job.expected[:_SHOWN_DIGITS] or 'another'}: the download is deleted; pull again"
    )


def _amount(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _git_blob(path: Path) -> str:
    """Return the hash of git for the content of a file."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()


def pin_lines(sha256: str, commit: str) -> str:
    """Return the lines that a definition should have."""
    told = f'sha256 = "{sha256}"'
    return f'{told} and, in [source], revision = "{commit}"' if commit else told


def pin(path: Path, sha256: str, commit: str) -> None:
    """Set ``sha256`` and ``source.revision`` of a definition; change nothing else.

    Raises HubError, with the lines to write, if the form of the file does not allow
    a program to change it.
    """
    try:
        if path.is_symlink():
            raise ValueError("it is a link")  # noqa: TRY301 - told like the others
        before = path.read_text(encoding="utf-8")
        after = _set(before, None, "sha256", sha256, behind="file")
        if commit:
            after = _set(after, "source", "revision", commit, behind="filename")
        _require_same(_parse(after), _expected(_parse(before), sha256, commit))
        write_atomically(path, after)
    except (OSError, ValueError, StoreError) as exc:
        raise HubError(
            f"{path}: cannot be pinned ({exc}): write {pin_lines(sha256, commit)} yourself"
        ) from exc


def _require_same(found: dict[str, object], wanted: dict[str, object]) -> None:
    if found != wanted:
        raise ValueError("other values would change too")


def _parse(text: str) -> dict[str, object]:
    return tomllib.loads(text.removeprefix("\ufeff"))


def _expected(table: dict[str, object], sha256: str, commit: str) -> dict[str, object]:
    source = table.get("source")
    assert isinstance(source, dict)
    revision = {"revision": commit} if commit else {}
    return {**table, "sha256": sha256, "source": {**source, **revision}}


def _set(text: str, table: str | None, key: str, value: str, *, behind: str) -> str:
    """Return a TOML text with a key of a table set, if new, in a line ``behind`` another key."""
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
    """Return where the keys of a table begin and end; raise ValueError if it has no lines."""
    heads = [index for index, line in enumerate(lines) if _TABLE.match(line)]
    if table is None:
        return 0, heads[0] if heads else len(lines)
    for number, index in enumerate(heads):
        if re.match(rf"\s*\[\s*{table}\s*\]", lines[index]):
            return index + 1, heads[number + 1] if number + 1 < len(heads) else len(lines)
    raise ValueError(f"it has no separate lines for [{table}]")
