"""Draw questions so that they spread over passages."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.records import Question


def sample_questions(
    questions: Sequence[Question], size: int | None, seed: int
) -> tuple[Question, ...]:
    """Return ``size`` questions over as many passages as possible; all when there are fewer.

    Passages are shuffled, then give one question each, round after round. What
    is drawn depends on the seed, the ids and the passages alone, not on the
    order of the file, the platform or the version of Python; a larger sample
    holds the smaller one. The result keeps the order of the file, with the
    questions of one passage together, so that they can share its prefill.
    """
    clusters: dict[str, list[Question]] = {}
    for question in questions:
        clusters.setdefault(question.cluster, []).append(question)
    drawn = set(_draw(clusters, seed)[:size])
    return tuple(item for members in clusters.values() for item in members if item.id in drawn)


def _draw(clusters: dict[str, list[Question]], seed: int) -> list[str]:
    """Return all ids in the order in which they are drawn."""
    turns = []
    for passage, members in clusters.items():
        place = _shuffled(seed, f"passage:{passage}")
        ids = sorted((item.id for item in members), key=lambda name: _shuffled(seed, name))
        turns += [(turn, place, name) for turn, name in enumerate(ids)]
    return [name for _, _, name in sorted(turns)]


def _shuffled(seed: int, text: str) -> str:
    # A hash rather than a random generator: equal on every version and platform.
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
