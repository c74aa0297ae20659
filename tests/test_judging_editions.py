"""Baselines that an earlier edition of the reference judge ranked are ranked again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from accepted import make_baseline
from projects import Project

from pytest_raq.baselines.comparison import is_another_edition, refuse
from pytest_raq.judging import Order, ReferenceJudge, ScriptedJudge
from pytest_raq.judging.editions import rank_again
from pytest_raq.records import JudgeIdentity, Question

FIRST = JudgeIdentity("reference", "", {"rule": "exact_match, f1"})
NOW = ReferenceJudge().identity


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    return make_baseline(tmp_path_factory.mktemp("made"), {"first": 3, "second": 5})


def earlier(baseline):
    """Return a baseline as the first edition left it, with ranks that are not today's."""
    flat = {
        name: replace(item, ranks=dict.fromkeys(item.ranks, 1.5))
        for name, item in baseline.questions.items()
    }
    models = {name: replace(item, mean_rank=1.5) for name, item in baseline.models.items()}
    given = replace(baseline.provenance, judge=FIRST)
    return replace(baseline, questions=flat, models=models, provenance=given, tests=None)


def panel(rule, **options):
    return JudgeIdentity("gpt, reference", "", {"reference.rule": rule, **options})


def asked():
    return [
        Question(f"q{n}", "", f"passage {n // 5}", f"What is right about {n}?", (f"right {n}",))
        for n in range(20)
    ]


def test_accepted_answers_are_ranked_by_todays_rule(baseline):
    again = rank_again(earlier(baseline), ReferenceJudge(), asked(), seed=0)
    assert again.questions == baseline.questions
    assert again.provenance.judge == NOW
    assert again.models["second"].mean_rank == baseline.models["second"].mean_rank
    assert again.tests.mean_ranks == baseline.tests.mean_ranks


def test_no_model_is_asked_for_a_baseline_of_a_panel(baseline):
    judge = ScriptedJudge(lambda _: Order(((0,),)))
    again = rank_again(earlier(baseline), judge, asked(), seed=0)
    assert judge.cases == []
    assert again.tests is None and again.models["first"].mean_rank is None
    assert not any(item.ranks for item in again.questions.values())
    assert {name: item.answers for name, item in again.questions.items()} == {
        name: item.answers for name, item in baseline.questions.items()
    }


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (FIRST, NOW, True),
        (NOW, NOW, False),
        (FIRST, JudgeIdentity("other", "", {"rule": "grades"}), False),
        (JudgeIdentity("other", "", {"rule": "a"}), JudgeIdentity("other"), False),
        (panel("exact_match, f1", panel="x"), panel("grades", panel="x"), True),
        (panel("exact_match, f1", panel="x"), panel("grades", panel="y"), False),
    ],
)
def test_only_the_rule_of_the_reference_judge_may_differ(baseline, before, now, expected):
    assert is_another_edition(before, now) is expected
    old = replace(baseline, provenance=replace(baseline.provenance, judge=before))
    refused = refuse(old, replace(baseline.provenance, judge=now))
    assert bool(refused) is (before != now and not expected)


def test_a_run_compares_with_a_baseline_of_the_first_edition(pytester):
    project = Project(pytester)
    project.replies({"first": {"q1": "It is right 1.", "q2": "not right 2"}})
    project.accept()
    path = project.root / "baselines" / "small.json"
    table = json.loads(path.read_text("utf-8"))
    table["provenance"]["judge"]["options"] = dict(FIRST.options)
    for item in table["questions"].values():
        item["ranks"] = dict.fromkeys(item["ranks"], 1.5)
    path.write_text(json.dumps(table), "utf-8")
    project.replies({"first": {"q1": "right 1", "q2": "not right 2"}})
    found = project.results()
    assert found["verdicts"]["second"]["verdict"] == "unchanged"
    assert found["verdicts"]["first"]["net_preference"] > 0
    question = found["questions"]["q1"]
    assert question["preferences"] == {"first": 1, "second": 0}
    assert question["reasons"]["first"] == "equal: same text"
    assert question["baseline_reasons"]["first"] == "states: the reference"
    assert found["questions"]["q2"]["reasons"]["first"] == "wrong: denies the reference"
    assert (
        "differs from the baseline: rule of judge reference: exact_match, f1 → grades 2;"
        " its answers were ranked again"
    ) in found["notes"]
