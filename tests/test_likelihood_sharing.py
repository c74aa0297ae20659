"""Scores beside answers: kept with them, never asked twice, shared by the processes of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_raq.answering import EnginePool, ModelAnswers
from pytest_raq.answering.likelihoods import ModelLikelihoods, references_of
from pytest_raq.answering.suite_likelihoods import SuiteLikelihoods
from pytest_raq.config import ModelDefinition
from pytest_raq.engines import ScriptedEngine
from pytest_raq.progress import NoProgress
from pytest_raq.records import Answer, Likelihood, Question
from pytest_raq.running.workers import SharedWork, WorkerExchange
from pytest_raq.store import Store

QUESTIONS = [Question(f"q{n}", "", f"passage {n // 2}", f"what {n}?", ("x",)) for n in range(6)]
NAMES = [question.id for question in QUESTIONS]


@pytest.fixture
def model(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"weights")
    return ModelDefinition(name="m", path=tmp_path / "m.toml", file="m.gguf")


class Engine(ScriptedEngine):
    """Notes what was wanted beside which answer."""

    def __init__(self, **options):
        self.beside = {}
        options = {"block_questions": 4, "scores_beside": True, **options}
        super().__init__(
            lambda prompt: f"answer to {prompt.question_id}",
            model="m",
            likelihoods=lambda _prompt, text: Likelihood(-float(len(text)), 1, len(text), "1"),
            **options,
        )

    def answers_and_scores(self, prompts):
        self.beside |= {prompt.question_id: prompt.beside for prompt in prompts}
        return super().answers_and_scores(prompts)


def connect(model, engine, *, store=None, sharing=None, likelihood="gate", **options):
    pool = EnginePool(lambda _: engine)
    common = {"pool": pool, "progress": NoProgress(), "sharing": sharing}
    answers = ModelAnswers(model, QUESTIONS, store=store, suite="s", **common, **options)
    if sharing is not None:
        sharing.register(answers)
    likelihoods = ModelLikelihoods(answers, **common)

    def wanted(_model, question_id):
        texts = references_of(answers.questions[question_id])
        said = answers.in_hand().get(question_id)
        return [*texts, "accepted", *([said.text] if isinstance(said, Answer) else [])]

    if likelihood == "gate":
        SuiteLikelihoods({"m": likelihoods}).connect(wanted)
    return answers, likelihoods


def known(likelihoods):
    return {name: set(likelihoods.about(name)) for name in NAMES}


EVERYTHING = {name: {"x", "accepted", f"answer to {name}"} for name in NAMES}


def test_one_pass_answers_and_scores_the_last_question_too(model):
    engine = Engine()
    answers, likelihoods = connect(model, engine)
    answers.get_all()
    assert known(likelihoods) == EVERYTHING
    assert engine.beside == dict.fromkeys(NAMES, ("x", "accepted"))
    assert (engine.asked, engine.scored) == (NAMES, [])


def test_an_engine_that_cannot_is_asked_afterwards(model):
    engine = Engine(scores_beside=False)
    answers, likelihoods = connect(model, engine)
    answers.get_all()
    assert known(likelihoods) == EVERYTHING
    assert engine.scored == NAMES


def test_without_likelihood_nothing_is_scored(model):
    engine = Engine()
    answers, likelihoods = connect(model, engine, likelihood="off")
    answers.get_all()
    assert (engine.beside, engine.scored) == ({}, [])
    assert not any(known(likelihoods).values())


def test_what_could_not_be_scored_beside_is_scored_alone(model):
    class Partly(Engine):
        def answers_and_scores(self, prompts):
            for outcome in super().answers_and_scores(prompts):
                is_scores = not isinstance(outcome, Answer)
                lost = is_scores and outcome.question_id == "q3"
                yield replace(outcome, texts={}) if lost else outcome

    engine = Partly()
    answers, likelihoods = connect(model, engine)
    answers.get_all()
    assert known(likelihoods) == EVERYTHING
    assert engine.scored == ["q3"]


def test_stored_answers_without_scores_are_scored_alone_and_stored_scores_are_not(model, tmp_path):
    store = Store(tmp_path / "store.db")
    first = Engine()
    connect(model, first, store=store, likelihood="off")[0].get_all()
    second = Engine()
    answers, likelihoods = connect(model, second, store=store)
    answers.get_all()
    likelihoods.obtain(NAMES)
    assert (second.asked, second.beside, second.scored) == ([], {}, NAMES)
    third = Engine()
    answers, likelihoods = connect(model, third, store=store)
    answers.get_all()
    likelihoods.obtain(NAMES)
    assert known(likelihoods) == EVERYTHING
    assert (third.asked, third.scored) == ([], [])


def test_a_run_that_goes_on_wants_beside_only_what_is_missing(model, tmp_path):
    store = Store(tmp_path / "store.db")
    answers, _ = connect(model, Engine(), store=store)
    answers.plan(["q0"])
    answers.get("q0")
    engine = Engine()
    answers, likelihoods = connect(model, engine, store=store)
    answers.get_all()
    assert known(likelihoods) == EVERYTHING
    # q0 is answered again for the sake of its block, and has its scores.
    assert engine.asked[:4] == NAMES[:4]
    assert engine.beside["q0"] is None and engine.beside["q1"] == ("x", "accepted")
    assert engine.scored == []


def test_a_run_that_stops_early_keeps_the_scores_so_far(model, tmp_path):
    store = Store(tmp_path / "store.db")
    engine = Engine()
    answers, likelihoods = connect(model, engine, store=store)
    answers.get("q2")  # the plan has more
    assert set(likelihoods.about("q1")) == EVERYTHING["q1"]
    again = connect(model, Engine(), store=store)[1]
    again.answers.get("q1")
    again.obtain(["q1"])
    assert set(again.about("q1")) == EVERYTHING["q1"]


@pytest.mark.parametrize("fresh", [False, True])
def test_other_processes_of_a_run_score_nothing(model, tmp_path, fresh):
    store = Store(tmp_path / "store.db")

    def process(engine):
        sharing = SharedWork(WorkerExchange(tmp_path), 10)
        return connect(model, engine, store=store, sharing=sharing, fresh=fresh)

    first, second = Engine(), Engine()
    answers, likelihoods = process(first)
    others, copied = process(second)
    seen = []
    exchange = answers._sharing.exchange
    put = exchange.put

    def noting(key, outcome):
        put(key, outcome)
        others.absorb(exchange_of_second.read(key))
        if others.is_complete and not seen:
            copied.obtain(NAMES)
            seen.append(known(copied))

    exchange_of_second = others._sharing.exchange
    exchange.put = noting
    answers.get_all()
    # At the moment when the second process has all answers, all scores are there too.
    assert seen == [EVERYTHING]
    assert (second.asked, second.scored, first.scored) == ([], [], [])
    assert known(likelihoods) == EVERYTHING
