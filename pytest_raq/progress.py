"""The progress of a run while models answer."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives every step that takes time; must not raise."""

    def loading(self, model: str) -> None:
        """Report that a model is being loaded."""

    def answered(self, model: str, done: int, total: int) -> None:
        """Report that ``done`` of the ``total`` questions to generate are done."""

    def finished(self, model: str, done: int, seconds: float) -> None:
        """Report that no more questions are asked; ``done`` were generated."""

    def judged(self, judge: str, done: int, total: int, spent: str) -> None:
        """Report that ``done`` of the ``total`` questions are ranked, and the cost so far."""

    def all_judged(self, judge: str, done: int, seconds: float, spent: str) -> None:
        """Report that all questions are ranked."""


class NoProgress:
    """Reports nothing."""

    def loading(self, model: str) -> None:
        """Report nothing."""

    def answered(self, model: str, done: int, total: int) -> None:
        """Report nothing."""

    def finished(self, model: str, done: int, seconds: float) -> None:
        """Report nothing."""

    def judged(self, judge: str, done: int, total: int, spent: str) -> None:
        """Report nothing."""

    def all_judged(self, judge: str, done: int, seconds: float, spent: str) -> None:
        """Report nothing."""
