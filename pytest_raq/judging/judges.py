"""One place binds the name of a judge to what it is."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pytest_raq.config import load_model
from pytest_raq.errors import ConfigError
from pytest_raq.judging.reference import NAME, ReferenceJudge

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_raq.judging.protocol import Judge


def open_judge(name: str, models_folder: Path) -> Judge:
    """Return a judge by name; ConfigError when there is none of that name."""
    if name == NAME:
        return ReferenceJudge()
    if difflib.get_close_matches(name.lower(), [NAME], n=1):
        raise ConfigError(f"no judge {name!r}: did you mean {NAME!r}?")
    if name in {path.stem for path in models_folder.glob("*.toml")}:
        raise ConfigError(
            f"judge {name!r}: a model cannot judge in this version; use judge = {NAME!r}"
        )
    raise ConfigError(f"no judge {name!r}: use judge = {NAME!r}")


def family_of_judge(name: str, models_folder: Path) -> str:
    """Return the model family of a judge; empty where it has none, or does not say."""
    if name == NAME or not (models_folder / f"{name}.toml").is_file():
        return ""
    return load_model(models_folder, name).family
