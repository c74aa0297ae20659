"""The project that is checked, and how a finding is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from pytest_raq.config import load_model, load_suite, suite_names
from pytest_raq.datasets import is_on_hub
from pytest_raq.engines.llamacpp.engine_build import pip_install
from pytest_raq.errors import RaqError
from pytest_raq.records.command_results import Finding, Health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_raq.config import ModelDefinition, SuiteDefinition

T = TypeVar("T")

_PART = re.compile("[:;] ")
_STEP = re.compile(
    r"(?:run|check|set|put|correct|pip|install|raise|lower|download|name|save|give|write|choose"
    r"|convert|compile|add|remove|rename|unpack|get|start|use|keep|make|ask|copy|try|CMAKE_ARGS=\S+"
    r"|\S*python\S* -m) "
)
"""The start of a next step: a verb, or a command."""
_BEFORE_A_COMMAND = "; to compile it again"


@dataclass(frozen=True)
class CheckContext:
    """A project and the environment that runs it.

    ``python`` is another interpreter whose llama-cpp-python is checked;
    with ``offline`` no hub and no server is asked. ``allow_python`` says that the ``python``
    of definitions may be run.
    """

    folder: Path
    suites_folder: Path
    models_folder: Path
    store: Path
    python: Path | None = None
    offline: bool = False
    allow_python: bool = False

    @cached_property
    def suites(self) -> dict[str, SuiteDefinition | RaqError]:
        """The suites by name, or the error if one cannot be read."""
        return _read_all(self.suites_folder, load_suite)

    @cached_property
    def models(self) -> dict[str, ModelDefinition | RaqError]:
        """The definitions by name, or the error if one cannot be read."""
        return _read_all(self.models_folder, self._load_model)

    def _load_model(self, folder: Path, name: str) -> ModelDefinition:
        model = load_model(folder, name)
        return model.model_copy(update={"python_allowed": self.allow_python})

    @property
    def runnable_models(self) -> Iterator[ModelDefinition]:
        """The definitions that name no program of their own, or one that may be run."""
        return (m for m in self.readable_models if m.python is None or m.python_allowed)

    @property
    def baselines_folder(self) -> Path:
        """The folder of the baselines."""
        return self.folder / "baselines"

    @property
    def readable_suites(self) -> Iterator[SuiteDefinition]:
        """The suites that can be read."""
        return (suite for suite in self.suites.values() if not isinstance(suite, RaqError))

    @property
    def readable_models(self) -> Iterator[ModelDefinition]:
        """The definitions that can be read."""
        return (model for model in self.models.values() if not isinstance(model, RaqError))

    @cached_property
    def needed(self) -> frozenset[str]:
        """The models and judges of suites that a plain ``pytest suites/`` runs."""
        default = [suite for suite in self.readable_suites if suite.default]
        return frozenset(name for suite in default for name in (*suite.models, *suite.judges))

    @cached_property
    def judges(self) -> frozenset[str]:
        """The definitions that at least one suite names as a judge."""
        return frozenset(name for suite in self.readable_suites for name in suite.judges)

    @cached_property
    def contestants(self) -> frozenset[str]:
        """The definitions that at least one suite compares."""
        return frozenset(name for suite in self.readable_suites for name in suite.models)

    def asks_hub(self, suite: SuiteDefinition) -> bool:
        """Whether the questions of a suite come from a hub."""
        try:
            return is_on_hub(suite.dataset, suite.path.parent)
        except RaqError:  # reported by the check of the questions
            return False

    def trouble(self, name: str) -> Health:
        """Return the severity if a model or judge cannot be used: FAILURE if it runs by default."""
        return Health.FAILURE if name in self.needed else Health.WARNING


def _read_all(folder: Path, load: Callable[[Path, str], T]) -> dict[str, T | RaqError]:
    """Return the definitions of a folder by name, or the error if one cannot be read."""
    found: dict[str, T | RaqError] = {}
    for name in suite_names(folder) if folder.is_dir() else []:
        try:
            found[name] = load(folder, name)
        except RaqError as exc:
            found[name] = exc
        except Exception as exc:  # noqa: BLE001 - after any error, the others are still read
            found[name] = RaqError(f"{name}.toml cannot be read: {type(exc).__name__}: {exc}")
    return found


def file_size(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it does not exist or its name is invalid."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def install_command(extra: str) -> str:
    """Return the command that installs an extra; llama.cpp is compiled for other machines too."""
    wanted = f"'pytest-raq[{extra}]'"
    return pip_install(wanted) if extra == "llama" else f"pip install {wanted}"


def split_step(message: str, otherwise: str) -> tuple[str, str]:
    """Split one of our messages into the problem and the next step at its end.

    ``otherwise`` is the step if the message has none.
    """
    for found in _PART.finditer(message):
        if _STEP.match(message, found.end()):
            text = message[: found.start()].removesuffix(_BEFORE_A_COMMAND)
            return text, message[found.end() :]
    return message, otherwise


def unexpected(section: str, name: str, exc: Exception) -> Finding:
    """Return the finding for a check that failed."""
    told = f"could not be checked: {type(exc).__name__}: {exc}"
    return finding(section, name, Health.FAILURE, told, "report this as a bug of pytest-raq")


def finding(section: str, name: str, health: Health, text: str, next_step: str = "") -> Finding:
    """Return a finding."""
    return Finding(section, name, health, text, next_step)
