"""Where commands write, how far they are, and what they return to the shell."""

from __future__ import annotations

import json
import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.report.terminal.progress import ProgressReport
from pytest_raq.text import log_text, message_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_raq.config import GateSettings
    from pytest_raq.records import SuiteResult


STDOUT = "-"


def write_result(lines: Iterable[str], table: object, target: str | None) -> None:
    """Write lines for people and, if asked, a table as JSON.

    With the target ``-`` the JSON stands alone on standard output. StoreError
    when the file cannot be written.
    """
    from pytest_raq.files import write_atomically

    if target == STDOUT:
        # Escaped where standard output could not hold the text itself.
        _write(json.dumps(table, indent=1, ensure_ascii=not _is_utf8(), allow_nan=False) + "\n")
        return
    if target is not None:
        text = json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(Path(target), text + "\n")
    _write("".join(f"{log_text(line)}\n" for line in lines))


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _write(text: str) -> None:
    """Write to standard output; what its encoding does not know is replaced.

    A reader that has gone, as in ``raq … | head``, changes no exit code.
    """
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, errors="replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Write one line to standard output, cleaned as every message is."""
    _write(f"{message_text(text)}\n")


def warn(text: str) -> None:
    """Write one line to standard error, cleaned as every message is."""
    sys.stderr.write(f"{message_text(text)}\n")


class CommandProgress(ProgressReport):
    """Reports on standard error how far a command is."""

    def __init__(self) -> None:
        super().__init__(is_live=sys.stderr.isatty())
        self._has_text = False

    def draw(self, text: str) -> None:
        """Show a text in place of the one before."""
        self._has_text = True
        sys.stderr.write(f"\r\x1b[K{message_text(text, 100)}")
        sys.stderr.flush()

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self.clear()
        sys.stderr.write(f"{log_text(text)}\n")

    def clear(self) -> None:
        """Wipe the live text."""
        if self._has_text:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._has_text = False

    def is_worth_a_line(self, seconds: float) -> bool:
        """Every step of a command gets a line at its end."""
        del seconds
        return True

    def all_judged(self, judge: str, done: int, seconds: float, spent: str) -> None:
        """Report nothing more: the cost is in the result."""
        del judge, done, seconds, spent
        self.clear()


class ExitCode(IntEnum):
    """The same in every command."""

    FINE = 0
    REGRESSION = 1
    USAGE = 2
    NOT_MEASURED = 3
    INTERRUPTED = 130
    """The exit code of shells after Ctrl-C."""
    TERMINATED = 143
    """The exit code of shells after SIGTERM."""


def verdict_code(result: SuiteResult, settings: GateSettings) -> ExitCode:
    """Return the worst of what the verdicts of a result mean."""
    from pytest_raq.gate import is_failure
    from pytest_raq.records import Decision

    decisions = {verdict.decision for verdict in result.verdicts.values()}
    nothing_ranked = not any(item.ranks for item in result.questions)
    if Decision.REGRESSION in decisions:
        return ExitCode.REGRESSION
    mistrusted = result.judges is not None and bool(result.judges.problems)
    if Decision.NOT_MEASURED in decisions or nothing_ranked or mistrusted:
        return ExitCode.NOT_MEASURED
    failed = any(is_failure(verdict, settings) for verdict in result.verdicts.values())
    return ExitCode.REGRESSION if failed else ExitCode.FINE
