"""Runs speed probes to their end, and times several files in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_raq.datasets import sample_questions
from pytest_raq.errors import RaqError
from pytest_raq.speed.turns import PROBE_QUESTIONS, samples_of, value_of
from pytest_raq.stats.speed import LOOKS, MEASURES, ratio_of_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_raq.records import Answer, Question, SpeedMeasurement, SpeedRatios, SpeedSamples
    from pytest_raq.speed.timed_model import TimedModel
    from pytest_raq.speed.turns import TurnProbe

_QUESTIONS_A_TURN = 3


class TimedRun(Protocol):
    """The part of a run that speed needs."""

    def speed_is_clear(self, model: str, /) -> bool:
        """Whether more processes would not change what is said of a model's speed."""

    def keep_speed(self, model: str, measurement: SpeedMeasurement, /) -> None:
        """Keep what was measured of a model."""


def finish_probe(run: TimedRun, model: str, probe: TurnProbe) -> None:
    """Keep what a probe measured, and measure on while that is not clear.

    Raises RaqError when the model cannot be measured any more.
    """
    probe.end()
    run.keep_speed(model, probe.measurement())
    while not run.speed_is_clear(model) and probe.more():
        run.keep_speed(model, probe.measurement())


def run_probe(run: TimedRun, model: str, probe: TurnProbe, told: Callable[[int, int], None]) -> str:
    """Measure a model outside of pytest-benchmark; return why that failed, empty if it did not.

    ``told`` receives the number of rounds done and of all rounds.
    """
    try:
        probe.begin()
        for done in range(probe.rounds):
            told(done, probe.rounds)
            probe.before_round()
            probe.measure()
        finish_probe(run, model, probe)
    except RaqError as exc:
        return str(exc)
    finally:
        probe.close()
    return ""


class TurnTimes:
    """What several models did in turns: their samples, and their ratios to the first model."""

    def __init__(self, models: Sequence[str]) -> None:
        self._models = models
        self.samples: dict[str, SpeedSamples] = {}
        self.ratios: dict[str, SpeedRatios] = {}
        self.problems: dict[str, str] = {}
        self._answers: dict[str, list[Answer]] = {name: [] for name in models}

    def add(self, turn: Mapping[str, Sequence[Answer]]) -> None:
        """Add one turn: the answers of each model to the same questions, in the same order."""
        for name, answers in turn.items():
            self._answers[name] += answers
            self.samples[name] = samples_of(self._answers[name])
        first = turn.get(self._models[0])
        for name in self._models[1:] if first else ():
            if name in turn:
                self._add_ratios(name, turn[name], first or ())

    def _add_ratios(self, name: str, now: Sequence[Answer], first: Sequence[Answer]) -> None:
        table = self.ratios.setdefault(name, {})
        for measure in MEASURES:
            pairs = [
                (value_of(one, measure), value_of(other, measure))
                for one, other in zip(now, first, strict=True)
            ]
            ratio = ratio_of_pairs(measure, pairs)
            if ratio is not None:
                table[measure] = (*table.get(measure, ()), ratio)


def time_in_turns(
    models: Mapping[str, TimedModel],
    questions: Sequence[Question],
    *,
    told: Callable[[int, int], None],
) -> TurnTimes:
    """Time models in turns, each turn in fresh processes, on the same questions.

    Only one model is loaded at a time. Each turn begins with another model, so that a
    machine that gets slower or faster affects all of them. A model that fails is in
    ``problems`` and takes no further turn. ``told`` receives the number of turns done
    and of all turns.
    """
    times = TurnTimes(list(models))
    names = list(models)
    probes = [question.id for question in sample_questions(questions, PROBE_QUESTIONS, seed=0)]
    for turn in range(LOOKS[0]):
        told(turn, LOOKS[0])
        asked = [probes[(turn + i) % len(probes)] for i in range(_QUESTIONS_A_TURN)]
        answers: dict[str, list[Answer]] = {}
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            if name not in times.problems:
                try:
                    answers[name] = _take_turn(models[name], asked)
                except RaqError as exc:
                    times.problems[name] = str(exc)
                finally:
                    models[name].close()
        times.add(answers)
    for name in times.problems:
        times.samples.pop(name, None)
        times.ratios.pop(name, None)
    return times


def _take_turn(model: TimedModel, question_ids: Sequence[str]) -> list[Answer]:
    model.renew()
    model.ask(question_ids[0])  # the first answer of a process takes longer
    return [model.ask(question_id) for question_id in question_ids]
