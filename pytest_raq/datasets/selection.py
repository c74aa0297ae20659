"""Selects the questions of a data set: filters, then a sample spread over passages."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pytest_raq.config import nearest
from pytest_raq.datasets.tables import tell_values
from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.config import FilterSettings
    from pytest_raq.datasets.items import Item
    from pytest_raq.records import Question


_DIGITS = 12
"""Number of hexadecimal digits of a hash that a float can hold exactly."""


def sample_questions(
    questions: Sequence[Question],
    size: int | None,
    seed: int,
    strata: Mapping[str, str] | None = None,
) -> tuple[Question, ...]:
    """Return ``size`` questions from as many passages as possible; all if there are fewer.

    Passages are shuffled, then give one question each, round after round.
    With ``strata`` (question id → stratum) every stratum gets its share, by
    systematic sampling: question k = 0, 1, … of a stratum of n questions comes at
    (k + u) ÷ n, smallest first, where each stratum has its own u from 0 to 1. So
    a stratum that is too small for a whole question still has a chance. The sample
    depends only on the seed, the ids, the passages and the strata, not on the
    order of the file, the platform or the version of Python; a larger sample
    contains the smaller one. The result keeps the order of the file, with the
    questions of one passage together, so that they can share its prefill.
    """
    clusters: dict[str, list[Question]] = {}
    for question in questions:
        clusters.setdefault(question.cluster, []).append(question)
    members = (item for cluster in clusters.values() for item in cluster)
    if size is None or size >= len(questions):
        return tuple(members)
    order = _draw(clusters, seed)
    if strata:
        order = _share_out(order, strata, seed)
    drawn = set(order[:size])
    return tuple(item for item in members if item.id in drawn)


def _draw(clusters: dict[str, list[Question]], seed: int) -> list[str]:
    """Return all ids in the order in which they are drawn."""
    turns = []
    for passage, members in clusters.items():
        place = _shuffled(seed, f"passage:{passage}")
        ids = sorted((item.id for item in members), key=lambda name: _shuffled(seed, name))
        turns += [(turn, place, name) for turn, name in enumerate(ids)]
    return [name for _, _, name in sorted(turns)]


def _share_out(order: Sequence[str], strata: Mapping[str, str], seed: int) -> list[str]:
    """Return ids in an order in which each beginning has the right share of each stratum."""
    members: dict[str, list[str]] = {}
    for name in order:
        members.setdefault(strata[name], []).append(name)
    turns = []
    for stratum, ids in members.items():
        start = int(_shuffled(seed, f"stratum:{stratum}")[:_DIGITS], 16) / 16**_DIGITS
        turns += [((k + start) / len(ids), stratum, k, name) for k, name in enumerate(ids)]
    return [name for *_, name in sorted(turns)]


def _shuffled(seed: int, text: str) -> str:
    # A hash, not a random generator: the same on every version and platform.
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def filter_items(source: str, items: Sequence[Item], settings: FilterSettings) -> list[Item]:
    """Return the items that pass a filter, except its columns, which the readers apply.

    Raises DatasetError if nothing passes, or if no question has a title of the filter.
    """
    _refuse_unknown_titles(source, items, settings)
    kept = [item for item in items if _passes(item.question, settings)]
    if items and not kept:
        told = ", ".join(
            f"{name} = {tell_values(value) if isinstance(value, tuple) else value}"
            for name, value in settings
            if value not in (None, {})
        )
        raise DatasetError(
            f"{source}: none of {len(items)} questions passes dataset.filter ({told})"
        )
    return kept


def _refuse_unknown_titles(source: str, items: Sequence[Item], settings: FilterSettings) -> None:
    if settings.title is None:
        return
    titles = {item.question.title for item in items}
    for title in settings.title:
        if title not in titles:
            raise DatasetError(
                f"{source}: no question has the title {title!r} of dataset.filter.title"
                f"{nearest(title, titles)}"
            )


def _passes(question: Question, settings: FilterSettings) -> bool:
    length = len(question.passage)
    shortest, longest = settings.min_passage_length, settings.max_passage_length
    references = len(question.references) if question.answerable else 0
    return (
        (settings.title is None or question.title in settings.title)
        and (settings.answerable is None or question.answerable is settings.answerable)
        and (shortest is None or length >= shortest)
        and (longest is None or length <= longest)
        and (settings.min_references is None or references >= settings.min_references)
    )
