from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
import scikit_posthocs
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_raq.records import Ranking
from pytest_raq.stats.ranks import rank_tests


def make(table, per_passage=5):
    """Return rankings, clusters and models of a table of values, questions × models."""
    ranks = stats.rankdata(np.asarray(table, dtype=float), axis=1)
    models = [f"model-{i}" for i in range(ranks.shape[1])]
    rankings = [
        Ranking(f"q{i:04}", dict(zip(models, row, strict=True)))
        for i, row in enumerate(ranks.tolist())
    ]
    clusters = {f"q{i:04}": f"passage {i // per_passage:04}" for i in range(len(ranks))}
    return rankings, clusters, models


def matrix(table, models):
    return np.array([[table[a][b] for b in models] for a in models])


def simulated(questions, models, levels=3, seed=0):
    return np.random.default_rng(seed).integers(0, levels, size=(questions, models))


@pytest.mark.parametrize(("questions", "models"), [(10, 2), (60, 3), (40, 5), (30, 12)])
def test_dunn_and_conover_equal_scikit_posthocs(questions, models):
    rankings, clusters, names = make(simulated(questions, models))
    tests = rank_tests(rankings, clusters, names, resamples=100)
    ranks = np.array([list(item.ranks.values()) for item in rankings])
    dunn = scikit_posthocs.posthoc_dunn(list(ranks.T), p_adjust="holm").to_numpy()
    conover = scikit_posthocs.posthoc_conover_friedman(ranks, p_adjust="holm").to_numpy()
    assert np.array_equal(matrix(tests.dunn_holm, names), dunn)
    assert np.array_equal(matrix(tests.conover_holm, names), conover)


def test_omnibus_tests_equal_scipy():
    rankings, clusters, names = make(simulated(60, 4))
    tests = rank_tests(rankings, clusters, names, resamples=100)
    columns = np.array([list(item.ranks.values()) for item in rankings]).T
    friedman, kruskal = stats.friedmanchisquare(*columns), stats.kruskal(*columns)
    assert tests.friedman.statistic == pytest.approx(friedman.statistic, rel=1e-12)
    assert tests.friedman.p_value == pytest.approx(friedman.pvalue, rel=1e-12)
    assert tests.kruskal.p_value == kruskal.pvalue


def test_friedman_equals_the_published_example_of_r():
    # Hollander and Wolfe (1973), p. 140: ?friedman.test, "RoundingTimes".
    times = [
        [5.40, 5.50, 5.55], [5.85, 5.70, 5.75], [5.20, 5.60, 5.50], [5.55, 5.50, 5.40],
        [5.90, 5.85, 5.70], [5.45, 5.55, 5.60], [5.40, 5.40, 5.35], [5.45, 5.50, 5.35],
        [5.25, 5.15, 5.00], [5.85, 5.80, 5.70], [5.25, 5.20, 5.10], [5.65, 5.55, 5.45],
        [5.60, 5.35, 5.45], [5.05, 5.00, 4.95], [5.50, 5.50, 5.40], [5.45, 5.55, 5.50],
        [5.55, 5.55, 5.35], [5.45, 5.50, 5.55], [5.50, 5.45, 5.25], [5.65, 5.60, 5.40],
        [5.70, 5.65, 5.55], [6.30, 6.30, 6.25],
    ]  # fmt: skip
    tests = rank_tests(*make(times, 1), resamples=100)
    assert tests.friedman.statistic == pytest.approx(11.1429, abs=1e-4)
    assert tests.friedman.p_value == pytest.approx(0.003805, abs=1e-6)


def test_two_models_have_friedman_with_one_degree_of_freedom():
    rankings, clusters, names = make([[1, 2]] * 7 + [[2, 1]] * 3)
    tests = rank_tests(rankings, clusters, names, resamples=100)
    # The sign test's normal approximation, squared: (7 − 3)² / 10.
    assert tests.friedman.statistic == pytest.approx(1.6)
    assert tests.friedman.p_value == pytest.approx(stats.chi2.sf(1.6, 1))
    assert tests.notes == ("two models: Friedman's statistic has one degree of freedom",)


def test_permutation_flips_passages_and_not_questions():
    rankings, clusters, names = make([[1, 2, 3]] * 20, per_passage=5)
    tests = rank_tests(rankings, clusters, names, resamples=100)
    # Four passages agree: two-sided p = 2 / 2⁴, times the three pairs, is 0.375.
    assert tests.permutation_holm["model-0"]["model-2"] == pytest.approx(0.375)
    assert tests.permutation_holm["model-1"]["model-1"] == 1.0


def test_permutation_equals_enumeration():
    table = simulated(30, 3, levels=5)
    tests = rank_tests(*make(table), resamples=100)
    ranks = stats.rankdata(table, axis=1)
    sums = ranks.reshape(6, 5, 3).sum(axis=1)
    signs = np.array(list(product((-1, 1), repeat=6)))
    raw = []
    for a, b in combinations(range(3), 2):
        difference = sums[:, a] - sums[:, b]
        raw.append(np.mean(np.abs(signs @ difference) >= abs(difference.sum())))
    smallest = min(range(3), key=raw.__getitem__)
    a, b = list(combinations(range(3), 2))[smallest]
    found = tests.permutation_holm[f"model-{a}"][f"model-{b}"]
    assert found == pytest.approx(min(1.0, 3 * raw[smallest]))


def test_all_tied_is_nan_and_told():
    tests = rank_tests(*make([[1, 1, 1]] * 20), resamples=100)
    assert math.isnan(tests.friedman.p_value)
    assert tests.friedman.note == "all ranks are tied"
    assert tests.kruskal.note == "all ranks are tied"
    for table in (tests.dunn_holm, tests.conover_holm, tests.permutation_holm):
        assert math.isnan(table["model-0"]["model-1"])
        assert table["model-0"]["model-0"] == 1.0
    assert tests.mean_ranks == {"model-0": 2.0, "model-1": 2.0, "model-2": 2.0}
    assert tests.intervals["model-0"].low == tests.intervals["model-0"].high == 2.0
    assert tests.notes == ("every question ranks all models as tied: no test is defined",)


def test_rankings_that_are_all_alike_are_told():
    tests = rank_tests(*make([[1, 2, 2]] * 20), resamples=100)
    assert tests.conover_holm["model-0"] == {"model-0": 1.0, "model-1": 0.0, "model-2": 0.0}
    assert tests.conover_holm["model-1"]["model-2"] == 1.0
    (note,) = tests.notes
    assert note == (
        "every question has the same ranks: Conover–Friedman has no variance,"
        " its p is 0 between different ranks and 1 between equal ones"
    )


@pytest.mark.parametrize("models", [1, 2, 3])
def test_one_question_is_defined(models):
    tests = rank_tests(*make([list(range(models))]), resamples=100)
    assert tests.questions == 1
    assert tests.mean_ranks["model-0"] == 1.0
    assert math.isnan(tests.intervals["model-0"].low)
    if models > 1:
        assert tests.notes == ("one question only: no test can separate the models",)
        assert math.isnan(tests.conover_holm["model-0"]["model-1"])
        assert tests.permutation_holm["model-0"]["model-1"] == 1.0


def test_one_passage_is_told():
    tests = rank_tests(*make(simulated(5, 3)), resamples=100)
    assert tests.passages == 1
    assert math.isnan(tests.intervals["model-0"].high)
    assert tests.permutation_holm["model-0"]["model-1"] == 1.0
    assert tests.notes == (
        "one passage only: no interval, and the permutation test cannot separate the models",
    )


def test_one_model_is_told():
    tests = rank_tests(*make([[1]] * 10), resamples=100)
    assert tests.mean_ranks == {"model-0": 1.0}
    assert tests.dunn_holm == {"model-0": {"model-0": 1.0}}
    assert tests.friedman.note == "fewer than two models to compare"
    assert tests.notes == ("one model only: there is nothing to compare its ranks with",)


@pytest.mark.parametrize("rankings", [[], [Ranking("q", missing="the judge was silent")]])
def test_nothing_ranked_is_told(rankings):
    tests = rank_tests(rankings, {}, ["a", "b"], resamples=100)
    assert (tests.questions, tests.passages) == (0, 0)
    assert math.isnan(tests.mean_ranks["a"])
    assert math.isnan(tests.permutation_holm["a"]["b"])
    assert tests.notes == (
        "a has no ranks and is left out of the tests",
        "b has no ranks and is left out of the tests",
        "no question ranks the models: nothing to test",
    )


def test_no_models_at_all():
    tests = rank_tests([Ranking("q", {"a": 1.0})], {}, [], resamples=100)
    assert tests.models == ()
    assert tests.notes == ("no question ranks the models: nothing to test",)


def test_absent_model_and_incomplete_questions_are_left_out_and_told():
    rankings, clusters, names = make(simulated(20, 3))
    rankings[3] = Ranking(rankings[3].question_id, {"model-0": 1.0, "model-1": 2.0})
    rankings[4] = Ranking(rankings[4].question_id, missing="the judge was silent")
    tests = rank_tests(rankings, clusters, [*names, "other"], resamples=100)
    assert tests.models == ("model-0", "model-1", "model-2", "other")
    assert tests.questions == 18
    assert math.isnan(tests.mean_ranks["other"])
    assert math.isnan(tests.dunn_holm["other"]["model-0"])
    assert not math.isnan(tests.dunn_holm["model-0"]["model-1"])
    assert tests.notes == (
        "other has no ranks and is left out of the tests",
        "1 question without a ranking is left out",
        "1 question is left out of the tests: no rank for model-2",
    )


def test_joint_rankings_are_ranked_again_among_the_models():
    ranking = Ranking("q", {"now:a": 1.0, "before:a": 2.0, "now:b": 3.0})
    tests = rank_tests([ranking], {}, ["now:b", "now:a"], resamples=100)
    assert tests.mean_ranks == {"now:b": 2.0, "now:a": 1.0}


tables = st.integers(2, 5).flatmap(
    lambda models: st.lists(
        st.lists(st.integers(0, 3), min_size=models, max_size=models), min_size=1, max_size=24
    )
)


@settings(deadline=None, max_examples=40)
@given(tables, st.randoms(use_true_random=False))
def test_order_of_models_and_questions_does_not_matter(table, random):
    rankings, clusters, names = make(table, 3)
    shuffled, renamed = random.sample(rankings, len(rankings)), random.sample(names, len(names))
    one = rank_tests(rankings, clusters, names, resamples=50)
    two = rank_tests(shuffled, clusters, renamed, resamples=50)
    assert one.mean_ranks == two.mean_ranks
    assert str(one.intervals["model-0"]) == str(two.intervals["model-0"])
    for a, b in combinations(names, 2):
        assert str(one.permutation_holm[a][b]) == str(two.permutation_holm[a][b])
        np.testing.assert_allclose(one.dunn_holm[a][b], two.dunn_holm[a][b], rtol=1e-9)
        np.testing.assert_allclose(
            one.conover_holm[a][b], two.conover_holm[a][b], rtol=1e-6, atol=1e-12
        )


@settings(deadline=None, max_examples=40)
@given(tables)
def test_mean_ranks_sum_to_k_times_k_plus_one_half_and_p_is_a_probability(table):
    rankings, clusters, names = make(table, 3)
    tests = rank_tests(rankings, clusters, names, resamples=50)
    assert sum(tests.mean_ranks.values()) == pytest.approx(len(names) * (len(names) + 1) / 2)
    for name, mean in tests.mean_ranks.items():
        interval = tests.intervals[name]
        assert math.isnan(interval.low) or interval.low - 1e-9 <= mean <= interval.high + 1e-9
    for p_values in (tests.dunn_holm, tests.conover_holm, tests.permutation_holm):
        for a, b in combinations(names, 2):
            assert math.isnan(p_values[a][b]) or 0 <= p_values[a][b] <= 1
            assert str(p_values[a][b]) == str(p_values[b][a])
