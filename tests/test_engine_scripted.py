from __future__ import annotations

import pytest

from pytest_raq.engines import Engine, ScriptedEngine
from pytest_raq.records import Answer, EngineInfo, Failure, Prompt


def ask(engine: Engine, *question_ids: str) -> list[Answer | Failure]:
    return list(engine.answers([Prompt(name, f"what is {name}?") for name in question_ids]))


def test_answers_come_from_a_mapping_in_the_order_of_the_prompts():
    with ScriptedEngine({"a": "first", "b": "second"}, model="m") as engine:
        outcomes = ask(engine, "b", "a")
    assert [(o.question_id, o.model, o.text) for o in outcomes] == [
        ("b", "m", "second"),
        ("a", "m", "first"),
    ]
    assert engine.asked == ["b", "a"]


def test_answers_come_from_a_function_of_the_prompt():
    (outcome,) = ask(ScriptedEngine(lambda prompt: prompt.text.upper()), "x")
    assert outcome.text == "WHAT IS X?"


def test_told_and_unknown_questions_fail():
    outcomes = ask(ScriptedEngine({"a": "fine"}, failures={"b": "out of luck"}), "a", "b", "c")
    assert outcomes[1:] == [
        Failure("b", "scripted", "out of luck"),
        Failure("c", "scripted", "no answer is scripted for question 'c'"),
    ]


def test_an_error_of_the_function_is_not_taken_for_a_missing_answer():
    with pytest.raises(KeyError, match="typo"):
        ask(ScriptedEngine(lambda _prompt: {}["typo"]), "a")


def test_a_closed_engine_fails():
    engine = ScriptedEngine({"a": "fine"})
    engine.close()
    assert engine.closed
    assert ask(engine, "a") == [Failure("a", "scripted", "the engine is closed")]


def test_it_is_lazy():
    engine = ScriptedEngine({"a": "1", "b": "2"})
    next(engine.answers([Prompt("a", ""), Prompt("b", "")]))
    assert engine.asked == ["a"]


def test_timings_are_the_same_for_the_same_text():
    first, second = ask(ScriptedEngine(lambda _prompt: "one two three"), "q", "q")
    assert first.timing == second.timing
    assert first.timing.prompt_tokens == 3
    assert first.timing.generated_tokens == 3
    assert first.timing.decode_tokens_per_second == pytest.approx(100)
    assert first.timing.total_seconds == pytest.approx(0.05)


def test_info_can_be_given():
    assert ScriptedEngine({}).info == EngineInfo("scripted", "1")
    assert ScriptedEngine({}, info=EngineInfo("x", "2")).info == EngineInfo("x", "2")
