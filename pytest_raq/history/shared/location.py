"""``RAQ_HISTORY``: the database, and its name without a password."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import URL

VARIABLE = "RAQ_HISTORY"
INSTALL = "pip install 'pytest-raq[history]'"

_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
_EXAMPLES = "postgresql://USER@HOST/DATABASE or sqlite:////FOLDER/history.db"
_MASK = "***"
_SECRET = re.compile(r"(?i)pass|secret|token|key")


@dataclass(frozen=True, slots=True)
class HistoryPlace:
    """The database in which a team keeps its history.

    ``shown`` names it without password and options; ``identity`` is the same
    for all users of one database.
    """

    url: URL
    shown: str
    identity: str
    secrets: tuple[str, ...]

    def hide(self, text: str) -> str:
        """Return a text without any password of the URL."""
        for secret in self.secrets:
            text = text.replace(secret, _MASK)
        return text

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file."""
        return self.url.get_backend_name() == "sqlite"


def history_place(environment: Mapping[str, str] | None = None) -> HistoryPlace | None:
    """Return the database of ``RAQ_HISTORY``, or None if it is not set.

    Raises ConfigError, which never shows the value, if it is not a URL of SQLite or
    PostgreSQL, or if SQLAlchemy is not installed.
    """
    text = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    return parse_place(text) if text else None


def parse_place(text: str) -> HistoryPlace:
    """Return the database of a URL; raise ConfigError if history cannot be kept in it."""
    url = _parse(text)
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigError(
            f"{VARIABLE}: {url.drivername!r} is not supported: history is kept in PostgreSQL or"
            f" SQLite; write {_EXAMPLES}"
        )
    url = url.set(drivername=driver)
    if driver == "sqlite" and not url.database:
        raise ConfigError(f"{VARIABLE}: names no file; write {_EXAMPLES}")
    if driver != "sqlite":
        _require("psycopg")
    shown = _show(url)
    return HistoryPlace(url, shown, _identity(url), tuple(_secrets(text, url)))


def _parse(text: str) -> URL:
    _require("sqlalchemy")
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        # The cause quotes the URL, which may contain a password.
        raise ConfigError(f"{VARIABLE}: is not a database URL; write {_EXAMPLES}") from None


def _require(module: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise ConfigError(f"{VARIABLE} needs {module}, which is not installed: {INSTALL}")


def _show(url: URL) -> str:
    from sqlalchemy.engine import URL

    if url.get_backend_name() == "sqlite":
        return str(url.database)
    shown = URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    return shown.render_as_string()


def _identity(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return os.path.abspath(str(url.database))  # noqa: PTH100 - the file need not exist
    hosts = url.query.get("host", "")
    host = url.host or (hosts if isinstance(hosts, str) else ",".join(hosts))
    return f"postgresql://{host}:{url.port or 5432}/{url.database or url.username or ''}"


def _secrets(text: str, url: URL) -> list[str]:
    """Return every form in which a password of the URL may occur in a message."""
    found = {str(url.password)} if url.password else set()
    for name, value in url.query.items():
        if _SECRET.search(name):
            found |= {value} if isinstance(value, str) else set(value)
    match = re.match(r"[^:/]+://[^:@/]*:(.*)@", text)
    raw = {match[1]} if match else set()
    forms = found | raw | {unquote(item) for item in raw}
    return sorted((form for form in forms if form), key=len, reverse=True)
