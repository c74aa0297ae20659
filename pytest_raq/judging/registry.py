"""Maps the name of a judge to its implementation."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

from pytest_raq.config import load_model, suite_names
from pytest_raq.errors import ConfigError
from pytest_raq.files import hash_file
from pytest_raq.judging.llm.judge import LlmJudge
from pytest_raq.judging.panel import Panel, PanelMember
from pytest_raq.judging.reference import NAME, ReferenceJudge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pytest_raq.config import ModelDefinition
    from pytest_raq.judging.protocol import Judge

UNREADABLE = "unreadable"
"""Used in place of the SHA-256 of a file that cannot be read."""


def open_judge(
    name: str,
    models_folder: Path,
    digest: Callable[[Path], str] = hash_file,
    *,
    rule: tuple[str, ...] = (),
    allow_python: bool = False,
) -> Judge:
    """Return a judge by name: ``reference``, or one of the definitions of a folder.

    Nothing is contacted or loaded before `prepare`. ``digest`` returns the
    SHA-256 of a file; ``rule`` has the figures by which the reference judge ranks,
    ``allow_python`` says that the definition's ``python`` may be run.
    Raises ConfigError when there is no judge of that name, or its definition is wrong.
    """
    if name == NAME:
        return ReferenceJudge(rule)
    known = suite_names(models_folder)
    if name in known:
        definition = load_model(models_folder, name)
        return make_judge(definition.model_copy(update={"python_allowed": allow_python}), digest)
    near = difflib.get_close_matches(name, [NAME, *known], n=1) or difflib.get_close_matches(
        name.lower(), [NAME], n=1
    )
    hint = f"did you mean {near[0]!r}?" if near else f"use judge = {NAME!r}, or the name of"
    hint += "" if near else f" a definition in {models_folder}"
    raise ConfigError(f"no judge {name!r}: {hint}")


def make_judge(definition: ModelDefinition, digest: Callable[[Path], str] = hash_file) -> LlmJudge:
    """Return the judge of a model definition."""
    if definition.engine == "openai":
        from pytest_raq.judging.llm.server import ServerBackend

        server = definition.openai
        assert server is not None
        added = {"model": server.model, **server.request_options, **_template(definition)}
        return LlmJudge(definition, ServerBackend(definition), added)
    from pytest_raq.judging.llm.local import LocalBackend

    options = {
        "file_sha256": _digest(definition.file_path, digest),
        "context_length": str(definition.context_length),
        **_template(definition),
    }
    if definition.reproducible:
        options["reproducible"] = "yes"
    return LlmJudge(definition, LocalBackend(definition, digest), options)


def _template(definition: ModelDefinition) -> dict[str, str]:
    """Return the variables of the chat template, if any are set: they can change a verdict."""
    given = definition.template_variables
    return {"template": json.dumps(given, sort_keys=True)} if given else {}


def _digest(path: Path, digest: Callable[[Path], str]) -> str:
    try:
        return digest(path)
    except OSError:
        return UNREADABLE


def family_of_judge(name: str, models_folder: Path) -> str:
    """Return the model family of a judge; empty if it has none or does not name one."""
    if name == NAME or not (models_folder / f"{name}.toml").is_file():
        return ""
    return load_model(models_folder, name).family.strip().casefold()


def open_panel(
    names: Iterable[str],
    models_folder: Path,
    open_one: Callable[[str], Judge],
    *,
    min_share: float,
) -> Panel:
    """Return judges by name as a panel, each with the family of its model.

    ``open_one`` returns a judge by name, as `open_judge` does, and raises the same errors.
    """
    seats = [PanelMember(open_one(name), family_of_judge(name, models_folder)) for name in names]
    return Panel(seats, min_share=min_share)
