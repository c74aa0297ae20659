"""Keep the questions that a suite asks for."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pytest_raq.datasets.tables import tell_values
from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.config import FilterSettings
    from pytest_raq.datasets.items import Item
    from pytest_raq.records import Question


def filter_items(source: str, items: Sequence[Item], settings: FilterSettings) -> list[Item]:
    """Return the items that pass a filter; its columns are the readers' affair.

    DatasetError when nothing passes, or a title is that of no question.
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
            near = difflib.get_close_matches(title, titles, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DatasetError(
                f"{source}: no question has the title {title!r}, which dataset.filter.title"
                f" names{hint}"
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
