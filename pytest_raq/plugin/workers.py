"""The folder that the workers of pytest-xdist share, named by the controller."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing import Any

EXCHANGE = "raq_exchange"
_NAME = pytest.StashKey[Path]()


def tell_exchange(node: Any) -> None:  # noqa: ANN401 - a WorkerController of pytest-xdist
    """Tell a worker the folder of this run; it is made when a worker needs it."""
    stash = node.config.stash
    if _NAME not in stash:
        stash[_NAME] = Path(tempfile.gettempdir()) / f"pytest-raq-{secrets.token_hex(16)}"
    node.workerinput[EXCHANGE] = str(stash[_NAME])


def remove_exchange(config: pytest.Config) -> None:
    """Remove the folder, if a worker made it."""
    folder = config.stash.get(_NAME, None)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
