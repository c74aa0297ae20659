"""The speed probe: fixed questions, one sequence, cold prefix."""

from __future__ import annotations

from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.datasets import sample_questions
from pytest_raq.errors import EngineError
from pytest_raq.records import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.generation import ModelAnswers
    from pytest_raq.records import Answer, Question, SpeedSamples

PROBE_QUESTIONS = 5
ROUNDS_EACH = 3
WARM_UP = 1

MEASURES = {
    "decode_tokens_per_second": True,
    "prefill_tokens_per_second": True,
    "time_to_first_token": False,
    "words_per_second": True,
}
"""What is measured, and whether more is better."""


class SpeedProbe:
    """Times one model on the same few questions of a suite in every run.

    Each call of `measure` asks the next question, with nothing shared between
    calls. The warm-up round is not among the samples.
    """

    warmup_rounds = WARM_UP

    def __init__(self, answers: ModelAnswers, questions: Sequence[Question]) -> None:
        probes = sample_questions(questions, PROBE_QUESTIONS, seed=0)
        self.rounds = len(probes) * ROUNDS_EACH
        self._answers = answers
        self._ids = cycle(question.id for question in probes)
        self._measured: list[Answer] = []

    def measure(self) -> None:
        """Ask the next probe question; EngineError when there is no answer."""
        outcome = self._answers.probe(next(self._ids))
        if isinstance(outcome, Failure):
            raise EngineError(outcome.reason)
        self._measured.append(outcome)

    def samples(self) -> SpeedSamples:
        """Return one value a round of each measure that could be taken."""
        timed = self._measured[self.warmup_rounds :]
        columns: dict[str, list[float | None]] = {
            "decode_tokens_per_second": [a.timing.decode_tokens_per_second for a in timed],
            "prefill_tokens_per_second": [a.timing.prefill_tokens_per_second for a in timed],
            "time_to_first_token": [a.timing.time_to_first_token or None for a in timed],
            "words_per_second": [a.words_per_second for a in timed],
        }
        return {
            measure: tuple(value for value in column if value is not None)
            for measure, column in columns.items()
            if any(value is not None for value in column)
        }


def medians(samples: SpeedSamples) -> dict[str, float]:
    """Return the median of each measure."""
    return {measure: median(values) for measure, values in samples.items()}
