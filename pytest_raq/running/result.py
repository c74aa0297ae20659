"""One question of a run as it is told: answers, accepted answers, ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.records import Answer, Failure, QuestionResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.records import Outcome, Question, Ranking


def question_result(
    question: Question,
    outcomes: Mapping[str, Outcome],
    accepted: Mapping[str, str | None],
    ranking: Ranking | None,
    preferences: Mapping[str, Mapping[str, int]],
) -> QuestionResult:
    """Return what is known of a question, by model.

    ``ranking`` is that of today's answers, None where it was not asked for,
    ``preferences`` holds s_i by model and question id.
    """
    return QuestionResult(
        question=question,
        answers={m: o.text for m, o in outcomes.items() if isinstance(o, Answer)},
        baseline_answers={m: text for m, text in accepted.items() if text is not None},
        failures={m: o.reason for m, o in outcomes.items() if isinstance(o, Failure)},
        ranks=ranking.ranks if ranking else {},
        orders_agreed=ranking.orders_agreed if ranking else None,
        preferences={
            model: items[question.id]
            for model, items in preferences.items()
            if question.id in items
        },
        missing=ranking.missing if ranking else "not asked for",
    )
