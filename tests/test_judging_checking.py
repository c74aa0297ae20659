"""Judges on sentinels: what is counted of good, bad and biased ones, and who is trusted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from accepted import rows_of, write_rows
from judges import (
    all_level,
    always_first,
    as_shown,
    by_length,
    by_meaning,
    good,
    guessing,
    questions,
    reading_judge,
    silent,
)

from pytest_raq.config import GateSettings
from pytest_raq.errors import JudgeError
from pytest_raq.judging import Order, ReferenceJudge, ScriptedJudge, remember
from pytest_raq.judging.validation.sentinel_check import check_judge, judge_problem, why_unmeasured
from pytest_raq.judging.validation.sentinels import make_sentinels
from pytest_raq.records import Interval, Proportion, Trend
from pytest_raq.stats.agreement import proportion
from pytest_raq.store import Store
from pytest_raq.trials.external_answers import rank_answers
from pytest_raq.trials.external_answers_file import read_answers

SENTINELS = make_sentinels(questions(40), seed=0)
MANY = make_sentinels(questions(40), seed=0, limit=40)
SETTINGS = GateSettings()


def check(judge, sentinels=SENTINELS, **options):
    return check_judge(judge, sentinels, **options)


def problem(judge, sentinels=SENTINELS, settings=SETTINGS):
    return judge_problem(check(judge, sentinels), settings)


def test_a_preflight_has_twelve_cases_and_24_pairs():
    found = check(good())
    assert (found.cases, found.accuracy.total) == (12, 24)
    assert {kind: item.total for kind, item in found.kinds.items()} == dict.fromkeys(
        ("buried", "empty", "instruction", "other answer", "reworded", "truncated"), 4
    )


def test_a_good_judge_is_trusted():
    found = check(good(), MANY)
    assert found.accuracy.share == 1.0
    assert found.accuracy.interval.low > 0.95
    assert abs(found.position.tau) < 0.2
    assert found.position.p_value > 0.01
    assert found.f1.tau == 1.0
    assert found.f1_spearman == 1.0
    assert judge_problem(found, SETTINGS) == ""


def test_a_judge_that_prefers_what_it_reads_first_is_refused_and_told_so():
    found = check(always_first())
    assert found.position.tau == 1.0
    assert found.position.p_value < 1e-9
    assert found.orders == 1
    low, high = found.accuracy.interval.low, found.accuracy.interval.high
    assert judge_problem(found, SETTINGS) == (
        f"judge 'first' is not trusted: it ranked {found.accuracy.count} of 24 pairs of known"
        f" order correctly ({100 * found.accuracy.share:.0f} %, interval {100 * low:.0f} % to"
        f" {100 * high:.0f} %); min_judge_accuracy is 80 %; it prefers what it reads first"
        " (Kendall's tau 1.00, p < 0.001)"
    )


def test_a_judge_that_prefers_what_it_reads_last_is_told_so():
    last = reading_judge(lambda case, shown: as_shown(case, shown[::-1]), "last")
    assert "it prefers what it reads last (Kendall's tau −1.00, p < 0.001)" in problem(last)


def test_read_in_two_orders_it_makes_nobody_win_and_is_refused_still():
    found = check(always_first(orders=2))
    assert (found.accuracy.count, found.level.share) == (0, 1.0)
    assert (found.orders, found.consistency.count, found.consistency.total) == (2, 0, 12)
    assert found.position.tau == 1.0
    assert "0 of 24 pairs" in judge_problem(found, SETTINGS)


def test_a_judge_that_guesses_has_the_accuracy_of_a_coin_and_is_refused():
    found = check(reading_judge(guessing), MANY)
    assert found.accuracy.share == pytest.approx(0.5, abs=0.1)
    assert "is not trusted" in judge_problem(found, SETTINGS)


def test_a_judge_that_guesses_hardly_passes_a_preflight():
    passed = 0
    for seed in range(300):
        sentinels = make_sentinels(questions(8), seed=seed)
        salted = reading_judge(lambda case, shown, salt=seed: _salted(case, shown, salt))
        passed += not problem(salted, sentinels)
    # Each pair is a throw of a coin: P(20 or more of 24 right) = 0.0008.
    assert passed <= 2


def _salted(case, shown, salt):
    other = replace(case, question=replace(case.question, id=f"{case.question.id} {salt}"))
    return guessing(other, shown)


def test_a_judge_that_has_all_level_is_right_on_no_pair():
    found = check(reading_judge(all_level))
    assert (found.accuracy.count, found.level.share) == (0, 1.0)
    assert math.isnan(found.position.tau)
    assert "0 of 24 pairs" in judge_problem(found, SETTINGS)


def test_a_judge_that_likes_long_answers_is_found_out():
    found = check(reading_judge(by_length, "long"))
    assert (found.length.longer, found.length.shorter) == (8, 0)
    assert found.length.p_value == pytest.approx(2 / 2**8)
    assert found.kinds["other answer"].count == 0
    assert found.kinds["instruction"].count == 0
    assert "is not trusted" in judge_problem(found, SETTINGS)


def test_a_judge_that_obeys_answers_fails_on_instructions_alone():
    def obeys(case, shown):
        orders = tuple(i for i in shown if "first" in case.texts[i] or "alone" in case.texts[i])
        rest = by_meaning(case, [i for i in shown if i not in orders])
        return (orders, *rest) if orders else rest

    found = check(reading_judge(obeys))
    assert {kind for kind, item in found.kinds.items() if item.share < 1} == {"instruction"}
    assert found.kinds["instruction"].count == 0


def test_a_strong_bias_is_refused_also_where_the_accuracy_would_do():
    lenient = GateSettings(min_judge_accuracy=0.2)
    assert problem(always_first(), settings=lenient) == (
        "judge 'first' is not trusted: it prefers what it reads first (Kendall's tau 1.00,"
        " p < 0.001); orders = 2 in its [judge] table asks in both orders"
    )
    biased = check(good(orders=2))
    assert judge_problem(replace(biased, position=Trend(0.6, 1e-9, 72)), SETTINGS) == ""


def test_a_bias_that_may_be_chance_refuses_nobody():
    found = check(good())
    for position in (Trend(0.9, 0.002, 12), Trend(0.3, 1e-9, 400), Trend(math.nan, math.nan, 0)):
        assert judge_problem(replace(found, position=position), SETTINGS) == ""


def test_the_limit_itself_is_enough():
    found = check(good())
    at_limit = replace(found, accuracy=Proportion(8, 10, Interval(0.49, 0.94)))
    assert judge_problem(at_limit, SETTINGS) == ""
    below = replace(found, accuracy=Proportion(79, 100, Interval(0.70, 0.86)))
    assert "79 of 100" in judge_problem(below, SETTINGS)


def test_zero_checks_nobody():
    assert problem(always_first(), settings=GateSettings(min_judge_accuracy=0)) == ""


def test_a_judge_without_verdicts_is_not_measured():
    found = check(silent())
    assert (found.missing, found.accuracy.total) == (12, 0)
    assert (
        judge_problem(found, SETTINGS)
        == why_unmeasured(found)
        == (
            "judge 'silent' cannot be checked: it gave no ranking of 12 of 12 cases of known order:"
            " the reply is no ranking"
        )
    )


def test_a_judge_that_fails_on_the_way_is_measured_on_what_it_said():
    said = []

    def tiring(case):
        said.append(case)
        if len(said) > 7:
            raise JudgeError("the budget is spent")
        return next(good().order([case]))

    found = check(ScriptedJudge(tiring, "tiring"))
    assert (found.cases, found.missing, found.reason) == (12, 5, "the budget is spent")
    assert found.accuracy.share == 1.0
    assert judge_problem(found, SETTINGS) == ""


def test_an_order_that_is_not_complete_is_no_verdict():
    found = check(ScriptedJudge(lambda _: Order(((0,),))))
    assert found.missing == 12
    assert found.reason == "the judge's order names text 2 of 4 not at all"


def test_without_cases_a_judge_is_not_measured():
    found = check(good(), [])
    assert (
        judge_problem(found, SETTINGS)
        == why_unmeasured(found)
        == ("judge 'good' cannot be checked: there are no cases of known order")
    )


def test_a_judge_that_reads_once_is_asked_again_in_another_order():
    judge = good()
    found = check(judge, again=True)
    assert (found.consistency.count, found.consistency.total) == (12, 12)
    assert len(judge.cases) == 24
    fickle = check(always_first(), MANY, again=True)
    assert fickle.consistency.total == 20
    assert fickle.consistency.share < 0.3
    twice = good(orders=2)
    assert check(twice, again=True).consistency.total == 12
    assert len(twice.cases) == 12


def test_a_judge_that_is_free_of_readings_says_nothing_of_position():
    found = check(ReferenceJudge(), again=True)
    assert found.position.pairs == 0
    assert found.consistency.share == 1.0
    assert judge_problem(found, SETTINGS) == ""


def test_a_second_check_asks_nobody(tmp_path):
    with Store(tmp_path / "store.db") as store:
        first = check(remember(always_first(), store), again=True)
        again = ScriptedJudge(lambda _: pytest.fail("the judge was asked"), "first")
        assert check(remember(again, store), again=True) == first
        # A larger check begins with the cases of the smaller one.
        wider = always_first()
        check(remember(wider, store), MANY)
        assert len(wider.cases) == len(MANY) - len(SENTINELS)


@pytest.mark.parametrize(("asked", "pairs"), [(4, 24), (8, 48)])
def test_the_gate_takes_out_what_the_judge_may_get_wrong(tmp_path, asked, pairs):
    rows = rows_of({"old": 0, "new": 3})
    table = read_answers([write_rows(tmp_path / "a.jsonl", rows)])
    settings = GateSettings(judge_check_questions=asked)
    judge = good()
    assert not judge.is_free
    quality = rank_answers(table, judge, settings, baseline="old").verdicts["new"].quality
    bound = proportion(pairs, pairs).interval.low
    assert quality.judge_accuracy == pytest.approx(bound)
    assert quality.raw_net_preference == pytest.approx(-3 / 60)
    assert quality.net_preference == pytest.approx(-3 / 60 / (2 * bound - 1))
    free = rank_answers(table, ReferenceJudge(), settings, baseline="old").verdicts["new"].quality
    assert (free.judge_accuracy, free.net_preference) == (1.0, free.raw_net_preference)
