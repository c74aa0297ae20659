"""Loaded by the pytest processes that tests start: their speed is timed in a few rounds.

What a speed says is tested with made figures: here each probe question is asked once or twice.
"""

from __future__ import annotations

ROUNDS, LOOKS = 5, (3, 4, 5)


def pytest_collection_finish() -> None:
    """Change the limits when pytest-raq is loaded anyway."""
    from pytest_raq.speed import turns

    turns.MOST_ROUNDS, turns.LOOKS = ROUNDS, LOOKS
