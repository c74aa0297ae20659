"""Answers that change by themselves: asked again, or with the settings of a baseline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from projects import Project
from small_projects import write_small_project

from pytest_raq.answering import EnginePool, ModelAnswers
from pytest_raq.answering.repetition import compare_answers, spread
from pytest_raq.config import ModelDefinition
from pytest_raq.engines import ScriptedEngine
from pytest_raq.progress import NoProgress
from pytest_raq.records import (
    Answer,
    Failure,
    FinishReason,
    ModelProvenance,
    Question,
    Repeats,
    Timing,
)
from pytest_raq.running import Session, SessionOptions
from pytest_raq.running.repeats import SuiteRepeats
from pytest_raq.running.transfer import export_text, read_repeats
from pytest_raq.running.variants import Variants
from pytest_raq.store import Store

QUESTIONS = [Question(f"q{n}", "", "", f"what {n}?", ("x",)) for n in range(20)]


def server(**settings):
    openai = {"base_url": "http://127.0.0.1:9/v1", "model": "m", **settings.pop("openai", {})}
    return ModelDefinition.model_validate(
        {"name": "s", "path": Path("s.toml"), "engine": "openai", "openai": openai, **settings}
    )


class Moody:
    """Changes its answers to some questions when it is asked again."""

    def __init__(self, *moody):
        self.moody, self.asked = moody, []

    def __call__(self, prompt):
        again = prompt.question_id in self.asked
        self.asked.append(prompt.question_id)
        return "other" if again and prompt.question_id in self.moody else "same"


def ask(model, reply, store=None, **failing):
    pool = EnginePool(lambda _model, **_: ScriptedEngine(reply, model=model.name, **failing))
    answers = ModelAnswers(model, QUESTIONS, pool=pool, store=store, progress=NoProgress())
    outcomes = answers.get_all()
    return answers.repetition, outcomes


def test_a_quarter_of_the_questions_at_most_is_asked_again_evenly_spread():
    reply = Moody("q4", "q5", "q12")
    repetition, answers = ask(server(), reply)
    assert reply.asked[20:] == ["q0", "q4", "q8", "q12", "q16"]
    assert repetition.found == repetition.known == Repeats(5, 2)
    assert {answer.text for answer in answers.values()} == {"same"}  # the first ones count
    reply = Moody()
    assert ask(server(openai={"ask_again": 2}), reply)[0].found == Repeats(2, 0)
    assert len(reply.asked) == 22


@pytest.mark.parametrize(
    "model",
    [
        server(openai={"ask_again": 0}),
        server(temperature=0.5),
        ModelDefinition(name="s", path=Path("s.toml"), file="s.gguf"),
    ],
)
def test_nothing_is_asked_again_where_that_would_say_nothing(model):
    reply = Moody()
    assert ask(model, reply)[0].known is None
    assert len(reply.asked) == 20


def test_what_was_measured_is_known_when_all_answers_come_from_the_store(tmp_path):
    with Store(tmp_path / "s.db") as store:
        assert ask(server(), Moody("q4"), store)[0].found == Repeats(5, 1)
        reply = Moody()
        repetition, _ = ask(server(), reply, store)
        assert (reply.asked, repetition.found, repetition.known) == ([], None, Repeats(5, 1))


def test_failures_are_neither_changed_nor_unchanged():
    answer = Answer("a", "m", "other", FinishReason.STOP, Timing())
    outcomes = [answer, Failure("b", "m", "why"), replace(answer, question_id="c")]
    assert compare_answers({"a": "x", "b": "x"}, outcomes) == Repeats(1, 1)


def test_names_are_spread():
    assert spread("abcdefg", 3) == ["a", "c", "e"]
    assert spread("ab", 3) == ["a", "b"]
    assert spread("", 3) == []


def test_processes_of_a_run_add_up_what_they_measured():
    text = export_text([], {}, {}, again={"s": Repeats(5, 1)}, otherwise={"m": Repeats(9, 2)})
    again, otherwise = read_repeats(text)
    repeats = SuiteRepeats()
    repeats.absorb(again, otherwise)
    repeats.absorb(again, {})
    found, _ = ask(server(), Moody())
    answers = type("Answers", (), {"repetition": found, "model": server()})
    assert repeats.again(answers) == Repeats(15, 2)
    assert repeats.otherwise == {"m": Repeats(9, 2)}
    older = json.loads(text)
    del older["again"], older["otherwise"]
    assert read_repeats(json.dumps(older)) == ({}, {})


def test_a_run_shows_it_beside_the_verdict(pytester):
    project = Project(pytester)
    model = '[openai]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    project.write("models/first.toml", f'engine = "openai"\n{model}')
    project.accept()
    result = project.run("--raq-json", "run.json")
    result.stdout.fnmatch_lines(
        ["*first:*", "  the server changes 0 of 5 answers when asked again"]
    )
    table = json.loads((project.root / "run.json").read_text())["suites"]["small"]
    assert table["repeatability"] == {
        "first": {
            "self_test": "", "same_bits": "", "again": {"asked": 5, "changed": 0},
            "otherwise": None,
        }
    }  # fmt: skip


ACCEPTED = ModelProvenance("llama-cpp", "1", "m.gguf", "a", "", "", "", {"threads": 0})


@pytest.mark.parametrize(
    ("now", "before", "asked"),
    [
        ({}, {}, None),
        ({"threads": 4}, {"options": {"threads": 4}}, None),
        ({"reproducible": True, "parallel": 3}, {"reproducible": "verified"}, None),
        ({}, {"engine": "openai"}, None),
        ({"parallel": 4}, {}, (False, None, None)),
        ({"parallel": 4}, {"options": {"parallel": 9, "threads": 2}}, (False, 9, 2)),
        ({"reproducible": True}, {}, (False, None, None)),
        ({"threads": 2}, {"reproducible": "verified"}, (True, None, 2)),
    ],
)
def test_a_model_is_asked_as_it_was_accepted_if_that_may_change_bits(now, before, asked):
    model = ModelDefinition(name="m", path=Path("m.toml"), file="m.gguf", **now)
    variants = Variants(lambda changed: changed)
    answers = type("Answers", (), {"model": model})
    made = variants.as_accepted(answers, replace(ACCEPTED, **before))
    assert asked == (made and (made.reproducible, made.parallel, made.threads))


@pytest.fixture
def session(tmp_path):
    write_small_project(tmp_path, "reader-llama", "reader-llama-f16.gguf")
    folders = {name: tmp_path / name.partition("_")[0] for name in
               ("suites_folder", "models_folder", "baselines_folder")}  # fmt: skip
    options = SessionOptions(**folders, store_path=tmp_path / "s.db", reproducible=True)
    session = Session(options)
    yield session
    session.close()


def test_speed_is_that_of_the_fastest_kernels(session):
    run = session.run("small")
    assert run.answers.of("reader").model.reproducible
    opened = []
    session.pool.open_fresh = lambda model: opened.append(model) or ScriptedEngine(lambda _: "x")
    probe = run.speed_probe("reader")
    probe.begin()
    probe.close()
    assert [(model.name, model.reproducible) for model in opened] == [
        ("reader", False),
        ("yardstick", False),
    ]
    assert run.provenance.models["reader"].kernels_timed == "usual"
