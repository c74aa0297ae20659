"""What people see: tables, safe text, progress."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.records import (
    Decision,
    Interval,
    JudgeIdentity,
    ModelSummary,
    Provenance,
    Question,
    QuestionResult,
    SuiteResult,
    Verdict,
)
from pytest_raq.report import ProgressText, format_seconds, suite_lines, suite_to_json
from pytest_raq.text import columns, number, p_text, safe_text, width

HOSTILE = "\x1b[31mred\x1b[0m \u202ertl \u0000 line\nbreak <script>"


def summary(name, **figures):
    names = ModelSummary.__dataclass_fields__.keys() - {"model", "answered", "failed"}
    empty = dict.fromkeys(names)
    return ModelSummary(model=name, answered=1, failed=0, **{**empty, **figures})


def result(verdict, answer="today", **changes):
    question = Question("q1", "", "passage", "Who?", ("someone",))
    item = QuestionResult(question, {"m": answer}, {"m": "before"}, {}, {"m": 1.0}, {"m": -1})
    provenance = Provenance("s", "", "f", 1, JudgeIdentity("reference"), {}, {}, {})
    fields = {
        "suite": "mini",
        "models": {"m": summary("m", mean_rank=1.25, interval=Interval(1.0, 1.5), f1=0.5)},
        "tests": None,
        "verdicts": {"m": verdict},
        "questions": (item,),
        "provenance": provenance,
        "passages": 1,
    }
    return SuiteResult(**{**fields, **changes})


def texts(suite_result):
    return [line.text for line in suite_lines(suite_result)]


def test_a_regression_shows_reference_baseline_and_today():
    shown = texts(result(Verdict("m", Decision.REGRESSION, ("worse on 1 of 1", "and slower"))))
    assert shown[0] == "mini: 1 question in 1 passage, judge reference"
    assert shown[2].split() == ["m", "1.25", "±0.25", "0.50", "REGRESSION"]
    assert shown[-6:] == [
        "REGRESSION m: worse on 1 of 1",
        "  and slower",
        "  q1  Who?",
        "    reference  someone",
        "    baseline   before",
        "    today      today",
    ]


def test_a_pass_shows_no_examples():
    shown = texts(result(Verdict("m", Decision.PASS, ("level",))))
    assert shown[-1] == "PASS m: level"


def test_hostile_answers_are_shown_as_text_on_one_line():
    shown = texts(result(Verdict("m", Decision.REGRESSION, ("r",)), answer=HOSTILE * 50))
    assert not any(char in "".join(shown) for char in "\x1b\u202e\u0000\n")
    assert max(map(len, shown)) < 200


@given(st.text())
def test_safe_text_never_controls_the_terminal(text):
    shown = safe_text(text, limit=50)
    assert len(shown) <= 50
    assert all(char.isprintable() or char == " " or width(char) >= 0 for char in shown)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in shown)
    assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u2028")


def test_json_has_no_nan():
    tests = Verdict("m", Decision.INCONCLUSIVE, ("why",))
    models = {"m": summary("m", mean_rank=math.nan, interval=Interval(math.nan, math.nan))}
    text = json.dumps(suite_to_json(result(tests, models=models)), allow_nan=False)
    table = json.loads(text)
    assert table["models"]["m"]["mean_rank"] is None
    assert table["models"]["m"]["interval"] == {"low": None, "high": None}
    assert table["verdicts"]["m"]["verdict"] == "inconclusive"
    assert table["questions"]["q1"]["answers"] == {"m": "today"}


def test_columns_line_up_with_wide_characters():
    rows = columns([("model", "1", "x"), ("모델", "22", "y")])
    assert [width(row) for row in rows] == [12, 12]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (math.nan, "–"), (-0.5, "−0.50"), (1.0, "1.00")]
)
def test_numbers_have_a_true_minus(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "<0.001"), (0.0421, "0.042"), (1.0, "1.000"), (math.nan, "–")]
)
def test_p_values_as_papers_print_them(value, text):
    assert p_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (59.9, "1 min 0 s")],
)
def test_durations_as_people_say_them(seconds, text):
    assert format_seconds(seconds) == text


def test_progress_says_which_question_and_how_long():
    assert str(ProgressText("m", 0, 60, 0.0)) == "m: question 1 of 60"
    assert str(ProgressText("m", 20, 60, 10.0)) == "m: question 21 of 60, 20 s left"
    assert str(ProgressText("m", 60, 60, 30.0)) == "m: question 60 of 60, 0 s left"
