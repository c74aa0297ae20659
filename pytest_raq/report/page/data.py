"""The questions of a suite as the data of a page."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.records import QuestionResult, SuiteResult

FIELDS = (
    "id",
    "title",
    "passage",
    "question",
    "references",
    "answerable",
    "now",
    "before",
    "ranks",
    "changes",
    "failures",
    "missing",
    "disagree",
    "judges",
    "why",
    "whyBefore",
    "lost",
    "thoughts",
)
"""The places of the fields of a question; page.js reads it by these names."""

SAME = 0
"""Marks an accepted answer that is the same as today's."""

LONGEST_PLAIN: Final = 6_000_000
"""Characters beyond which the data is compressed: a page of 30 MB is too long for a mail."""

_UNSAFE = re.compile(
    "[<>&\u007f-\u009f\u00ad\u0600-\u0605\u061c\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\uffff]"
)


@dataclass(frozen=True, slots=True)
class PageData:
    """The content of a ``<script>`` that is not a program, and its type."""

    type: str
    text: str


def question_data(result: SuiteResult, judge: Mapping[str, object]) -> PageData:
    """Return the questions of a suite as JSON that cannot end its element, or compressed.

    ``judge`` is what the JSON of the run knows of judges.
    """
    passages: dict[str, int] = {}
    models = list(result.models)
    opinions = _Opinions(judge, models)
    table = {
        "models": models,
        "fields": FIELDS,
        "judges": opinions.is_there,
        "likelihood": any(item.baseline_reference_bits for item in result.questions),
        "questions": [_row(item, models, passages, opinions) for item in result.questions],
        "passages": list(passages),  # filled by the rows
    }
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
    if len(text) > LONGEST_PLAIN:
        packed = zlib.compress(json.dumps(table, separators=(",", ":")).encode("ascii"))
        return PageData("application/x-deflate", base64.b64encode(packed).decode("ascii"))
    return PageData("application/json", safe_json(text))


def safe_json(text: str) -> str:
    """Return JSON without a character that means something to HTML, or that is not seen."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _row(
    item: QuestionResult, models: Sequence[str], passages: dict[str, int], opinions: _Opinions
) -> list[object]:
    question = item.question
    return [
        question.id,
        question.title or question.group or question.passage[:60],
        passages.setdefault(question.passage, len(passages)),
        question.question,
        question.references,
        question.answerable,
        [item.answers.get(model) for model in models],
        [_accepted(item, model) for model in models],
        [item.ranks.get(model) for model in models],
        [item.preferences.get(model) for model in models],
        [item.failures.get(model) for model in models],
        item.missing,
        opinions.disagree(question.id),
        opinions.ranks(question.id),
        [item.reasons.get(model) for model in models],
        [item.baseline_reasons.get(model) for model in models],
        _lost(item, models),
        _thoughts(item, models),
    ]


def _thoughts(item: QuestionResult, models: Sequence[str]) -> list[list[object] | None] | None:
    """Return by model its reasoning, and whether it ended in there; None where none reasoned."""
    if not (item.reasoning or item.unfinished):
        return None
    return [
        [item.reasoning.get(model, ""), model in item.unfinished]
        if model in item.reasoning or model in item.unfinished
        else None
        for model in models
    ]


def _lost(item: QuestionResult, models: Sequence[str]) -> list[float | None]:
    """Return by model how many bits per byte the reference lost; None where that is not known."""
    return [
        round(item.reference_bits[model] - item.baseline_reference_bits[model], 3)
        if model in item.reference_bits and model in item.baseline_reference_bits
        else None
        for model in models
    ]


def _accepted(item: QuestionResult, model: str) -> str | int | None:
    accepted = item.baseline_answers.get(model)
    return SAME if accepted is not None and accepted == item.answers.get(model) else accepted


class _Opinions:
    """What several judges, or one judge several times, said of each question.

    Ranks may stand under the names of models or, ranked together with accepted
    answers, under ``now:`` and the name.
    """

    def __init__(self, judge: Mapping[str, object], models: Sequence[str]) -> None:
        self._ranks = _mapping(judge.get("ranks"))
        self._agreed = _mapping(judge.get("orders_agreed"))
        self._models = models
        self.is_there = bool(self._ranks or self._agreed)

    def ranks(self, question_id: str) -> dict[str, list[float | None]] | None:
        """Return judge → rank of each model; None where nothing is known."""
        found = {
            str(name): [self._rank(_mapping(given), model) for model in self._models]
            for name, given in _mapping(self._ranks.get(question_id)).items()
        }
        return found or None

    @staticmethod
    def _rank(given: Mapping[str, object], model: str) -> float | None:
        rank = given.get(model, given.get(f"now:{model}"))
        return float(rank) if isinstance(rank, int | float) else None

    def disagree(self, question_id: str) -> bool:
        """Whether two judges put two answers in opposite orders, or one did not keep to its own."""
        if self._agreed.get(question_id) is False:
            return True
        ranks = self.ranks(question_id) or {}
        return any(_opposed(first, second) for first, second in combinations(ranks.values(), 2))


def _opposed(first: Sequence[float | None], second: Sequence[float | None]) -> bool:
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return any((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(both, 2))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
