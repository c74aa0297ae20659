"""`raq init` writes `reproducible = true` where that costs little."""

from __future__ import annotations

import tomllib

import pytest
from init_project import READER, folder, init  # noqa: F401 - fixtures

from pytest_raq.engines import ScriptedEngine
from pytest_raq.records import Question
from pytest_raq.scaffold import price
from pytest_raq.scaffold.price import Price, can_be_timed, measure_price

QUESTIONS = [Question(f"q{n}", "", f"passage {n} of some length", "what?", ("x",)) for n in (1, 2)]
KEY = "reproducible = true"


@pytest.fixture
def timed(monkeypatch):
    """Let any file be timed, and say what that finds."""
    asked = []

    def find(found):
        def measure(file, questions, context_length):
            asked.append((file, len(questions), context_length))
            return found

        monkeypatch.setattr(price, "SMALLEST", 1)
        monkeypatch.setattr(price, "measure_price", measure)
        return asked

    return find


def written(folder, line):  # noqa: F811
    text = (folder / "models/m.toml").read_text()
    (found,) = [each for each in text.splitlines() if KEY in each]
    assert line in found
    return tomllib.loads(text).get("reproducible", False)


def test_it_is_written_where_it_costs_less_than_a_third(folder, init, timed):  # noqa: F811
    asked = timed(Price(1.33))
    code, lines, error = init("--model", f"m={READER}", "--ci", "none")
    assert code == 0
    assert asked == [(READER, 6, 1024)]
    assert written(folder, "costs less than a third of the time here")
    assert "note: reproducible answers of m take ×1.33 of the usual time here" in lines
    assert "raq: asking reader-llama-f16.gguf some questions" in error


def test_it_is_a_comment_where_it_costs_more(folder, init, timed):  # noqa: F811
    timed(Price(1.34))
    init("--model", f"m={READER}", "--ci", "none")
    assert not written(folder, "# reproducible = true  # the same answers, bit for bit")
    assert not written(folder, "costs more than a third of the time here")


def test_nothing_is_said_of_the_cost_where_it_was_not_measured(folder, init, timed):  # noqa: F811
    timed(None)
    _, lines, _ = init("--model", f"m={READER}", "--ci", "none")
    assert not written(folder, "the time that it costs was not measured")
    assert not [line for line in lines if "reproducible" in line]


def test_tiny_and_huge_files_are_not_timed(folder, monkeypatch):  # noqa: F811
    file = folder / "m.gguf"
    for size, can in ((19_999_999, False), (20_000_000, True), (1_000_000_001, False)):
        with file.open("wb") as sparse:
            sparse.truncate(size)
        assert can_be_timed(file) is can
    with file.open("wb") as sparse:
        sparse.truncate(20_000_000)
    monkeypatch.setattr(price, "find_spec", lambda _name: None)
    assert not can_be_timed(file)


def test_a_file_is_asked_in_both_ways():
    found = measure_price(READER, QUESTIONS, 1024)
    assert found is not None
    assert 0.2 < found.ratio < 20


def test_a_file_that_does_not_load_or_answer_has_no_price(tmp_path, monkeypatch):
    assert measure_price(tmp_path / "absent.gguf", QUESTIONS, 1024) is None
    failing = {"q1": "why"}
    monkeypatch.setattr(price, "open_engine", lambda _model: ScriptedEngine({}, failures=failing))
    assert measure_price(READER, QUESTIONS, 1024) is None


def test_a_slow_model_is_not_waited_for(monkeypatch):
    asked = []
    monkeypatch.setattr(
        price,
        "open_engine",
        lambda _model: ScriptedEngine(lambda prompt: asked.append(prompt) or "x"),
    )
    assert measure_price(READER, QUESTIONS, 1024) is not None
    assert len(asked) == len(QUESTIONS) * 2 * 3
    monkeypatch.setattr(price, "_ENOUGH", 0.0)  # the first round was long
    assert measure_price(READER, QUESTIONS, 1024) is not None
    assert len(asked) == len(QUESTIONS) * 2 * 4
    monkeypatch.setattr(price, "_PATIENCE", 0.0)
    assert measure_price(READER, QUESTIONS, 1024) is None
