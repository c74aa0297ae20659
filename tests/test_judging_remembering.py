"""A judge is asked once; its verdicts are kept with what was said to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_raq.errors import JudgeError
from pytest_raq.judging import (
    NoOrder,
    Order,
    ReferenceJudge,
    ScriptedJudge,
    rank_contestants,
    remember,
)
from pytest_raq.records import JudgeExchange, JudgeIdentity, Question
from pytest_raq.store import Store, verdict_key

ITEMS = [
    (
        Question(f"q{n}", "", f"passage {n}", f"what {n}?", ("x",)),
        {"a": f"x {n}", "b": "y", "c": "y "},
    )
    for n in range(6)
]
SAID = (JudgeExchange("Rank these: …", "A, then B", {"prompt_tokens": 40.0, "cost": 0.002}),)


def first_wins(_case):
    return Order(((0,), (1,)), SAID)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.db") as made:
        yield made


def rank(judge, items=ITEMS):
    return list(rank_contestants(judge, items))


def test_a_second_run_asks_nobody_and_ranks_the_same(store):
    judge = ScriptedJudge(first_wins)
    first = rank(remember(judge, store))
    assert len(judge.cases) == 6
    again = ScriptedJudge(lambda _: pytest.fail("the judge was asked"))
    assert rank(remember(again, store)) == first == rank(judge)


def test_only_what_changed_is_asked(store):
    judge = ScriptedJudge(first_wins)
    rank(remember(judge, store))
    changed = [*ITEMS[:2], (ITEMS[2][0], {"a": "another", "b": "y"}), *ITEMS[3:]]
    rank(remember(judge, store), changed)
    assert [case.question.id for case in judge.cases[6:]] == ["q2"]


def test_another_judge_is_asked_everything(store):
    class Other(ScriptedJudge):
        @property
        def identity(self):
            return JudgeIdentity("scripted", options={"order_seed": "1"})

    rank(remember(ScriptedJudge(first_wins), store))
    other = Other(first_wins)
    rank(remember(other, store))
    assert len(other.cases) == 6


def test_a_verdict_is_kept_the_moment_it_exists(store):
    judge = ScriptedJudge(first_wins)
    rankings = rank_contestants(remember(judge, store), ITEMS)
    next(rankings)
    next(rankings)
    again = ScriptedJudge(first_wins)
    rank(remember(again, store))
    assert [case.question.id for case in again.cases] == ["q2", "q3", "q4", "q5"]


def test_what_was_said_to_the_judge_is_kept_and_comes_back(store):
    judge = remember(ScriptedJudge(first_wins), store)
    rank(judge)
    question, texts = ITEMS[0]
    kept = store.verdicts.get(verdict_key(judge.identity, question, ("x 0", "y")))
    assert (kept.tiers, kept.exchanges) == (((0,), (1,)), SAID)
    case = ScriptedJudge(first_wins)
    rank(case, [(question, texts)])
    assert next(remember(case, store).order(case.cases)).exchanges == SAID


def test_a_case_that_could_not_be_decided_is_kept_and_asked_again(store):
    unsure = ScriptedJudge(lambda _: NoOrder("the reply is no ranking", SAID))
    assert {r.missing for r in rank(remember(unsure, store))} == {"the reply is no ranking"}
    key = verdict_key(unsure.identity, ITEMS[0][0], ("x 0", "y"))
    assert store.verdicts.get(key).reason == "the reply is no ranking"
    assert store.verdicts.get(key).exchanges == SAID
    sure = ScriptedJudge(first_wins)
    assert not any(r.missing for r in rank(remember(sure, store)))
    assert len(sure.cases) == 6


def test_an_order_that_is_not_complete_is_asked_again(store):
    wrong = ScriptedJudge(lambda _: Order(((0,),)))
    assert all(r.missing for r in rank(remember(wrong, store)))
    right = ScriptedJudge(first_wins)
    assert not any(r.missing for r in rank(remember(right, store)))
    assert len(right.cases) == 6


def test_a_judge_that_fails_costs_no_verdict_that_is_kept(store):
    rank(remember(ScriptedJudge(first_wins), store), ITEMS[3:])

    def failing(case):
        if case.question.id == "q1":
            raise JudgeError("the server does not answer")
        return first_wins(case)

    rankings = rank(remember(ScriptedJudge(failing), store))
    missing = {r.question_id: r.missing for r in rankings if r.missing}
    assert missing == dict.fromkeys(("q1", "q2"), "the server does not answer")
    sure = ScriptedJudge(first_wins)
    rank(remember(sure, store))
    assert [case.question.id for case in sure.cases] == ["q1", "q2"]


def test_a_fresh_run_asks_again_and_replaces_what_was_kept(store):
    rank(remember(ScriptedJudge(first_wins), store))
    other = ScriptedJudge(lambda _: Order(((1,), (0,))))
    fresh = rank(remember(other, store, fresh=True))
    assert len(other.cases) == 6
    again = remember(ScriptedJudge(lambda _: pytest.fail("the judge was asked")), store)
    assert rank(again) == fresh


def test_a_judge_that_costs_nothing_is_asked_itself(store):
    judge = ReferenceJudge()
    assert remember(judge, store) is judge


def test_without_a_store_the_judge_is_asked(tmp_path):
    judge = ScriptedJudge(first_wins)
    assert not any(r.missing for r in rank(remember(judge, Store(tmp_path, on_error="degrade"))))
    assert len(judge.cases) == 6


class ReadingAhead(ScriptedJudge):
    """Reads all cases before it gives a verdict, as one that works on several at once."""

    def order(self, cases):
        return super().order(list(cases))


@settings(max_examples=25, deadline=None)
@given(kept=st.sets(st.integers(0, 5)), ahead=st.booleans())
def test_whatever_is_kept_the_rankings_are_the_same(tmp_path_factory, kept, ahead):
    def verdict(case):
        return Order(((1,), (0,))) if int(case.question.id[1]) % 2 else Order(((0, 1),))

    with Store(tmp_path_factory.mktemp("store") / "store.db") as store:
        rank(remember(ScriptedJudge(verdict), store), [ITEMS[n] for n in sorted(kept)])
        judge = (ReadingAhead if ahead else ScriptedJudge)(verdict)
        assert rank(remember(judge, store)) == rank(ScriptedJudge(verdict))
        assert len(judge.cases) == 6 - len(kept)


def test_the_order_of_texts_and_names_does_not_matter_to_what_is_kept(store):
    rank(remember(ScriptedJudge(first_wins), store))
    renamed = [(q, {"z": texts["b"], "now:a": texts["a"]}) for q, texts in ITEMS]
    again = ScriptedJudge(lambda _: pytest.fail("the judge was asked"))
    assert [r.ranks for r in rank(remember(again, store), renamed)] == [
        {"z": 2.0, "now:a": 1.0}
    ] * 6


def test_another_reference_asks_again(store):
    rank(remember(ScriptedJudge(first_wins), store))
    judge = ScriptedJudge(first_wins)
    rank(remember(judge, store), [(replace(q, references=("z",)), texts) for q, texts in ITEMS])
    assert len(judge.cases) == 6
