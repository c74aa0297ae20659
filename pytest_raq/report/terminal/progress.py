"""How far a run is: a live text on a terminal, some lines in a log."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

LOG_SECONDS = 30.0
"""Least time between two lines of a log; what takes less gets no line."""

_LIVE_SECONDS = 0.1
_MINUTE = 60
_HOUR = 3600


class ProgressReport(ABC):
    """The `Progress` of a run as text; where the text goes is for subclasses to say.

    On a terminal (``is_live``) each text replaces the one before, ten times a
    second at most. Elsewhere there is a line every half minute.
    """

    def __init__(self, *, is_live: bool) -> None:
        self._is_live = is_live
        self._started = time.monotonic()
        self._restart_clock()

    @abstractmethod
    def draw(self, text: str) -> None:
        """Show a text in place of the one before; on a terminal alone."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Write a line that stays."""

    @abstractmethod
    def clear(self) -> None:
        """Wipe the live text."""

    def loading(self, model: str) -> None:
        """Report that a model is being loaded."""
        self.show(f"{model}: loading")

    def answered(self, model: str, done: int, total: int) -> None:
        """Report how far a model is."""
        self._advance(model, done, total, "")

    def judged(self, judge: str, done: int, total: int, spent: str) -> None:
        """Report how far a judge is, and what that cost so far."""
        self._advance(f"judge {judge}", done, total, spent)

    def _advance(self, name: str, done: int, total: int, spent: str) -> None:
        if done == 0:
            self._started = time.monotonic()
            self._restart_clock()
        if done < total:
            seconds = time.monotonic() - self._started
            self.show(str(ProgressText(name, done, total, seconds, spent)))

    def _restart_clock(self) -> None:
        """Let a terminal show the next text at once, and a log wait."""
        self._last = time.monotonic() - (_LIVE_SECONDS if self._is_live else 0.0)

    def show(self, text: str) -> None:
        """Show a text that the next one replaces, if the last one has stood for long enough."""
        now = time.monotonic()
        if now - self._last < (_LIVE_SECONDS if self._is_live else LOG_SECONDS):
            return
        self._last = now
        if self._is_live:
            self.draw(text)
        else:
            self.say(text)

    def finished(self, model: str, done: int, seconds: float) -> None:
        """Report how long a model took."""
        self.clear()
        if self.is_worth_a_line(seconds):
            self.say(f"{model}: {done} question{'s' * (done != 1)} in {format_seconds(seconds)}")

    def all_judged(self, judge: str, done: int, seconds: float, spent: str) -> None:
        """Report how long a judge took, and what that cost."""
        self.finished(f"judge {judge}", done, seconds)
        if spent and self.is_worth_a_line(seconds):
            self.say(f"judge {judge}: {spent}")

    def is_worth_a_line(self, seconds: float) -> bool:
        """Whether what took so long gets a line at its end."""
        return not self._is_live and seconds >= LOG_SECONDS


def format_seconds(seconds: float) -> str:
    """Return a duration as people say it: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


@dataclass(frozen=True, slots=True)
class ProgressText:
    """How far one model is: ``done`` of ``total`` questions after ``seconds``.

    ``spent`` is what that cost, in words.
    """

    model: str
    done: int
    total: int
    seconds: float
    spent: str = ""

    def __str__(self) -> str:
        """Return e.g. ``reader-llama: question 13 of 60, 8 s left``."""
        asked = min(self.done + 1, self.total)
        spent = f", {self.spent}" if self.spent else ""
        return f"{self.model}: question {asked} of {self.total}{self._left()}{spent}"

    def _left(self) -> str:
        if self.done == 0:
            return ""
        return f", {format_seconds(self.seconds / self.done * (self.total - self.done))} left"
