"""What to say of a name on the command line that is none: the nearest right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.config import nearest, suite_names
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_raq.config import SuiteDefinition


def refuse_unknown(option: str, names: Iterable[str], suite: SuiteDefinition) -> None:
    """ConfigError when an option names a model that a suite does not have."""
    for name in names:
        if name not in suite.models:
            raise ConfigError(
                f"{option}: suite {suite.name} has no model {name!r}"
                f"{nearest(name, suite.models, 'it has')}"
            )


def nearest_target(path: Path, models_folder: Path) -> str:
    """Return which definition, or GGUF file beside it, a wrong target of a swap is nearest to.

    Empty when nothing is near.
    """
    beside = [str(file) for file in path.parent.glob("*.gguf")]
    hint = nearest(str(path), beside) if path.suffix else ""
    hint = hint if "did you mean" in hint else nearest(path.name, suite_names(models_folder))
    return hint if "did you mean" in hint else ""
