"""The parts of a page that need no browser: data, words, tables, and the way back from JSON."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_results import make_answers, make_questions, make_result

from pytest_raq.records import Decision, Verdict
from pytest_raq.report import suite_to_json
from pytest_raq.report.json.result import suite_from_json
from pytest_raq.report.page.data import FIELDS, SAME, question_data, safe_json
from pytest_raq.report.page.suite import PageSuite, page_html
from pytest_raq.report.page.tables import judge_tables, provenance_tables, shown
from pytest_raq.report.page.views import conclude, matrix, model_rows


@pytest.fixture(scope="module")
def result():
    questions = make_questions(24, 8)
    share = {"good": 0.9, "worse": 0.4}
    now, before = make_answers(questions, share, 1), make_answers(questions, share, 2)
    before["q00000"] = dict(now["q00000"])
    return make_result(questions, now, before)


def with_verdicts(result, **decisions):
    verdicts = {model: Verdict(model, decision, ()) for model, decision in decisions.items()}
    return replace(result, verdicts=verdicts)


@given(st.text() | st.lists(st.text()))
def test_json_in_a_page_is_the_same_json_and_cannot_end_it(value):
    text = safe_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029\u202e\x7f\ufeff")
    text.encode("utf-8")


def test_passages_stand_once_and_equal_answers_too(result):
    data = json.loads(question_data(result, {}).text)
    assert len(data["passages"]) == 8
    first = dict(zip(FIELDS, data["questions"][0], strict=True))
    assert first["before"] == [SAME, SAME]
    assert data["passages"][first["passage"]] == result.questions[0].question.passage
    rows = [dict(zip(FIELDS, row, strict=True)) for row in data["questions"]]
    for item, row in zip(result.questions, rows, strict=True):
        assert row["now"] == [item.answers["good"], item.answers["worse"]]
        assert row["ranks"] == [item.ranks["good"], item.ranks["worse"]]
        assert row["changes"] == [item.preferences["good"], item.preferences["worse"]]


@pytest.mark.parametrize(
    ("ranks", "disagree"),
    [
        ({"a": {"good": 1, "worse": 2}, "b": {"good": 2, "worse": 1}}, True),
        ({"a": {"now:good": 1, "now:worse": 2}, "b": {"now:good": 2, "now:worse": 1}}, True),
        ({"a": {"good": 1, "worse": 2}, "b": {"good": 1.5, "worse": 1.5}}, False),
        ({"a": {"good": 1, "worse": 2}, "b": {"good": 2}}, False),
        ({"a": {"good": 1, "worse": 2}}, False),
        ({}, False),
        ({"a": None}, False),
    ],
)
def test_judges_disagree_where_orders_are_opposite(result, ranks, disagree):
    data = json.loads(question_data(result, {"ranks": {"q00001": ranks}}).text)
    place = FIELDS.index("disagree")
    assert [row[place] for row in data["questions"]][:3] == [False, disagree, False]


def test_a_judge_that_contradicts_itself_disagrees(result):
    data = json.loads(
        question_data(result, {"orders_agreed": {"q00002": False, "q00003": True}}).text
    )
    assert data["judges"] is True
    place = FIELDS.index("disagree")
    assert [index for index, row in enumerate(data["questions"]) if row[place]] == [2]


@pytest.mark.parametrize(
    ("decisions", "text", "kind"),
    [
        ((Decision.PASS, Decision.PASS), "Pass: all 2 models are as good as accepted", "good"),
        ((Decision.PASS,), "Pass: the model is as good as accepted, within the margin.", "good"),
        (
            (Decision.REGRESSION, Decision.NOT_MEASURED),
            "Regression: good is worse than accepted. 1 other: 1 not measured.",
            "bad",
        ),
        (
            (Decision.REGRESSION, Decision.REGRESSION),
            "Regression: good and worse are worse than accepted.",
            "bad",
        ),
        (
            (Decision.PASS, Decision.NOT_MEASURED),
            "Not measured: worse; this run shows nothing about it.",
            "none",
        ),
        ((Decision.INCONCLUSIVE, Decision.PASS), "Inconclusive: good; neither a loss", "doubt"),
        ((Decision.NO_BASELINE,), "No baseline: nothing accepted to compare good with.", "none"),
        ((), "No verdict: nothing was compared with accepted answers.", "none"),
    ],
)
def test_the_worst_verdict_is_the_conclusion(result, decisions, text, kind):
    named = dict(zip(("good", "worse"), decisions, strict=False))
    told = conclude([with_verdicts(result, **named)])
    assert told.text.startswith(text)
    assert told.kind == kind


def test_a_conclusion_over_suites_names_them(result):
    passed = with_verdicts(result, good=Decision.PASS)
    lost = replace(with_verdicts(result, good=Decision.REGRESSION), suite="other")
    assert conclude([passed, lost]).text == (
        "Regression: good (other) is worse than accepted. 1 other: 1 pass."
    )


def test_mean_ranks_of_other_models_are_not_compared(result):
    before = replace(result.baseline, models={"good": result.baseline.models["good"]})
    rows = model_rows(replace(result, baseline=before), {})
    assert rows[0].cells[0][1] == "–"
    assert rows[0].cells[2][1] == f"{result.baseline.models['good'].f1:.2f}"
    assert {cell[1] for cell in rows[1].cells} == {"–"}


def test_undefined_p_values_tell_nothing_apart():
    found = matrix(["a", "b"], {"a": {"a": 1, "b": math.nan}, "b": {"a": 0.05, "b": 1}})
    assert [[(cell.text, cell.apart) for cell in cells] for _, cells in found.rows] == [
        [("", False), ("–", False)],
        [("0.050", True), ("", False)],
    ]


def test_what_differs_in_provenance_is_told(result):
    changed, everything = provenance_tables(result.provenance, result.baseline)
    assert [row.cells for row in changed.rows] == [
        ("models.good.build", "1.1", "1.0"),
        ("models.worse.build", "1.1", "1.0"),
        ("versions.llama.cpp", "1.1", "1.0"),
    ]
    names = [row.cells[0] for row in everything.rows]
    assert "models.good.options.stop" in names
    assert "machine.cores" in names
    same = replace(result.baseline, provenance=result.provenance)
    assert provenance_tables(result.provenance, same)[0] is None
    assert provenance_tables(result.provenance, None)[1].head == ("field", "now")


def test_an_engine_that_was_not_loaded_says_nothing_of_itself(result):
    models = dict(result.provenance.models)
    models["good"] = replace(models["good"], build="", template_sha256="")
    changed, _ = provenance_tables(replace(result.provenance, models=models), result.baseline)
    assert "models.good.build" not in [row.cells[0] for row in changed.rows]


def test_whatever_is_known_of_judges_is_told():
    judge = {
        "judges": ["a"],
        "check": {
            "a": {"judge": "a", "accuracy": {"count": 3, "total": 4, "interval": None}},
            "b": {"judge": "b", "kinds": {"order": {"count": 1, "total": 2}}},
        },
        "agreement": {
            "alpha": 0.5,
            "kendall_w_by_question": {"q": 1},
            "pairs": [{"tau": None, "n": 3}],
        },
        "habits": {"a": {"orders_agreed": {"count": 5, "total": 6, "share": 0.8}}},
        "orders_agreed": {"q": True},
        "ranks": {"q": {}},
        "cost": 0.25,
        "nothing": {},
    }
    checks, agreement, pairs, habits, single = judge_tables(judge)
    assert checks.head == ("", "a", "b")
    assert [row.cells for row in checks.rows] == [
        ("accuracy", "3 of 4", "–"),
        ("kinds: order", "–", "1 of 2"),
    ]
    assert [row.cells for row in agreement.rows] == [("alpha", "0.500")]
    assert (pairs.title, pairs.head, pairs.rows[0].cells) == (
        "Agreement: pairs",
        ["tau", "n"],
        ["–", "3"],
    )
    assert [row.cells for row in habits.rows] == [("orders agreed", "5 of 6")]
    assert [row.cells for row in single.rows] == [("cost", "0.250")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (2.0, "2"),
        (0.12345, "0.123"),
        ([], "none"),
        (["a", 1], "a, 1"),
        ({"low": 0.25, "high": None}, "[0.250, –]"),
        ({"count": 1, "total": 3, "interval": {"low": 0.0, "high": 0.5}}, "1 of 3 [0, 0.500]"),
        ({"count": 0, "total": 0, "interval": {"low": None, "high": None}}, "0 of 0"),
        ({"tau": -1.0, "p_value": 0.5, "pairs": 3}, "tau −1, p 0.500, pairs 3"),
        ({"tau": None, "p_value": None}, "tau –, p –"),
        ({"p_value": 0.00001}, "p <0.001"),
    ],
)
def test_values_are_written_for_readers(value, text):
    assert shown(value) == text


def test_a_result_comes_back_from_its_json(result):
    table = json.loads(json.dumps(suite_to_json(result)))
    back = suite_from_json("made", table)
    assert json.loads(json.dumps(suite_to_json(back))) == table
    assert replace(back, baseline=None) == replace(result, baseline=None)


def test_questions_without_passage_or_references_come_back_too(result):
    asked = (
        replace(result.questions[0].question, passage="", references=(), title="", group="G"),
        replace(result.questions[1].question, answerable=False, references=("nobody knows",)),
    )
    items = [replace(item, question=q) for item, q in zip(result.questions, asked, strict=False)]
    changed = replace(result, questions=tuple(items), passages=2, baseline=None)
    back = suite_from_json("made", json.loads(json.dumps(suite_to_json(changed))))
    assert back == changed
    row = json.loads(question_data(changed, {}).text)["questions"][0]
    assert row[FIELDS.index("title")] == "G"


def test_undefined_numbers_come_back_too(result):
    tests = replace(result.tests, mean_ranks={"good": math.nan, "worse": 1.0})
    table = json.loads(json.dumps(suite_to_json(replace(result, tests=tests, baseline=None))))
    assert math.isnan(suite_from_json("made", table).tests.mean_ranks["good"])
    table["tests"] = {}
    assert suite_from_json("made", table).tests is None


def test_a_page_runs_no_script_but_its_own(result):
    html = page_html([PageSuite(result)], {"Commit": '"><script>alert(1)</script>'})
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', html)[1]
    assert policy.startswith("default-src &#39;none&#39;; style-src &#39;sha256-")
    assert "unsafe" not in policy
    assert "alert(1)</script>" not in html
    assert not re.search(r"""\s(?:style|on\w+)\s*=\s*["']""", html.partition("<script>")[0])
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:,)""", html)
    assert page_html([PageSuite(result)], {}) == page_html([PageSuite(result)], {})
