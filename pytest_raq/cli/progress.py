"""Progress of a command: one live line on a terminal, plain lines in a log; on stderr."""

from __future__ import annotations

import sys
import time

from pytest_raq.report import ProgressText, format_seconds

_LIVE_SECONDS = 0.1
_LOG_SECONDS = 30.0


class CommandProgress:
    """Says on standard error how far a command is."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._started = time.monotonic()
        self._last = 0.0 if self._live else self._started
        self._has_text = False

    def loading(self, model: str) -> None:
        """Say that a model is being loaded."""
        self.show(f"{model}: loading")

    def answered(self, model: str, done: int, total: int) -> None:
        """Say how far a model is."""
        if done == 0:
            self._started = time.monotonic()
            self._last = 0.0 if self._live else self._started
        if done < total:
            self.show(str(ProgressText(model, done, total, time.monotonic() - self._started)))

    def finished(self, model: str, done: int, seconds: float) -> None:
        """Say how long a model took."""
        self.say(f"{model}: {done} question{'s' * (done != 1)} in {format_seconds(seconds)}")

    def judged(self, judge: str, done: int, total: int, spent: str) -> None:
        """Say how far a judge is, and what that cost so far."""
        if done == 0:
            self._started = time.monotonic()
        if done < total:
            seconds = time.monotonic() - self._started
            self.show(str(ProgressText(f"judge {judge}", done, total, seconds, spent)))

    def all_judged(self, judge: str, done: int, seconds: float, spent: str) -> None:
        """Say nothing more: what it cost is told with the result."""
        del judge, done, seconds, spent
        self.clear()

    def show(self, text: str) -> None:
        """Say something that the next text replaces; now and then only, in a log."""
        now = time.monotonic()
        if now - self._last < (_LIVE_SECONDS if self._live else _LOG_SECONDS):
            return
        self._last = now
        if self._live:
            self._has_text = True
            sys.stderr.write(f"\r\x1b[K{text[:100]}")
            sys.stderr.flush()
        else:
            sys.stderr.write(f"{text}\n")

    def say(self, text: str) -> None:
        """Say something that stays."""
        self.clear()
        sys.stderr.write(f"{text}\n")

    def clear(self) -> None:
        """Wipe the live text."""
        if self._has_text:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._has_text = False
