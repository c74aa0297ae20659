"""Times a model in turns with its accepted file and with the yardstick model."""

from __future__ import annotations

import math
import time
from itertools import cycle
from typing import TYPE_CHECKING

from pytest_raq.datasets import sample_questions
from pytest_raq.errors import RaqError
from pytest_raq.records import SpeedMeasurement
from pytest_raq.stats.speed import LOOKS, MEASURES, ratio_of_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_raq.records import Answer, Question, SpeedRatios, SpeedSamples
    from pytest_raq.speed.timed_model import TimedModel

PROBE_QUESTIONS = 5

FEWEST_ROUNDS, MOST_ROUNDS = 3, 25
"""Paired rounds of one pair of processes."""

SECONDS_EACH = 4.0
"""Time that the rounds of one pair of processes should take."""

LONGEST = 300.0
"""Seconds after which no further processes are started, however unclear the ratio is."""

ACCEPTED, YARDSTICK = "accepted", "yardstick"


class TurnProbe:
    """Times one model on the same few questions in every run.

    Its ``companions`` (the accepted file, the yardstick) are asked beside it, in alternating
    order, each pair of rounds for the same question. After each block of rounds every model
    is loaded again in a fresh process, and asked once to warm up.
    Call `begin`, then `before_round` and `measure` for each of ``rounds``, and `end`; `more` adds
    processes. ``note`` says why the accepted file is not among the companions.
    """

    def __init__(
        self,
        today: TimedModel,
        questions: Sequence[Question],
        companions: Mapping[str, TimedModel],
        *,
        note: str = "",
    ) -> None:
        self._today = today
        self._companions = dict(companions)
        probes = sample_questions(questions, PROBE_QUESTIONS, seed=0)
        self._ids = cycle(question.id for question in probes)
        self._each = MOST_ROUNDS
        self._notes = [note] if note else []
        self._block: list[dict[str, Answer]] = []
        self._owed: str = ""
        self._question = ""
        self._answers: dict[str, list[Answer]] = {}
        self._ratios: dict[str, dict[str, list[float]]] = {}
        self._processes = 0
        self._started = 0.0

    def begin(self) -> None:
        """Load the models and find out how many rounds fit; raise RaqError if today's cannot."""
        self._started = time.monotonic()
        self._renew()
        start = time.monotonic()
        self._ask_all(next(self._ids))
        seconds = max(time.monotonic() - start, 1e-6)
        self._each = min(MOST_ROUNDS, max(FEWEST_ROUNDS, math.ceil(SECONDS_EACH / seconds)))

    @property
    def rounds(self) -> int:
        """The rounds of the first look; those of one block if the model is alone."""
        return self._each * LOOKS[0] if self._companions else self._each

    def before_round(self) -> None:
        """Go to the next question; in every second round the companions are asked first."""
        self._pay()
        if len(self._block) == self._each and self._companions:
            self._end_block()
            self._renew()
            self._ask_all(next(self._ids))
        self._question = next(self._ids)
        self._block.append({})
        if len(self._block) % 2:
            self._ask_companions(self._question)
        else:
            self._owed = self._question

    def measure(self) -> None:
        """Ask today's model the question of this round; raise EngineError if it has no answer."""
        answer = self._today.ask(self._question)
        self._block[-1]["today"] = answer
        self._answers.setdefault("today", []).append(answer)

    def end(self) -> None:
        """Finish the rounds so far."""
        self._pay()
        self._end_block()

    def more(self) -> bool:
        """Measure up to the next look; False if there is none, or no time for one."""
        following = [look for look in LOOKS if look > self._processes]
        if not self._companions or not following or self._is_late:
            return False
        while self._processes < following[0] and self._companions:
            self._renew()
            self._ask_all(next(self._ids))
            for _ in range(self._each):
                self.before_round()
                self.measure()
            self.end()
        return True

    @property
    def _is_late(self) -> bool:
        return time.monotonic() - self._started > LONGEST

    def measurement(self) -> SpeedMeasurement:
        """Return what was measured so far."""
        return SpeedMeasurement(
            samples=samples_of(self._answers.get("today", ())),
            accepted_samples=samples_of(self._answers.get(ACCEPTED, ())),
            turns=self._ratios_of(ACCEPTED),
            yardstick=self._ratios_of(YARDSTICK),
            note="; ".join(self._notes),
        )

    def close(self) -> None:
        """Free all models; may be called twice."""
        for model in (self._today, *self._companions.values()):
            model.close()

    def _ratios_of(self, companion: str) -> SpeedRatios:
        return {measure: tuple(v) for measure, v in self._ratios.get(companion, {}).items()}

    def _renew(self) -> None:
        self._today.renew()
        for name, model in list(self._companions.items()):
            try:
                model.renew()
            except RaqError as exc:
                self._do_without(name, exc)

    def _ask_all(self, question_id: str) -> None:
        """Warm up: the first answer of a process takes longer."""
        self._today.ask(question_id)
        for name in list(self._companions):
            self._ask(name, question_id)

    def _ask_companions(self, question_id: str) -> None:
        for name in list(self._companions):
            answer = self._ask(name, question_id)
            if answer is not None:
                self._block[-1][name] = answer
                if name == ACCEPTED:
                    self._answers.setdefault(name, []).append(answer)

    def _ask(self, name: str, question_id: str) -> Answer | None:
        try:
            return self._companions[name].ask(question_id)
        except RaqError as exc:
            self._do_without(name, exc)
            return None

    def _do_without(self, name: str, problem: RaqError) -> None:
        """Leave a companion out: today's speed is known without it."""
        self._companions.pop(name).close()
        what = "accepted file" if name == ACCEPTED else "yardstick model"
        self._notes.append(f"the {what} could not be timed: {problem}")

    def _pay(self) -> None:
        """Ask the companions what they owe from the round before."""
        if self._owed:
            owed, self._owed = self._owed, ""
            self._ask_companions(owed)

    def _end_block(self) -> None:
        block, self._block = self._block, []
        for companion in self._companions:
            pairs = [
                (row["today"], row[companion])
                for row in block
                if {"today", companion} <= row.keys()
            ]
            for measure in MEASURES:
                values = [
                    (value_of(now, measure), value_of(other, measure)) for now, other in pairs
                ]
                ratio = ratio_of_pairs(measure, values)
                if ratio is not None:
                    table = self._ratios.setdefault(companion, {})
                    table.setdefault(measure, []).append(ratio)
        self._processes += bool(block)


def value_of(answer: Answer, measure: str) -> float:
    """Return one figure of an answer; NaN if it was not measured or is only an estimate."""
    timing = answer.timing
    if measure == "decode_tokens_per_second":
        # What is only an estimate must decide nothing.
        value = None if timing.is_estimate else timing.decode_tokens_per_second
    elif measure == "prefill_tokens_per_second":
        value = timing.prefill_tokens_per_second
    elif measure == "time_to_first_token":
        value = timing.time_to_first_token or None
    elif measure == "instructions_per_token":
        value = timing.instructions_per_token
    else:
        value = answer.words_per_second
    return math.nan if value is None else value


def samples_of(timed: Iterable[Answer]) -> SpeedSamples:
    """Return the values of each measure that answers have, in their order."""
    answers = list(timed)
    columns = {m: [value_of(answer, m) for answer in answers] for m in MEASURES}
    found = {m: tuple(v for v in column if not math.isnan(v)) for m, column in columns.items()}
    return {measure: values for measure, values in found.items() if values}
