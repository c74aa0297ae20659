"""Where commands write, how far they are, and what they return to the shell."""

from __future__ import annotations

import json
import os
import sys
import time
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.report import ProgressText, format_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_raq.config import GateSettings
    from pytest_raq.records import SuiteResult


STDOUT = "-"

_LIVE_SECONDS = 0.1
_LOG_SECONDS = 30.0


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
    _write("".join(f"{line}\n" for line in lines))


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


class ExitCode(IntEnum):
    """The same in every command."""

    FINE = 0
    REGRESSION = 1
    USAGE = 2
    NOT_MEASURED = 3
    INTERRUPTED = 130
    """As shells say it of Ctrl-C."""


def verdict_code(result: SuiteResult, settings: GateSettings) -> ExitCode:
    """Return the worst of what the verdicts of a result mean."""
    from pytest_raq.gate import is_failure
    from pytest_raq.records import Decision

    decisions = {verdict.decision for verdict in result.verdicts.values()}
    nothing_ranked = not any(item.ranks for item in result.questions)
    if Decision.REGRESSION in decisions:
        return ExitCode.REGRESSION
    disbelieved = result.judges is not None and bool(result.judges.problems)
    if Decision.NOT_MEASURED in decisions or nothing_ranked or disbelieved:
        return ExitCode.NOT_MEASURED
    failed = any(is_failure(verdict, settings) for verdict in result.verdicts.values())
    return ExitCode.REGRESSION if failed else ExitCode.FINE
