"""What the user allows definitions to do: where keys may go, and which files may be read.

A definition is a file of the project, and whoever proposes a change can write it. So what it may
do with secrets of this machine stands outside the project: in the environment (``RAQ_KEYS``,
``RAQ_FILES``) or in the settings of the user.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator

from pytest_raq.config.base import Settings
from pytest_raq.config.diagnostics import tell_errors
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEYS_VARIABLE = "RAQ_KEYS"
FILES_VARIABLE = "RAQ_FILES"

WELL_KNOWN: Mapping[str, tuple[str, ...]] = {
    "OPENAI_API_KEY": ("api.openai.com",),
    "OPENROUTER_API_KEY": ("openrouter.ai",),
    "GROQ_API_KEY": ("api.groq.com",),
    "MISTRAL_API_KEY": ("api.mistral.ai",),
    "DEEPSEEK_API_KEY": ("api.deepseek.com",),
    "TOGETHER_API_KEY": ("api.together.xyz",),
    "FIREWORKS_API_KEY": ("api.fireworks.ai",),
    "NVIDIA_API_KEY": ("integrate.api.nvidia.com",),
}
"""Variable → the hosts of the service that issues this key: they have it anyway."""

_ENTRY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(\S+)")
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
PROJECT_MARKER = "pytest.ini"
_MARKERS = ((".git",), ("pyproject.toml", PROJECT_MARKER, "tox.ini", "setup.cfg"))


class UserSettings(Settings):
    """``settings.toml`` of the user: what the definitions of all projects may do."""

    files: tuple[str, ...] = ()
    """Folders outside the project whose files definitions may name."""
    keys: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Environment variable with a key → the hosts to which it may be sent."""

    @field_validator("files", mode="before")
    @classmethod
    def _accept_list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("keys", mode="before")
    @classmethod
    def _accept_lists(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: _as_tuple(hosts) for name, hosts in value.items()}


def _as_tuple(hosts: object) -> object:
    if isinstance(hosts, list):
        return tuple(hosts)
    return (hosts,) if isinstance(hosts, str) else hosts


def settings_path() -> Path:
    """Return the path of the user's settings."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base else Path("~/.config").expanduser()
    return folder / "pytest-raq" / "settings.toml"


def user_settings() -> UserSettings:
    """Read the user's settings, empty ones if there is no file; ConfigError says what is wrong."""
    path = settings_path()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return UserSettings()
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path}: is not TOML: {exc}") from exc
    try:
        return UserSettings.model_validate(table)
    except ValidationError as exc:
        told = "; ".join(tell_errors(exc.errors(include_url=False), UserSettings))
        raise ConfigError(f"{path}: {told}") from exc


def refuse_key(variable: str, base_url: str) -> str:
    """Return why the value of a variable may not be sent to a server; empty if it may.

    A server on this machine may have any. ConfigError if what the user allows cannot be read.
    """
    host = server_host(base_url)
    if is_loopback(base_url) or any(_fits(each, base_url) for each in _allowed_hosts(variable)):
        return ""
    return (
        f"the value of {variable} is not sent to {host}, because nobody allowed that: if it is the"
        f" key of that server, set {KEYS_VARIABLE}={variable}={host} in the environment (several"
        f' with commas), or write {variable} = "{host}" below [keys] in {settings_path()}'
    )


def server_host(base_url: str) -> str:
    """Return the host of an address, with its port where the address has one."""
    return urlsplit(base_url).netloc.rpartition("@")[2].lower()


def _allowed_hosts(variable: str) -> tuple[str, ...]:
    """Return the hosts for a variable: what the user says replaces what is well known."""
    found = user_settings().keys.get(variable, ()) + tuple(
        host for name, host in _entries() if name == variable
    )
    wrong = [host for host in found if not _HOST.fullmatch(host)]
    if wrong:
        raise ConfigError(
            f"{wrong[0]!r} is not a host for {variable}: write a name like api.example.com, with"
            f" :PORT if it matters, in {KEYS_VARIABLE} or {settings_path()}"
        )
    return found or WELL_KNOWN.get(variable, ())


def _entries() -> Iterable[tuple[str, str]]:
    for text in os.environ.get(KEYS_VARIABLE, "").split(","):
        entry = _ENTRY.fullmatch(text.strip())
        if entry:
            yield entry[1], entry[2]
        elif text.strip():
            raise ConfigError(
                f"{KEYS_VARIABLE}: {text.strip()!r} should be VARIABLE=HOST, for example"
                " OPENAI_API_KEY=api.openai.com; several are separated by commas"
            )


def _fits(allowed: str, base_url: str) -> bool:
    """Whether an address is at an allowed host: ``a.example``, ``*.a.example``, ``a:81``."""
    parts, wanted = urlsplit(base_url), urlsplit(f"//{allowed.lower()}")
    try:
        ports = wanted.port, parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # no number, or too large
        return False
    if ports[0] is not None and ports[0] != ports[1]:
        return False
    host = parts.hostname or ""
    name = wanted.hostname or ""
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


_PORTS = {"http": 80, "https": 443}


def is_loopback(base_url: str) -> bool:
    """Whether a server is on this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified  # 0.0.0.0 leads to this machine too


def project_of(path: Path) -> Path:
    """Return the folder of the project that a definition belongs to.

    It is the top of the repository, or else the nearest folder with settings of pytest, or else
    the folder above that of the definition.
    """
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - links are followed later
    for markers in _MARKERS:
        for above in (folder, *folder.parents):
            if any((above / marker).exists() for marker in markers):
                return above
    return folder.parent


def place_in_project(path: Path, key: str, file: str) -> Path:
    """Return the path of a file that a definition names; links are followed for the check.

    What stands in it goes to models and judges, so it must be a file of the project that is not
    hidden (``.env``, ``.git/config``), or in a folder that the user allows. ConfigError otherwise.
    """
    try:
        place = path.parent / Path(file).expanduser()
        real = place.resolve()
        project = project_of(path).resolve()
    except (OSError, RuntimeError, ValueError) as exc:
        raise ConfigError(f"{path}: {key}: {file!r} is not a path: {exc}") from exc
    if any(real.is_relative_to(folder) for folder in _allowed_folders()):
        return place
    allow = f"or allow its folder: {FILES_VARIABLE}={real.parent}"
    if not real.is_relative_to(project):
        raise ConfigError(
            f"{path}: {key}: {real} is outside the project ({project}), and its text would go to"
            f" models and judges: copy it into the project, {allow}"
        )
    if any(part.startswith(".") for part in real.relative_to(project).parts):
        raise ConfigError(
            f"{path}: {key}: {real} is a hidden file, which may hold secrets, and its text would go"
            f" to models and judges: give it another name, {allow}"
        )
    return place


def _allowed_folders() -> list[Path]:
    named = os.environ.get(FILES_VARIABLE, "").split(os.pathsep)
    return [
        Path(name.strip()).expanduser().resolve()
        for name in (*named, *user_settings().files)
        if name.strip()
    ]
