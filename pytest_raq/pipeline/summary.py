"""The figures of one model over its answers."""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING

from pytest_raq.records import Answer, Interval, ModelSummary
from pytest_raq.stats.squad import score_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_raq.records import Outcome, Question


def summarize(
    model: str,
    outcomes: Mapping[str, Outcome],
    questions: Mapping[str, Question],
    *,
    mean_rank: float | None = None,
    interval: Interval | None = None,
) -> ModelSummary:
    """Return the figures of one model; means and medians are over its answers.

    EM and F1 are the official SQuAD figures as fractions, over the questions
    that have references. None where there is no answer to measure.
    """
    answers = [outcome for outcome in outcomes.values() if isinstance(outcome, Answer)]
    found = [score_answer(answer.text, questions[answer.question_id]) for answer in answers]
    scores = [item for item in found if item is not None]
    timings = [answer.timing for answer in answers]
    return ModelSummary(
        model=model,
        answered=len(answers),
        failed=len(outcomes) - len(answers),
        mean_rank=mean_rank,
        interval=interval,
        exact_match=_of(fmean, (item.exact_match for item in scores)),
        f1=_of(fmean, (item.f1 for item in scores)),
        words=_of(fmean, (answer.words for answer in answers)),
        words_and_numbers=_of(fmean, (answer.words_and_numbers for answer in answers)),
        words_per_second=_of(fmean, (answer.words_per_second for answer in answers)),
        decode_tokens_per_second=_of(median, (t.decode_tokens_per_second for t in timings)),
        prefill_tokens_per_second=_of(median, (t.prefill_tokens_per_second for t in timings)),
        time_to_first_token=_of(
            median, (t.time_to_first_token for t in timings if t.time_to_first_token > 0)
        ),
    )


def _of(
    aggregate: Callable[[Iterable[float]], float], values: Iterable[float | None]
) -> float | None:
    measured = [float(value) for value in values if value is not None]
    return aggregate(measured) if measured else None
