"""Progress of a command: one live line on standard error, where that is a terminal."""

from __future__ import annotations

import sys
import time

from pytest_raq.generation import NoProgress
from pytest_raq.report import ProgressText

_SECONDS = 0.1


class StderrProgress(NoProgress):
    """Shows how far a judge is and what that cost; says nothing where nobody looks."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._started = self._last = 0.0

    def judged(self, judge: str, done: int, total: int, spent: str) -> None:
        """Draw the line anew, ten times a second at most."""
        now = time.monotonic()
        if done == 0:
            self._started = now
        if self._live and now - self._last >= _SECONDS:
            self._last = now
            text = ProgressText(f"judge {judge}", done, total, now - self._started, spent)
            self._write(f"\r\x1b[K{text}")

    def all_judged(self, judge: str, done: int, seconds: float, spent: str) -> None:
        """Wipe the line."""
        del judge, done, seconds, spent
        if self._live:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
