"""Progress while models answer: one live line on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from pytest_raq.report import ProgressText, format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

LOG_SECONDS = 30.0
"""Least time between two lines about one model where there is no terminal."""

_LIVE_SECONDS = 0.1


class ProgressDisplay:
    """Writes where pytest writes, around its capture.

    On a terminal the text stands right of pytest's own dots and is wiped
    before pytest goes on; elsewhere a model gets a line at its start, one
    every half minute, and one at its end.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        quiet = config.get_verbosity() < -1
        self._reporter = None if quiet else reporter
        self._live = bool(reporter and reporter.isatty and reporter.hasmarkup)
        self._shown = False
        self._started = self._last = 0.0

    def loading(self, model: str) -> None:
        """Say that a model is being loaded."""
        if self._live:
            self._show(f"{model}: loading")

    def answered(self, model: str, done: int, total: int) -> None:
        """Say how far a model is."""
        now = time.monotonic()
        if done == 0:
            self._started, self._last = now, now
        text = ProgressText(model, done, total, now - self._started)
        if self._live:
            if done < total and (done == 0 or now - self._last >= _LIVE_SECONDS):
                self._last = now
                self._show(str(text))
        elif done == 0:
            self._line(f"{model}: {total} question{'s' * (total != 1)}")
        elif done < total and now - self._last >= LOG_SECONDS:
            self._last = now
            self._line(str(text))

    def finished(self, model: str, done: int, seconds: float) -> None:
        """Say how long a model took."""
        self.clear()
        if not self._live:
            answers = f"{done} question{'s' * (done != 1)}"
            self._line(f"{model}: {answers} in {format_seconds(seconds)}")

    def clear(self) -> None:
        """Wipe the live text."""
        if self._shown:
            self._shown = False
            self._uncaptured(lambda writer: writer.write("\x1b[K", flush=True))

    def _show(self, text: str) -> None:
        def write(writer: pytest.TerminalReporter) -> None:
            terminal = writer._tw  # noqa: SLF001 - the column is known nowhere else
            room = terminal.fullwidth - terminal.width_of_current_line - 3
            if room >= len(text):
                self._shown = True
                # Save the cursor, wipe, write, go back: pytest's line is untouched.
                writer.write(f"\x1b7\x1b[K  {text}\x1b8", flush=True)

        self._uncaptured(write)

    def _line(self, text: str) -> None:
        def write(writer: pytest.TerminalReporter) -> None:
            writer.ensure_newline()
            writer.write_line(f"raq {text}")

        self._uncaptured(write)

    def _uncaptured(self, write: Callable[[pytest.TerminalReporter], None]) -> None:
        if self._reporter is None:
            return
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        if capture is None:
            write(self._reporter)
        else:
            with capture.global_and_fixture_disabled():
                write(self._reporter)
        sys.stdout.flush()
