"""The speed probe of a suite, and the samples that a run keeps."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import TYPE_CHECKING

from pytest_raq.datasets import sample_questions
from pytest_raq.errors import EngineError
from pytest_raq.machine import usable_cores
from pytest_raq.records import Failure
from pytest_raq.stats.speed import MACHINE, medians

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.answering import ModelAnswers
    from pytest_raq.records import Answer, Question, SpeedSamples


_BLOCK = bytes(2**20)
_TIMES = 2

PROBE_QUESTIONS = 5
ROUNDS_EACH = 3
WARM_UP = 1


class MachineSpeed:
    """Measures the machine: some milliseconds of hashing on each core, at the same time."""

    def __init__(self) -> None:
        self._cores = usable_cores()
        self._pool = ThreadPoolExecutor(self._cores)

    def measure(self) -> float:
        """Return how often per second all cores together do this work."""
        start = time.perf_counter()
        # hashlib releases the interpreter's lock for blocks of this size.
        list(self._pool.map(_work, range(self._cores)))
        return 1.0 / (time.perf_counter() - start)


def _work(_core: int) -> None:
    for _ in range(_TIMES):
        hashlib.sha256(_BLOCK)


class SpeedProbe:
    """Times one model on the same few questions of a suite in every run.

    Each call of `measure` asks the next question, with nothing shared between
    calls. If the accepted file of a swapped model is available,
    `measure_accepted` asks it the same question, so that both are
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
        # The speed of a server elsewhere does not depend on this machine.
        self._machine = MachineSpeed() if answers.model.engine == "llama-cpp" else None
        self._machine_speeds: list[float] = []
        self._measured: list[Answer] = []
        self._measured_accepted: list[Answer] = []

    def measure_accepted(self) -> None:
        """Go to the next probe question and ask the accepted file, if there is one.

        Before each round the speed of the machine itself is measured.
        """
        self._next = next(self._ids)
        if self._machine is not None:
            self._machine_speeds.append(self._machine.measure())
        if self._accepted is not None:
            self._measured_accepted.append(_probe(self._accepted, self._next))

    def measure(self) -> None:
        """Ask the probe question; raise EngineError if there is no answer."""
        self._measured.append(_probe(self._answers, self._next))

    def samples(self) -> SpeedSamples:
        """Return one value per round of each available measure."""
        found = _samples(self._measured[self.warmup_rounds :])
        machine = tuple(self._machine_speeds[self.warmup_rounds :])
        return {**found, MACHINE: machine} if found and machine else found

    def accepted_samples(self) -> SpeedSamples:
        """Return the same for the accepted file; nothing if it was not timed."""
        return _samples(self._measured_accepted[self.warmup_rounds :])


def _probe(answers: ModelAnswers, question_id: str) -> Answer:
    outcome = answers.probe(question_id)
    if isinstance(outcome, Failure):
        raise EngineError(outcome.reason)
    return outcome


def _samples(timed: Sequence[Answer]) -> SpeedSamples:
    columns: dict[str, list[float | None]] = {
        # What is only an estimate must decide nothing.
        "decode_tokens_per_second": [
            None if a.timing.is_estimate else a.timing.decode_tokens_per_second for a in timed
        ],
        "prefill_tokens_per_second": [a.timing.prefill_tokens_per_second for a in timed],
        "time_to_first_token": [a.timing.time_to_first_token or None for a in timed],
        "words_per_second": [a.words_per_second for a in timed],
    }
    return {
        measure: tuple(value for value in column if value is not None)
        for measure, column in columns.items()
        if any(value is not None for value in column)
    }


class SuiteSpeed:
    """Samples of models and of accepted files timed in turns with them, and repetitions."""

    def __init__(self) -> None:
        self.samples: dict[str, SpeedSamples] = {}
        self.accepted: dict[str, SpeedSamples] = {}
        self.times: dict[str, int] = {}

    def keep(self, model: str, samples: SpeedSamples, accepted: SpeedSamples) -> None:
        """Keep the measurements of the probe."""
        self.samples[model] = samples
        if accepted:
            self.accepted[model] = accepted

    def of(self, model: str) -> tuple[SpeedSamples, SpeedSamples]:
        """Return the samples of a model, and of the accepted file timed in turns with it."""
        return self.samples.get(model, {}), self.accepted.get(model, {})

    def medians(self, model: str) -> dict[str, float]:
        """Return the medians of the measurements of the probe."""
        return medians(self.samples.get(model, {}))

    def count(self, model: str) -> None:
        """Count a repeated measurement of a model that seemed slower."""
        self.times[model] = self.times.get(model, 1) + 1

    def absorb(
        self, samples: Mapping[str, SpeedSamples], accepted: Mapping[str, SpeedSamples]
    ) -> None:
        """Take over the measurements of another process."""
        self.samples |= samples
        self.accepted |= accepted
