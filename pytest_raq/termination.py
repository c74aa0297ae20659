"""SIGTERM, as ``timeout``, Kubernetes and cancelled CI jobs send it, is handled as Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM
"""The exit code that shells report for a process that SIGTERM ended."""


class Termination:
    """Turns the first SIGTERM into KeyboardInterrupt; a second one kills, as always.

    If it ``is_patient``, a second one is ignored. Where ``applies`` returns False when the
    first one comes, that kills already. Nothing changes if not ``is_on``, if something else
    handles SIGTERM, or outside the main thread, which alone can handle signals.
    """

    def __init__(
        self,
        *,
        is_on: bool = True,
        is_patient: bool = False,
        applies: Callable[[], bool] = lambda: True,
    ) -> None:
        self.is_received = False
        self._is_patient, self._applies = is_patient, applies
        self._may_interrupt = True
        is_main = threading.current_thread() is threading.main_thread()
        self._is_installed = (
            is_on and is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        )
        if self._is_installed:
            signal.signal(signal.SIGTERM, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.close()
        if not self._applies():
            os.kill(os.getpid(), number)
            return
        if self._is_patient:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.is_received = True
        if self._may_interrupt:
            raise KeyboardInterrupt

    def finish_first(self) -> None:
        """Let a SIGTERM that comes from now on only change the exit code: results are written."""
        self._may_interrupt = False

    def close(self) -> None:
        """Let SIGTERM kill again."""
        if self._is_installed:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._is_installed = False
