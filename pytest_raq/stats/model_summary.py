"""The figures of one model: SQuAD's exact match and F1, contains, words, speeds, reasoning."""

from __future__ import annotations

import re
import string
from collections import Counter
from statistics import fmean, median
from typing import TYPE_CHECKING

from pytest_raq.records import UNANSWERABLE, Answer, Interval, ModelSummary, Score
from pytest_raq.records.reasoning import UNFINISHED
from pytest_raq.stats.contains import contains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_raq.records import Outcome, Question


_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Return a text as the official evaluation compares it."""
    plain = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def exact_match(text: str, references: Iterable[str]) -> float:
    """Return 1 if the text equals a reference after normalization, else 0."""
    return score(text, references).exact_match


def f1(text: str, references: Iterable[str]) -> float:
    """Return the F1 of the words shared with the best reference, 0 to 1."""
    return score(text, references).f1


def score(text: str, references: Iterable[str]) -> Score:
    """Return exact match, F1 and contains of a text, each with its best reference; 0 without one.

    An answer that ended inside its reasoning has 0 of each.
    """
    if text == UNFINISHED:
        return Score(0.0, 0.0)
    answer = normalize_answer(text)
    known = tuple(references)
    if not answer and known == (UNANSWERABLE,):
        return Score(1.0, 1.0, 1.0)
    expected = [normalize_answer(reference) for reference in known]
    is_equal = answer in expected
    return Score(
        exact_match=float(is_equal),
        f1=max((_overlap(answer.split(), words.split()) for words in expected), default=0.0),
        contains=float(is_equal or contains(text, known)),
    )


def score_answer(text: str, question: Question) -> Score | None:
    """Return exact match, F1 and contains; None if the right answer is not known.

    Where the passage has no answer, an answer that abstains has 1 of each.
    """
    if not question.references:
        return None
    if question.answerable or text == UNFINISHED:
        return score(text, question.references)
    answer = normalize_answer(text)
    known = [normalize_answer(reference) for reference in question.references]
    abstains = not answer or answer in known
    holds = abstains or contains(text, question.references)
    return Score(float(abstains), float(abstains), float(holds))


def _overlap(words: list[str], expected: list[str]) -> float:
    shared = (Counter(words) & Counter(expected)).total()
    if shared == 0:
        return 0.0
    precision, recall = shared / len(words), shared / len(expected)
    return 2 * precision * recall / (precision + recall)


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
    that have references. None if there is no answer to measure.
    """
    answers = [outcome for outcome in outcomes.values() if isinstance(outcome, Answer)]
    found = [score_answer(each.judged_text, questions[each.question_id]) for each in answers]
    scores = [item for item in found if item is not None]
    timings = [answer.timing for answer in answers]
    thoughts = [answer.timing for answer in answers if answer.reasoning]
    counted = [timing for timing in thoughts if timing.reasoning_tokens]
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
        decode_is_estimate=any(
            timing.is_estimate and timing.decode_tokens_per_second is not None for timing in timings
        ),
        contains=_of(fmean, (item.contains for item in scores)),
        reasoning_tokens=_of(fmean, (timing.reasoning_tokens for timing in counted)),
        reasoning_seconds=_of(
            fmean, (t.reasoning_seconds for t in thoughts if t.reasoning_seconds > 0)
        ),
        time_to_first_answer=_of(
            median, (t.time_to_first_answer for t in thoughts if t.time_to_first_answer > 0)
        ),
        unfinished=sum(answer.unfinished for answer in answers),
    )


def _of(
    aggregate: Callable[[Iterable[float]], float], values: Iterable[float | None]
) -> float | None:
    measured = [float(value) for value in values if value is not None]
    return aggregate(measured) if measured else None
