"""Another Python with another llama-cpp-python: found, and asked what it has."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_raq.engines.llamacpp.engine_build import pip_install
from pytest_raq.engines.llamacpp.variables import foreign_variables
from pytest_raq.errors import ConfigError
from pytest_raq.text import one_line

OLDEST_LLAMA = (0, 3, 30)
"""The first llama-cpp-python whose low-level functions are those that the worker calls."""

OLDEST_PYTHON = (3, 11)

_SECONDS = 60
_INTERPRETERS = ("bin/python", "bin/python3", "Scripts/python.exe")

_QUESTION = """
import json, re, sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
spec = find_spec("llama_cpp")
origin = spec.origin if spec and spec.origin else ""
try:
    told = version("llama-cpp-python")
except PackageNotFoundError:
    told = ""
if origin:
    text = Path(origin).read_text(encoding="utf-8", errors="replace")
    found = re.search(r'^__version__ = "([^"]+)"', text, re.M)
    told = found[1] if found else told
print(json.dumps({"python": sys.version_info[:2], "version": told, "origin": origin}))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python and its llama-cpp-python; ``libraries`` is the folder of llama.cpp's own."""

    python: Path
    version: str
    libraries: Path


@cache
def find_environment(path: Path) -> Environment:
    """Return what an interpreter, or that of a virtual environment's folder, has installed.

    ConfigError, on one line, when it is no Python, or its Python or
    llama-cpp-python cannot run the worker.
    """
    python = _interpreter(path)
    told = _ask(python)
    if tuple(told["python"]) < OLDEST_PYTHON:
        raise ConfigError(
            f"{python}: is Python {_dotted(told['python'])}; the worker needs"
            f" {_dotted(OLDEST_PYTHON)} or newer"
        )
    if not told["origin"]:
        raise ConfigError(
            f"{python}: has no llama-cpp-python:"
            f" {pip_install('llama-cpp-python', pip=f'{python} -m pip')}"
        )
    version = str(told["version"])
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers and numbers < OLDEST_LLAMA:
        raise ConfigError(
            f"{python}: has llama-cpp-python {version}; {_dotted(OLDEST_LLAMA)} or newer is needed"
        )
    return Environment(python, version, Path(told["origin"]).parent / "lib")


def _interpreter(path: Path) -> Path:
    # Links are not followed: the python of a virtual environment is one, and knows by its place.
    if path.is_dir():
        for name in _INTERPRETERS:
            if (path / name).exists():
                return path / name
        raise ConfigError(f"{path}: is not a virtual environment: it has no {_INTERPRETERS[0]}")
    if not path.exists():
        raise ConfigError(
            f"{path}: does not exist: name a python, or the folder of a virtual environment"
        )
    return path


def _ask(python: Path) -> dict[str, Any]:
    try:
        said = subprocess.run(  # noqa: S603 - the interpreter that the user named
            [str(python), "-c", _QUESTION],
            capture_output=True,
            env=foreign_variables() | {"PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise ConfigError(f"{python}: does not answer like a Python within {_SECONDS} s") from exc
    except OSError as exc:
        raise ConfigError(
            f"{python}: cannot be run: {exc.strerror or exc}: name a python, or the folder of a"
            " virtual environment"
        ) from exc
    try:
        told = json.loads(said.stdout)
        return {name: told[name] for name in ("python", "version", "origin")}
    except (ValueError, KeyError, TypeError) as exc:
        lines = (said.stderr or said.stdout).decode("utf-8", "replace").splitlines() or [""]
        raise ConfigError(
            f"{python}: is not a Python that lists what it has ({one_line(lines[-1])})"
        ) from exc


def _dotted(numbers: object) -> str:
    assert isinstance(numbers, list | tuple)
    return ".".join(str(number) for number in numbers)
