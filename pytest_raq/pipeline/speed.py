"""The speed probe: fixed questions, one sequence, cold prefix."""

from __future__ import annotations

from itertools import cycle
from statistics import median
from typing import TYPE_CHECKING

from pytest_raq.datasets import sample_questions
from pytest_raq.errors import EngineError
from pytest_raq.pipeline.machine_speed import MACHINE, MachineSpeed
from pytest_raq.records import Failure
from pytest_raq.stats.speed import speed_evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.generation import ModelAnswers
    from pytest_raq.records import Answer, Question, SpeedEvidence, SpeedSamples

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
    calls. With the accepted file of a swapped model at hand,
    `measure_accepted` asks that one the same question, so that both are
    timed in turns. The warm-up round is not among the samples.
    """

    warmup_rounds = WARM_UP

    def __init__(
        self,
        answers: ModelAnswers,
        questions: Sequence[Question],
        accepted: ModelAnswers | None = None,
    ) -> None:
        probes = sample_questions(questions, PROBE_QUESTIONS, seed=0)
        self.rounds = len(probes) * ROUNDS_EACH
        self._ids = cycle(question.id for question in probes)
        self._next = next(self._ids)
        self._answers, self._accepted = answers, accepted
        # What a server does elsewhere does not depend on this machine.
        self._machine = MachineSpeed() if answers.model.engine == "llama-cpp" else None
        self._machine_speeds: list[float] = []
        self._measured: list[Answer] = []
        self._measured_accepted: list[Answer] = []

    def measure_accepted(self) -> None:
        """Go to the next probe question and ask the accepted file, if there is one.

        Before each round the speed of the machine itself is taken.
        """
        self._next = next(self._ids)
        if self._machine is not None:
            self._machine_speeds.append(self._machine.measure())
        if self._accepted is not None:
            self._measured_accepted.append(_probe(self._accepted, self._next))

    def measure(self) -> None:
        """Ask the probe question; EngineError when there is no answer."""
        self._measured.append(_probe(self._answers, self._next))

    def samples(self) -> SpeedSamples:
        """Return one value a round of each measure that could be taken."""
        found = _samples(self._measured[self.warmup_rounds :])
        machine = tuple(self._machine_speeds[self.warmup_rounds :])
        return {**found, MACHINE: machine} if found and machine else found

    def accepted_samples(self) -> SpeedSamples:
        """Return the same of the accepted file; nothing where it was not timed."""
        return _samples(self._measured_accepted[self.warmup_rounds :])


def _probe(answers: ModelAnswers, question_id: str) -> Answer:
    outcome = answers.probe(question_id)
    if isinstance(outcome, Failure):
        raise EngineError(outcome.reason)
    return outcome


def _samples(timed: Sequence[Answer]) -> SpeedSamples:
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
    """Return the median of each measure of a model."""
    return {measure: median(values) for measure, values in samples.items() if measure in MEASURES}


def compare_speed(
    now: SpeedSamples, before: SpeedSamples, *, seed: int = 0
) -> tuple[SpeedEvidence, ...]:
    """Return each measure that both have, as a ratio with an interval."""
    return tuple(
        speed_evidence(
            measure,
            now[measure],
            before[measure],
            higher_is_better=higher_is_better,
            seed=seed,
        )
        for measure, higher_is_better in MEASURES.items()
        if now.get(measure) and before.get(measure)
    )


def compare_machine(now: SpeedSamples, before: SpeedSamples, *, seed: int) -> SpeedEvidence | None:
    """Return how fast the machine itself was, now against then; None where it is not known."""
    if not (now.get(MACHINE) and before.get(MACHINE)):
        return None
    return speed_evidence(MACHINE, now[MACHINE], before[MACHINE], higher_is_better=True, seed=seed)
