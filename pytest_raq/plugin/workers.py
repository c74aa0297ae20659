"""The workers of pytest-xdist, as the process that controls them knows them."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_raq.termination import Termination

if TYPE_CHECKING:
    from collections.abc import Mapping

EXCHANGE = "raq_exchange"
"""The key of a worker's input with the folder that the workers of a run share."""

PATIENCE = 8.0
"""Seconds for all workers to end after SIGTERM: who sent it often waits for ten."""

_HEAD_START = 2.0
"""Seconds for workers that Ctrl-C may have reached too."""

_PAUSE = 0.02
_KEY = pytest.StashKey["Workers"]()


class Workers:
    """The workers of one run, their results, and what SIGTERM means for them.

    SIGTERM ends them, and their results so far are taken; if none of them uses
    pytest-raq, it kills as always.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.gettempdir()) / f"pytest-raq-{secrets.token_hex(16)}"
        self.termination = Termination(applies=self.folder.exists)
        self._nodes: list[Any] = []
        self._done: list[Any] = []

    def add(self, node: Any) -> None:  # noqa: ANN401 - a WorkerController of pytest-xdist
        """Send the shared folder to a worker; it is made when a worker needs it."""
        node.workerinput[EXCHANGE] = str(self.folder)
        self._nodes.append(node)

    def output_of(self, node: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 - as above
        """Return the results of a worker, once; None if there are none."""
        if node in self._done:
            return None
        self._done.append(node)
        found: Mapping[str, Any] | None = getattr(node, "workeroutput", {}).get("raq")
        return found

    def gather(self) -> list[Mapping[str, Any]]:
        """End workers that still run, and return their results; some may have none in time."""
        if not self.folder.exists():
            return []
        now = time.monotonic()
        told_at = now if self.termination.is_received else now + _HEAD_START
        end, waiting = now + PATIENCE, [node for node in self._nodes if node not in self._done]
        is_told, found = False, []
        while waiting and time.monotonic() < end:
            if not is_told and time.monotonic() >= told_at:
                is_told = True
                for node in waiting:
                    self._terminate(node)
            for node in [node for node in waiting if _has_ended(node)]:
                waiting.remove(node)
                if output := self.output_of(node):
                    found.append(output)
            time.sleep(_PAUSE)
        return found

    def _terminate(self, node: Any) -> None:  # noqa: ANN401 - as above
        """Send SIGTERM to a worker that has said who it is: it is on this machine then."""
        with contextlib.suppress(OSError, ValueError):
            text = (self.folder / f"{node.workerinput['workerid']}.pid").read_text("ascii")
            os.kill(int(text), signal.SIGTERM)

    def close(self) -> None:
        """Let SIGTERM kill again, and remove the folder if a worker made it."""
        self.termination.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _has_ended(node: Any) -> bool:  # noqa: ANN401 - a WorkerController of pytest-xdist
    return hasattr(node, "workeroutput") or not hasattr(node, "channel") or node.channel.isclosed()


def enter_exchange(workerinput: Mapping[str, Any]) -> Path:
    """Return the folder that the workers of this run share, from inside one of them."""
    folder = Path(workerinput[EXCHANGE])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / f"{workerinput['workerid']}.pid").write_text(str(os.getpid()), "ascii")
    return folder


def workers_of(config: pytest.Config) -> Workers | None:
    """Return the workers of a run; None if this process controls none."""
    return config.stash.get(_KEY, None)


def add_worker(node: Any) -> None:  # noqa: ANN401 - a WorkerController of pytest-xdist
    """Note a worker that will be started."""
    stash = node.config.stash
    if _KEY not in stash:
        stash[_KEY] = Workers()
    stash[_KEY].add(node)
