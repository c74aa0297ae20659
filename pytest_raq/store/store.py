"""The store: what outlives a run, one SQLite file for all runs of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pytest_raq.errors import ConfigError
from pytest_raq.git import tracked_files
from pytest_raq.store.database import BUSY_SECONDS
from pytest_raq.store.runs import ResultTable, RunTable
from pytest_raq.store.tables import (
    Access,
    AnswerTable,
    EngineTable,
    FileHashTable,
    FormerTable,
    LikelihoodTable,
    ServerTable,
    VerdictTable,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_raq.store.tables import OnError


class Store:
    """Answers, likelihoods, engine descriptions, verdicts of judges, hashes of files, and runs.

    Many processes may share one file. Each ``put`` is kept when it returns.
    ``notices`` says what was wrong with the file and mended; without ``mend``
    that is an error, and so is a file that does not exist. StoreError when it
    cannot be used; with ``on_error="degrade"``, as runs want it, a notice. The
    tables are described in `pytest_raq.store.schema`.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_seconds: float = BUSY_SECONDS,
        mend: bool = True,
        on_error: OnError = "raise",
    ) -> None:
        self.path = path
        self._access = Access(path, busy_seconds=busy_seconds, mend=mend, on_error=on_error)
        former = FormerTable(self._access)
        self.answers = AnswerTable(self._access, former)
        self.likelihoods = LikelihoodTable(self._access)
        self.engines = EngineTable(self._access, former)
        self.servers = ServerTable(self._access)
        self.verdicts = VerdictTable(self._access)
        self.file_hashes = FileHashTable(self._access)
        self.runs = RunTable(self._access)
        self.results = ResultTable(self._access)

    @property
    def notices(self) -> list[str]:
        """What a reader should know of the file, in the order in which it was found."""
        return list(self._access.notices)

    @property
    def is_writable(self) -> bool:
        """Whether everything so far was kept."""
        return self._access.is_writable

    def close(self) -> None:
        """Release the file; safe to call twice."""
        self._access.close()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Release the file."""
        self.close()


def open_for_run(path: Path) -> Store:
    """Return the store of a run, which continues without one if that cannot be used.

    Raises ConfigError for a store that is tracked by git: its answers could come from anyone who
    may propose a change, and would be taken for those of the models.
    """
    place = path.resolve()
    files = [place, place.with_name(f"{place.name}-wal")]
    if any(file.exists() for file in files) and (found := tracked_files(files)):
        raise ConfigError(
            f"{path}: is tracked by git, so whoever changes it decides what the models answered:"
            f" run git rm --cached {found[0].name} in {place.parent}, and ignore it, or choose"
            " another with --raq-store"
        )
    return Store(path, on_error="degrade")
