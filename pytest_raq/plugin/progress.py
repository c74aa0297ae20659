"""Progress while models answer: one live line on a terminal, plain lines in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_raq.report.terminal.progress import ProgressReport
from pytest_raq.text import message_text, width

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class ProgressDisplay(ProgressReport):
    """Writes where pytest writes, around its capture.

    On a terminal the text is to the right of pytest's own dots, is erased before
    pytest writes and drawn again after; elsewhere a model that takes longer
    gets a line every half minute, and one when it ends.
    """

    def __init__(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        super().__init__(is_live=bool(reporter and reporter.isatty and reporter.hasmarkup))
        self._config = config
        quiet = config.get_verbosity() < -1
        self._reporter: pytest.TerminalReporter | None = None if quiet else reporter
        self._text = ""
        config.pluginmanager.register(self)

    def draw(self, text: str) -> None:
        """Show a text in place of the one before."""
        self._text = text
        self._draw()

    def say(self, text: str) -> None:
        """Write a line that stays."""

        def write(reporter: pytest.TerminalReporter) -> None:
            reporter.ensure_newline()
            reporter.write_line(message_text(f"raq {text}"))

        self._uncaptured(write)

    def clear(self) -> None:
        """Erase the live text permanently."""
        self._wipe()
        self._text = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logstart(self) -> Generator[None, object, object]:
        """Erase the live text while pytest writes the name of a test."""
        return (yield from self._make_room())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self) -> Generator[None, object, object]:
        """Erase the live text while pytest reports the result of a test."""
        return (yield from self._make_room())

    def _make_room(self) -> Generator[None, object, object]:
        self._wipe()
        result = yield
        self._draw()
        return result

    def _draw(self) -> None:
        if self._text:
            self._uncaptured(self._draw_on)

    def _draw_on(self, reporter: pytest.TerminalReporter) -> None:
        # While output is captured, the width of the terminal is not known.
        terminal = reporter._tw  # noqa: SLF001 - the column is known nowhere else
        room = terminal.fullwidth - terminal.width_of_current_line - 3
        # If the text does not fit, its end is most useful: question i of n, time left.
        text = self._text if room >= width(self._text) else self._text.rpartition(": ")[2]
        if room >= width(text):
            # Save the cursor, erase, write, go back: pytest's line does not change.
            _write_raw(reporter, f"\x1b7\x1b[K  {text}\x1b8")

    def _wipe(self) -> None:
        if self._text:
            self._uncaptured(lambda reporter: _write_raw(reporter, "\x1b[K"))

    def _uncaptured(self, write: Callable[[pytest.TerminalReporter], None]) -> None:
        if self._reporter is None:
            return
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        if capture is None:
            write(self._reporter)
            return
        with capture.global_and_fixture_disabled():
            write(self._reporter)


def _write_raw(reporter: pytest.TerminalReporter, text: str) -> None:
    """Write without pytest's writer, which would count the text as part of its line."""
    file = reporter._tw._file  # noqa: SLF001
    file.write(text)
    file.flush()
