from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_raq.records import Interval, Ranking
from pytest_raq.stats import resampling
from pytest_raq.stats.quality import QualityPlan, preferences, quality_evidence
from pytest_raq.stats.resampling import (
    expanded_tail,
    holm,
    passage_intervals,
    sign_flip,
    sum_by_passage,
)


def signs(values, per_passage=5):
    """Return s_i by question and the passage of each."""
    questions = {f"q{i:04}": int(value) for i, value in enumerate(values)}
    return questions, {name: f"p{i // per_passage:04}" for i, name in enumerate(questions)}


def evidence(values, per_passage=5, **options):
    questions, clusters = signs(values, per_passage)
    return quality_evidence({"m": questions}, clusters, plan(**options))["m"]


def plan(**options):
    return QualityPlan(**{"resamples": 500, "power": None, **options})


def test_preferences_come_from_joint_rankings():
    rankings = [
        Ranking("a", {"m now": 1.0, "m before": 2.0}),
        Ranking("b", {"m now": 2.5, "m before": 1.0, "x": 2.5}),
        Ranking("c", {"m now": 1.5, "m before": 1.5}),
        Ranking("d", missing="the judge was silent"),
        Ranking("e", {"m now": 1.0}),
    ]
    found = preferences(rankings, {"m": "m now", "new": "new now"}, {"m": "m before"})
    assert found == {"m": {"a": 1, "b": -1, "c": 0}}


def test_counts_and_net_preference():
    found = evidence([-1] * 14 + [1] * 3 + [0] * 43)
    assert (found.questions, found.passages) == (60, 12)
    assert (found.worse, found.better, found.tied) == (14, 3, 43)
    assert found.net_preference == pytest.approx(-11 / 60)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_sign_flip_equals_enumeration(sums):
    array = np.array(sums)
    totals = np.array(list(product((-1, 1), repeat=len(sums)))) @ array
    test = sign_flip(array, seed=0, resamples=10)
    assert test.exact
    assert test.lower == pytest.approx(np.mean(totals <= array.sum()))
    assert test.two_sided == pytest.approx(np.mean(np.abs(totals) >= abs(array.sum())))


def test_sampled_p_agrees_with_the_exact_one_and_is_never_zero(monkeypatch):
    sums = np.random.default_rng(3).integers(-5, 4, size=40)
    exact = sign_flip(sums, seed=0, resamples=20_000)
    monkeypatch.setattr(resampling, "EXACT_LENGTH", 0)
    monkeypatch.setattr(resampling, "CELLS", 1_000)
    sampled = sign_flip(sums, seed=0, resamples=20_000)
    assert not sampled.exact
    assert sampled == sign_flip(sums, seed=0, resamples=20_000)
    assert sampled.lower == pytest.approx(exact.lower, abs=0.01)
    assert sampled.two_sided == pytest.approx(exact.two_sided, abs=0.02)
    better = sign_flip(-sums, seed=0, resamples=20_000)
    assert better.lower == pytest.approx(1 - exact.lower, abs=0.02)
    assert sign_flip(np.full(60, -1), seed=0, resamples=999).lower == 1 / 1000


def test_p_is_never_zero_where_it_is_too_small_for_a_float():
    assert 0 < sign_flip(np.full(2000, -1), seed=0, resamples=10).lower < 1e-300


@pytest.mark.parametrize(
    ("questions", "per_passage", "low"),
    [
        (60, 1, 0.025 ** (1 / 60) - 1),  # independent: the exact bound of 0 of 60
        (60, 5, 0.025 ** (2.2 / 60) - 1),  # a design effect of 1 + 4 · 0.3
        (5, 5, 0.025 ** (2.2 / 5) - 1),
        (1, 1, -0.975),
    ],
)
def test_no_change_rules_out_what_so_many_questions_can(questions, per_passage, low):
    found = evidence([0] * questions, per_passage)
    assert (found.p_value, found.adjusted_p, found.net_preference) == (1.0, 1.0, 0.0)
    assert found.interval.low == pytest.approx(low)


def test_the_detectable_loss_is_told_unless_it_is_not_wanted():
    values = [-1, 0, 1, 0, 0] * 12
    found = evidence(values, power=0.8)
    assert 0.1 < found.detectable < 0.5
    assert found.detectable < evidence(values, power=0.9).detectable
    assert math.isnan(evidence(values).detectable)


def test_one_passage_that_moved_has_no_interval():
    found = evidence([-1, -1, -1, 0, 0])
    assert found.p_value == 0.5
    assert math.isnan(found.interval.low)
    assert math.isnan(found.detectable)


def test_nothing_to_test_is_nan():
    found = quality_evidence({"m": {}, "n": {"q": 0}}, {})
    assert found["m"].questions == 0
    for value in (found["m"].net_preference, found["m"].p_value, found["m"].adjusted_p):
        assert math.isnan(value)
    assert found["n"].adjusted_p == 1.0
    assert quality_evidence({}, {}) == {}


def test_holm_is_over_models():
    worse, clusters = signs([-1] * 25)
    level = dict.fromkeys(worse, 0)
    found = quality_evidence({"a": worse, "b": level, "c": level}, clusters, plan(resamples=100))
    assert found["a"].p_value == 1 / 32
    assert found["a"].adjusted_p == pytest.approx(3 / 32)
    assert found["b"].adjusted_p == 1.0


@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # R: p.adjust(c(0.01, 0.04, 0.03), "holm")
        ([0.5, 0.9], [1.0, 1.0]),
        ([math.nan, 0.02, 0.01], [math.nan, 0.02, 0.02]),
        ([], []),
    ],
)
def test_holm(raw, adjusted):
    assert holm(raw) == pytest.approx(adjusted, nan_ok=True)


def test_passages_and_not_questions_are_resampled():
    loss = [-1] * 10 + [0] * 50
    together, apart = evidence(loss), evidence(loss, per_passage=1)
    assert together.interval.low < apart.interval.low


def test_passages_of_different_size_weigh_by_their_questions():
    table = sum_by_passage(["a", "b", "c"], np.array([[1.0], [1.0], [0.0]]), {"a": "p", "b": "p"})
    assert table.passages == ("c", "p")
    (interval,) = passage_intervals(
        table.sums, table.sizes[:, None], level=0.95, seed=0, resamples=200
    )
    assert interval == Interval(0.0, 1.0)


def test_resamples_in_chunks_give_an_interval_as_well(monkeypatch):
    rng = np.random.default_rng(0)
    sums, sizes = rng.integers(-5, 5, size=(30, 2)).astype(float), np.full((30, 1), 5.0)
    whole = passage_intervals(sums, sizes, level=0.95, seed=0, resamples=1000)
    monkeypatch.setattr(resampling, "CELLS", 100)
    assert passage_intervals(sums, sizes, level=0.95, seed=0, resamples=1000) == whole


def test_any_integer_is_a_seed():
    values = [-1, 0, 1, 0, 0] * 12
    assert evidence(values, seed=-1) == evidence(values, seed=-1)
    assert evidence(values, seed=2**70).net_preference == 0


def test_percentiles_are_moved_outwards_for_few_passages():
    assert expanded_tail(12, 0.025) == pytest.approx(0.0107, abs=1e-4)
    assert expanded_tail(100_000, 0.025) == pytest.approx(0.025, abs=1e-4)


def latent(rng, models=3, passages=12, correlation=0.3):
    passage, question = (
        rng.normal(size=(models, passages, 1)),
        rng.normal(size=(models, passages, 5)),
    )
    mixed = math.sqrt(correlation) * passage + math.sqrt(1 - correlation) * question
    return np.floor(mixed).reshape(models, -1)


@pytest.mark.parametrize(("loss", "least", "most"), [(0.0, 0.0, 0.09), (1.3, 0.75, 1.0)])
def test_false_alarms_are_rare_and_large_losses_are_found(loss, least, most):
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(200):
        signs_now = np.sign(latent(rng) - loss * np.array([[1], [0], [0]]) - latent(rng))
        table = {f"m{i}": signs(row)[0] for i, row in enumerate(signs_now)}
        clusters = signs(signs_now[0])[1]
        found = quality_evidence(table, clusters, plan(resamples=2))
        alarms += any(item.adjusted_p <= 0.05 for item in found.values())
    assert least <= alarms / 200 <= most


values = st.lists(st.sampled_from([-1, 0, 1]), min_size=2, max_size=40)


@settings(deadline=None, max_examples=40)
@given(values, values, st.randoms(use_true_random=False))
def test_order_of_models_and_questions_does_not_matter(first, second, random):
    (one, clusters), (two, others) = signs(first, 3), signs(second, 3)
    clusters |= others
    table = {"a": one, "b": two}
    mixed = {
        name: dict(random.sample(list(table[name].items()), len(table[name]))) for name in "ba"
    }
    found = quality_evidence(table, clusters, plan(resamples=50))
    again = quality_evidence(mixed, clusters, plan(resamples=50))
    assert {name: str(found[name]) for name in "ab"} == {n: str(again[n]) for n in "ab"}


@settings(deadline=None, max_examples=60)
@given(values)
def test_turned_around_the_net_preference_turns_and_the_interval_holds_it(first):
    one, two = evidence(first), evidence([-value for value in first])
    assert one.net_preference == -two.net_preference
    if not math.isnan(one.interval.low):
        assert one.interval.low <= one.net_preference <= one.interval.high
    assert one.p_value + two.p_value >= 1.0 - 1e-12
    assert 0 < one.p_value <= one.adjusted_p <= 1


@settings(deadline=None, max_examples=150)
@given(values, st.integers(1, 6), st.sampled_from([0.01, 0.05, 0.2]))
def test_p_and_interval_of_one_run_agree(first, per_passage, alpha):
    found = evidence(first, per_passage, alpha=alpha)
    if found.adjusted_p <= alpha:
        assert found.interval.high < 0


def test_the_level_of_a_pass_moves_the_lower_end_alone_and_alpha_the_upper_one():
    values = [-1, 0, 1, 0, 0, 0] * 20
    strict, usual = evidence(values, pass_level=0.005), evidence(values)
    assert strict.interval.low < usual.interval.low
    assert strict.interval.high == usual.interval.high
    wide = evidence(values, alpha=0.001)
    assert wide.interval.low == usual.interval.low
    assert wide.interval.high > usual.interval.high


def test_errors_of_the_judge_are_taken_out_of_net_preference_and_interval():
    values = [-1, 0, 1, 0, 0, 0, -1, 0, 0, 0] * 12
    perfect, erring = evidence(values), evidence(values, accuracy=0.8)
    assert erring.raw_net_preference == perfect.net_preference
    assert erring.net_preference == pytest.approx(perfect.net_preference / 0.6)
    assert erring.interval.low == pytest.approx(perfect.interval.low / 0.6)
    assert erring.interval.high == pytest.approx(perfect.interval.high / 0.6)
    assert erring.p_value == perfect.p_value
    assert evidence([-1, 0, 1, 0, 0] * 12, accuracy=0.5).interval == Interval(-1.0, 1.0)


def test_questions_that_could_not_be_compared_may_all_be_worse():
    questions, clusters = signs([0] * 98)
    whole = quality_evidence({"m": questions}, clusters, plan())["m"]
    partly = quality_evidence({"m": questions}, clusters, plan(), unknown={"m": 2})["m"]
    assert partly.interval.low == pytest.approx((whole.interval.low * 98 - 2) / 100)
    assert (partly.net_preference, partly.unknown) == (0.0, 2)


def test_losses_of_few_passages_count_by_question():
    lost = [-1] * 40 + [0] * 80
    found = evidence(lost, 10)
    assert (found.adjusted_p, found.moved_passages) == (1 / 16, 4)
    # 40 questions of 4 passages say as much as 40 / (1 + 9 · 0.3) independent ones.
    assert found.sparse_p == pytest.approx(0.5 ** (40 / 3.7))
    assert evidence([1] * 40 + [0] * 80, 10).sparse_p == 1.0


def test_the_lower_end_takes_the_correlation_of_the_run_where_it_is_larger():
    apart, together = [-1, 0, 0, 0, 0] * 10 + [0] * 150, [-1] * 10 + [0] * 190
    assert evidence(together).interval.low < evidence(apart).interval.low
