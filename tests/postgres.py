"""A PostgreSQL server of the tests' own: a cluster in a temporary folder, on a Unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

INSTALL = "PostgreSQL is not installed: apt-get install postgresql"
PASSWORD = "s3cret/of:the@tests"  # noqa: S105 - of a server that lives for seconds
QUOTED = "s3cret%2Fof%3Athe%40tests"


def _program(name: str) -> Path | None:
    """Return a program of PostgreSQL; Debian keeps the server's outside of PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name)
    return next(iter(places), Path(found) if found else None)


class Postgres:
    """A server: ``url`` as ``RAQ_HISTORY`` wants it, stopped and started at will."""

    def __init__(self, port: int) -> None:
        initdb, control = _program("initdb"), _program("pg_ctl")
        if initdb is None or control is None:
            pytest.skip(INSTALL)
        self._control = control
        # Short: a path of a socket has a hundred letters at most.
        self.folder = Path(tempfile.mkdtemp(prefix="raq-pg-", dir="/tmp"))
        self._user = self._unprivileged()
        password = self.folder / "password"
        password.write_text(PASSWORD)
        self._own()
        self.port = port
        self._data = self.folder / "data"
        self._run(initdb, "-D", self._data, "-U", "raq", "-A", "scram-sha-256", "-N",
                  "--pwfile", password, "-E", "UTF8", "--no-locale")  # fmt: skip
        self.start()

    def _unprivileged(self) -> int | None:
        """Return who runs the server: it refuses to be run by root."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                return pwd.getpwnam(name).pw_uid
            except KeyError:
                continue
        pytest.skip("PostgreSQL refuses to run as root, and there is no user postgres or nobody")

    def _own(self) -> None:
        if self._user is not None:
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, self._user, -1)

    def _run(self, *command: object, check: bool = True) -> None:
        done = subprocess.run(
            list(map(str, command)),
            user=self._user,
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = (
            f"-k {self.folder} -p {self.port} -c listen_addresses=127.0.0.1 -c fsync=off"
            " -c max_connections=30 -c shared_buffers=16MB"
        )
        self._run(self._control, "-D", self._data, "-l", self.folder / "log", "-o", options,
                  "-w", "start")  # fmt: skip

    def stop(self) -> None:
        """Stop the server, whoever is connected."""
        self._run(self._control, "-D", self._data, "-m", "immediate", "-w", "stop", check=False)

    def remove(self) -> None:
        """Stop the server and remove all it wrote."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres", *, user: str = "raq") -> str:
        """Return the URL of a database, over TCP."""
        return f"postgresql://{user}:{QUOTED}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement and return its rows."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else []
