"""Models timed in turns: who is asked when, fresh processes, looks, and companions that fail."""

from __future__ import annotations

import pytest

from pytest_raq.errors import EngineError
from pytest_raq.records import Answer, FinishReason, Question, Timing
from pytest_raq.speed import turns
from pytest_raq.speed.rounds import finish_probe, run_probe
from pytest_raq.speed.timed_model import FreshModel
from pytest_raq.speed.turns import ACCEPTED, YARDSTICK, TurnProbe
from pytest_raq.stats.speed import LOOKS

QUESTIONS = [Question(f"q{i}", "p", "t", f"passage {i}", ("x",)) for i in range(5)]


class Timed:
    """A model that takes ``pace`` times a second for ten tokens, and logs what it does."""

    def __init__(self, name, log, pace=1.0, fails_at=None):
        self.name, self.log, self.pace, self.fails_at = name, log, pace, fails_at
        self.asked = self.renewed = self.closed = 0

    def renew(self):
        self.renewed += 1

    def ask(self, question_id):
        self.asked += 1
        if self.asked == self.fails_at:
            raise EngineError("it broke")
        self.log.append((self.name, question_id))
        timing = Timing(10, 10, 11, 0.1 * self.pace, 0.1 * self.pace, self.pace, 1.1 * self.pace)
        return Answer(question_id, self.name, "two words", FinishReason.STOP, timing)

    def close(self):
        self.closed += 1


class Run:
    """Keeps measurements, and calls them clear after some looks."""

    def __init__(self, looks):
        self.looks, self.kept = looks, []

    def keep_speed(self, _model, measurement):
        self.kept.append(measurement)

    def speed_is_clear(self, _model):
        return len(self.kept) >= self.looks


@pytest.fixture(autouse=True)
def three_rounds(monkeypatch):
    monkeypatch.setattr(turns, "MOST_ROUNDS", 3)
    monkeypatch.setattr(turns, "LOOKS", LOOKS)


def measured(probe):
    probe.begin()
    for _ in range(probe.rounds):
        probe.before_round()
        probe.measure()
    probe.end()
    return probe.measurement()


def test_rounds_alternate_and_are_paired_by_question():
    log = []
    today, accepted = Timed("t", log, pace=2.0), Timed("a", log)
    found = measured(TurnProbe(today, QUESTIONS, {ACCEPTED: accepted}))
    first = log[2 : 2 + 6]  # after the warm-up of both
    assert [name for name, _ in first] == ["a", "t", "t", "a", "a", "t"]
    assert [first[i][1] == first[i + 1][1] for i in (0, 2, 4)] == [True] * 3
    assert found.turns["decode_tokens_per_second"] == pytest.approx((0.5,) * LOOKS[0])
    assert found.turns["time_to_first_token"] == pytest.approx((0.5,) * LOOKS[0])
    assert found.processes == LOOKS[0] == today.renewed == accepted.renewed
    assert len(found.samples["decode_tokens_per_second"]) == 15
    assert len(found.accepted_samples["decode_tokens_per_second"]) == 15


def test_warm_ups_are_no_samples():
    log = []
    found = measured(TurnProbe(Timed("t", log), QUESTIONS, {YARDSTICK: Timed("y", log)}))
    assert len(log) == 2 * (15 + LOOKS[0])
    assert found.turns == {}
    assert found.yardstick["decode_tokens_per_second"] == pytest.approx((1.0,) * LOOKS[0])


def test_a_model_alone_is_timed_in_one_block():
    today = Timed("t", [])
    probe = TurnProbe(today, QUESTIONS, {}, note="the accepted file is gone")
    found = measured(probe)
    assert (today.renewed, len(found.samples["words_per_second"])) == (1, 3)
    assert (found.processes, found.note) == (0, "the accepted file is gone")
    assert not probe.more()


def test_slow_models_get_fewer_rounds(monkeypatch):
    monkeypatch.setattr(turns, "MOST_ROUNDS", 15)
    now = iter(range(0, 1000, 2))
    monkeypatch.setattr(turns.time, "monotonic", lambda: float(next(now)))
    probe = TurnProbe(Timed("t", []), QUESTIONS, {YARDSTICK: Timed("y", [])})
    probe.begin()
    assert probe.rounds == turns.FEWEST_ROUNDS * LOOKS[0]


@pytest.mark.parametrize(("looks", "processes"), [(1, 5), (2, 10), (3, 20), (9, 20)])
def test_an_unclear_ratio_gets_more_processes_up_to_the_last_look(looks, processes):
    today = Timed("t", [])
    probe = TurnProbe(today, QUESTIONS, {ACCEPTED: Timed("a", [])})
    run = Run(looks)
    assert run_probe(run, "m", probe, lambda _done, _all: None) == ""
    assert run.kept[-1].processes == today.renewed == processes
    assert today.closed == 1


def test_nothing_more_is_started_when_it_takes_too_long(monkeypatch):
    monkeypatch.setattr(turns, "LONGEST", -1.0)
    probe = TurnProbe(Timed("t", []), QUESTIONS, {ACCEPTED: Timed("a", [])})
    run = Run(9)
    run_probe(run, "m", probe, lambda _done, _all: None)
    assert run.kept[-1].processes == LOOKS[0]


@pytest.mark.parametrize(
    ("name", "what"), [(ACCEPTED, "accepted file"), (YARDSTICK, "yardstick model")]
)
def test_a_companion_that_breaks_is_left_out_and_named(name, what):
    today, broken = Timed("t", []), Timed("b", [], fails_at=7)
    found = measured(TurnProbe(today, QUESTIONS, {name: broken}))
    assert found.note == f"the {what} could not be timed: it broke"
    assert len(found.samples["decode_tokens_per_second"]) == 15
    assert broken.closed == 1


def test_a_companion_that_does_not_load_is_left_out():
    def refuse(_model):
        raise EngineError("no memory")

    broken = FreshModel(None, refuse, None)
    found = measured(TurnProbe(Timed("t", []), QUESTIONS, {ACCEPTED: broken}))
    assert found.note == "the accepted file could not be timed: no memory"


def test_a_model_that_breaks_itself_is_a_problem():
    today = Timed("t", [], fails_at=4)
    probe = TurnProbe(today, QUESTIONS, {ACCEPTED: Timed("a", [])})
    assert run_probe(Run(1), "m", probe, lambda _done, _all: None) == "it broke"
    assert today.closed == 1
    later = TurnProbe(Timed("t", [], fails_at=25), QUESTIONS, {ACCEPTED: Timed("a", [])})
    measured(later)
    with pytest.raises(EngineError, match="it broke"):
        finish_probe(Run(9), "m", later)


def test_each_block_has_a_fresh_process():
    opened = []

    class Engine:
        def __init__(self):
            self.closed = False
            opened.append(self)

        def answers(self, prompts):
            return iter([Answer(prompts[0], "m", "", FinishReason.STOP, Timing())])

        def close(self):
            self.closed = True

    model = FreshModel(None, lambda _model: Engine(), lambda question_id: question_id)
    model.ask("q1")
    model.renew()
    model.ask("q2")
    assert [engine.closed for engine in opened] == [True, False]
    model.close()
    model.close()
    assert [engine.closed for engine in opened] == [True, True]
