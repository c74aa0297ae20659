"""What a run says while models answer."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of every step that takes time; must not raise."""

    def loading(self, model: str) -> None:
        """Tell that a model is being loaded."""

    def answered(self, model: str, done: int, total: int) -> None:
        """Tell that ``done`` of the ``total`` questions to generate are done."""

    def finished(self, model: str, done: int, seconds: float) -> None:
        """Tell that no more questions are asked; ``done`` were generated."""

    def judged(self, judge: str, done: int, total: int, spent: str) -> None:
        """Tell that ``done`` of the ``total`` questions are ranked, and what that cost so far."""

    def all_judged(self, judge: str, done: int, seconds: float, spent: str) -> None:
        """Tell that all of them are."""


class NoProgress:
    """Says nothing."""

    def loading(self, model: str) -> None:
        """Say nothing."""

    def answered(self, model: str, done: int, total: int) -> None:
        """Say nothing."""

    def finished(self, model: str, done: int, seconds: float) -> None:
        """Say nothing."""

    def judged(self, judge: str, done: int, total: int, spent: str) -> None:
        """Say nothing."""

    def all_judged(self, judge: str, done: int, seconds: float, spent: str) -> None:
        """Say nothing."""
