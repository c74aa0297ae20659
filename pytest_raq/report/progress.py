"""The words of the progress display; where they are written is not decided here."""

from __future__ import annotations

from dataclasses import dataclass

_MINUTE = 60
_HOUR = 3600


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
