"""Answers are pulled, each at most once."""

from __future__ import annotations

import pytest

from pytest_raq.answering import EnginePool, ModelAnswers
from pytest_raq.config import ModelDefinition
from pytest_raq.engines import ScriptedEngine
from pytest_raq.errors import EngineStartError
from pytest_raq.progress import NoProgress
from pytest_raq.records import Answer, Failure, Question
from pytest_raq.store import Store

QUESTIONS = [Question(f"q{n}", "", f"passage {n // 2}", f"what {n}?", ("x",)) for n in range(6)]


@pytest.fixture
def model(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"weights")
    return ModelDefinition(name="m", path=tmp_path / "m.toml", file="m.gguf")


@pytest.fixture
def engine():
    return ScriptedEngine(lambda prompt: f"answer to {prompt.question_id}", model="m")


def answers_of(model, engine, **options):
    pool = EnginePool(lambda _: engine)
    options = {"store": None, "progress": NoProgress(), **options}
    return ModelAnswers(model, QUESTIONS, pool=pool, **options)


def test_only_what_is_asked_for_is_generated(model, engine):
    answers = answers_of(model, engine)
    assert answers.get("q0").text == "answer to q0"
    assert engine.asked == ["q0"]
    assert list(answers.in_hand()) == ["q0"]


def test_a_later_question_takes_the_planned_ones_before_it_along(model, engine):
    answers = answers_of(model, engine)
    answers.get("q2")
    assert engine.asked == ["q0", "q1", "q2"]
    answers.get("q1")
    assert engine.asked == ["q0", "q1", "q2"]


def test_a_plan_keeps_to_the_questions_of_a_selection(model, engine):
    answers = answers_of(model, engine)
    answers.plan(["q4", "q2"])
    answers.get("q4")
    assert engine.asked == ["q2", "q4"]


def test_a_question_outside_the_plan_is_answered_all_the_same(model, engine):
    answers = answers_of(model, engine)
    answers.plan(["q1", "q2"])
    answers.get("q1")
    answers.get("q5")
    answers.get("q2")
    assert sorted(engine.asked) == ["q1", "q2", "q5"]


def test_everything_is_generated_once(model, engine):
    answers = answers_of(model, engine)
    answers.plan(["q3"])
    answers.get("q3")
    assert list(answers.get_all()) == [question.id for question in QUESTIONS]
    assert sorted(engine.asked) == [question.id for question in QUESTIONS]


def test_a_probe_is_neither_stored_nor_kept(model, engine, tmp_path):
    store = Store(tmp_path / "store.db")
    answers = answers_of(model, engine, store=store)
    answers.get("q0")
    answers.probe("q1")
    answers.probe("q1")
    assert engine.asked == ["q0", "q1", "q1"]
    assert list(answers.in_hand()) == ["q0"]
    answers.get("q1")
    assert engine.asked == ["q0", "q1", "q1", "q1"]
    store.close()


def test_stored_answers_need_no_engine(model, engine, tmp_path):
    store = Store(tmp_path / "store.db")
    answers_of(model, engine, store=store).get_all()
    pool = EnginePool(lambda _: pytest.fail("the engine was opened"))
    again = ModelAnswers(model, QUESTIONS, pool=pool, store=store, progress=NoProgress())
    assert again.get("q3").text == "answer to q3"
    assert again.provenance.build == "1"
    fresh = answers_of(model, engine, store=store, fresh=True)
    fresh.get("q0")
    assert len(engine.asked) == 7
    store.close()


@pytest.mark.parametrize(
    "change",
    [{"max_tokens": 7}, {"temperature": 0.5}, {"seed": 3}, {"stop": ("\n",)}, {"threads": 1},
     {"context_length": 99}, {"prompt": "{question}"}],
)  # fmt: skip
def test_whatever_can_change_an_answer_asks_again(model, engine, tmp_path, change):
    store = Store(tmp_path / "store.db")
    answers_of(model, engine, store=store).get("q0")
    answers_of(model.model_copy(update=change), engine, store=store).get("q0")
    assert engine.asked == ["q0", "q0"]
    store.close()


def test_other_weights_ask_again_and_a_wrong_hash_does_not_use_the_store(model, engine, tmp_path):
    store = Store(tmp_path / "store.db")
    answers_of(model, engine, store=store).get("q0")
    claimed = model.model_copy(update={"sha256": "0" * 64})
    answers_of(claimed, engine, store=store).get("q0")
    assert len(engine.asked) == 2
    (tmp_path / "m.gguf").write_bytes(b"other weights")
    answers_of(model, engine, store=store).get("q0")
    assert len(engine.asked) == 3
    store.close()


def test_a_model_that_does_not_load_is_tried_once(model):
    tries = []

    def broken(_definition):
        tries.append(1)
        raise EngineStartError("m.gguf: is broken")

    pool = EnginePool(broken)
    answers = ModelAnswers(model, QUESTIONS, pool=pool, store=None, progress=NoProgress())
    outcomes = answers.get_all().values()
    assert {outcome.reason for outcome in outcomes} == {"m.gguf: is broken"}
    assert answers.probe("q0") == Failure("q0", "m", "m.gguf: is broken")
    assert len(tries) == 1


def test_an_engine_that_forgets_a_question_is_a_failure(model):
    class Forgetful(ScriptedEngine):
        def answers(self, prompts):
            return super().answers([p for p in prompts if p.question_id != "q1"])

    answers = answers_of(model, Forgetful(lambda _: "x", model="m"))
    assert isinstance(answers.get("q0"), Answer)
    assert answers.get("q1").reason == "the engine stopped without an answer to this question"
    assert isinstance(answers.get("q5"), Answer)


def test_the_pool_closes_what_was_used_least_recently_when_memory_is_short(tmp_path):
    engines = {}

    def opener(model):
        engines[model.name] = ScriptedEngine(lambda _: "x", model=model.name)
        return engines[model.name]

    models = []
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.gguf").write_bytes(b"x" * 100)
        path = tmp_path / f"{name}.toml"
        models.append(ModelDefinition(name=name, path=path, file=f"{name}.gguf"))
    pool = EnginePool(opener, budget_bytes=250)
    a, b, c = models
    pool.get(a)
    pool.get(b)
    pool.get(a)
    pool.get(c)
    assert [engines[name].closed for name in "abc"] == [False, True, False]
    pool.close()
    assert all(engine.closed for engine in engines.values())
