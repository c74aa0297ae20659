"""What is examined, and how a finding is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_raq.config import load_model, load_suite, suite_names
from pytest_raq.errors import RaqError
from pytest_raq.records.doctor import Finding, Health

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_raq.config import ModelDefinition, SuiteDefinition

_COLON = re.compile(": ")
_STEP = re.compile(
    r"(?:run|check|set|put|correct|pip|install|raise|lower|download|name|save|give|write|choose"
    r"|convert|compile|add|remove|CMAKE_ARGS=\S+|\S*python\S* -m) "
)
"""How a next step begins: with a verb, or a command."""

ANSWER_SECONDS = 10.0
"""How long a server or a hub may take to answer."""


@dataclass(frozen=True)
class Patient:
    """A project and the environment that runs it.

    ``python`` is another interpreter whose llama-cpp-python is looked at;
    ``offline`` asks no hub and no server.
    """

    folder: Path
    suites_folder: Path
    models_folder: Path
    store: Path
    python: Path | None = None
    offline: bool = False

    @cached_property
    def suites(self) -> dict[str, SuiteDefinition | RaqError]:
        """The suites by name, or why one cannot be read."""
        found: dict[str, SuiteDefinition | RaqError] = {}
        for name in _names(self.suites_folder):
            try:
                found[name] = load_suite(self.suites_folder, name)
            except RaqError as exc:
                found[name] = exc
        return found

    @cached_property
    def models(self) -> dict[str, ModelDefinition | RaqError]:
        """The definitions by name, or why one cannot be read."""
        found: dict[str, ModelDefinition | RaqError] = {}
        for name in _names(self.models_folder):
            try:
                found[name] = load_model(self.models_folder, name)
            except RaqError as exc:
                found[name] = exc
        return found

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
        """The definitions that some suite names as a judge."""
        return frozenset(name for suite in self.readable_suites for name in suite.judges)

    def trouble(self, name: str) -> Health:
        """Return how bad it is when a model or judge cannot be used: only what runs by default."""
        return Health.FAILURE if name in self.needed else Health.WARNING


def _names(folder: Path) -> list[str]:
    return suite_names(folder) if folder.is_dir() else []


def split_step(message: str) -> tuple[str, str]:
    """Return what a message of ours says, and the next step that it ends with, if it has one."""
    for found in _COLON.finditer(message):
        if _STEP.match(message, found.end()):
            return message[: found.start()], message[found.end() :]
    return message, ""


def finding(section: str, name: str, health: Health, text: str, next_step: str = "") -> Finding:
    """Return a finding."""
    return Finding(section, name, health, text, next_step)
