"""A judge behind a server on loopback, tested on sentinels before it is trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from judges import questions
from openai_server import chat, serving, shown

from pytest_raq.config import GateSettings, ModelDefinition
from pytest_raq.judging import make_judge, remember
from pytest_raq.judging.validation.sentinel_check import check_judge, judge_problem
from pytest_raq.judging.validation.sentinels import make_sentinels
from pytest_raq.store import Store

SETTINGS = GateSettings()
QUESTIONS = questions(20)
SENTINELS = make_sentinels(QUESTIONS, seed=0)
REFERENCES = {item.question: item.references[0].lower() for item in QUESTIONS}


@pytest.fixture
def judging(monkeypatch):
    """Make judges of a server, and close them."""
    monkeypatch.setenv("JUDGE_KEY", "sk-secret")
    made = []

    def make(server, **judge):
        definition = ModelDefinition.model_validate(
            {
                "name": "gpt",
                "path": Path("models/gpt.toml"),
                "engine": "openai",
                "openai": {"base_url": server.url, "model": "m", "api_key_env": "JUDGE_KEY"},
                "judge": judge,
            }
        )
        made.append(make_judge(definition))
        return made[-1]

    yield make
    for judge in made:
        judge.close()


def first_wins(request):
    return chat(json.dumps({name: place for place, name in enumerate(shown(request), start=1)}))


def by_references(request):
    """Rank by whether an answer holds the reference, and nothing but it."""
    prompt = request["messages"][0]["content"]
    right = next((ref for text, ref in REFERENCES.items() if f"\n{text}\n" in prompt), "paris")

    def figure(text):
        plain = text.lower().rstrip(".")
        return (plain != right) + (right not in plain)

    return chat(json.dumps({name: figure(text) + 1 for name, text in shown(request).items()}))


def asked(server):
    """Return the requests about sentinels: those after the trial."""
    return [request for request in server.requests if "Lyon" not in str(request["messages"])]


def test_a_judge_that_knows_the_references_is_trusted(judging, tmp_path):
    with serving(by_references) as server, Store(tmp_path / "store.db") as store:
        found = check_judge(remember(judging(server), store), SENTINELS)
        assert (found.accuracy.count, found.accuracy.total, found.missing) == (24, 24, 0)
        assert abs(found.position.tau) < 0.4
        assert found.position.pairs == 12 * 6
        assert judge_problem(found, SETTINGS) == ""
        assert len(asked(server)) == 12
        assert check_judge(remember(judging(server), store), SENTINELS) == found
        assert len(asked(server)) == 12 + 3  # three are judged again: is it still the same judge?


def test_a_judge_that_prefers_the_first_label_is_refused(judging):
    with serving(first_wins) as server:
        found = check_judge(judging(server), SENTINELS, again=True)
    assert found.position.tau == 1.0
    assert found.consistency.share < 0.5
    problem = judge_problem(found, SETTINGS)
    assert "judge 'gpt' is not trusted" in problem
    assert "it prefers what it reads first (Kendall's tau 1.00, p < 0.001)" in problem


def test_in_two_orders_it_has_all_level_and_is_refused(judging):
    with serving(first_wins) as server:
        found = check_judge(judging(server, orders=2), SENTINELS)
        assert len(asked(server)) == 24
    assert (found.orders, found.accuracy.count, found.level.share) == (2, 0, 1.0)
    assert (found.consistency.count, found.consistency.total) == (0, 12)
    assert found.position.tau == 1.0
    assert found.position.pairs == 24 * 6
    assert "it ranked 0 of 24 pairs" in judge_problem(found, SETTINGS)


def test_a_judge_that_never_replies_in_form_is_not_measured(judging):
    with serving(lambda _: chat("I would say B.")) as server:
        found = check_judge(judging(server, attempts=1), SENTINELS)
    assert found.missing == 12
    assert "cannot be checked: it gave no ranking of 12 of 12 cases" in judge_problem(
        found, SETTINGS
    )
