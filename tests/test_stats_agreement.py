"""Agreement of rankings against published examples, other libraries, and laws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_raq.stats.agreement import (
    PairCounts,
    count_pairs,
    kendall_w,
    krippendorff_alpha,
    length_preference,
    proportion,
    spearman_within,
    trend,
)

NAN = math.nan
RANKS = st.lists(st.integers(1, 4), min_size=2, max_size=7)
TABLES = st.integers(2, 6).flatmap(
    lambda items: st.lists(
        st.lists(st.integers(1, 4), min_size=items, max_size=items), min_size=2, max_size=5
    )
)


def mid_ranks(table):
    return stats.rankdata(np.array(table, dtype=float), axis=1)


def test_kendall_w_of_siegel():
    # Siegel, "Nonparametric Statistics" (1956), table 9.9: six applicants, three interviewers.
    ranks = np.array([[1, 6, 3, 2, 5, 4], [1, 5, 6, 4, 2, 3], [6, 3, 2, 5, 4, 1]], dtype=float)
    assert kendall_w(ranks) == pytest.approx(0.162, abs=5e-4)


def test_kendall_w_of_siegel_with_ties():
    # The same, table 9.10: W = .828 with the correction for ties.
    ranks = np.array(
        [
            [1, 4.5, 2, 4.5, 3, 7.5, 6, 9, 7.5, 10],
            [2.5, 1, 2.5, 4.5, 4.5, 8, 9, 6.5, 10, 6.5],
            [2, 1, 4.5, 4.5, 4.5, 4.5, 8, 8, 8, 10],
        ]
    )
    assert kendall_w(ranks) == pytest.approx(0.828, abs=5e-4)


def test_kendall_w_of_the_anxiety_ratings():
    # R package irr, kendall(anxiety, TRUE): Wt = 0.54, chi-squared(19) = 30.8.
    rows = "332 361 344 464 523 542 221 346 531 231 221 632 133 533 221 221 113 233 432 342"
    ratings = np.array([[int(digit) for digit in row] for row in rows.split()]).T
    w = kendall_w(mid_ranks(ratings))
    assert w == pytest.approx(0.54, abs=5e-3)
    assert 3 * 19 * w == pytest.approx(30.8, abs=0.05)


@given(TABLES)
def test_kendall_w_is_friedmans_statistic_scaled(table):
    ranks = mid_ranks(table)
    judges, items = ranks.shape
    w = kendall_w(ranks)
    if items > 2 and not math.isnan(w):
        statistic = stats.friedmanchisquare(*ranks.T).statistic if judges > 2 else None
        if statistic is not None:
            assert w == pytest.approx(statistic / (judges * (items - 1)))
    assert math.isnan(w) or -1e-12 <= w <= 1 + 1e-12


@given(RANKS, st.integers(2, 4))
def test_judges_who_say_the_same_agree_fully(ranks, judges):
    w = kendall_w(mid_ranks([ranks] * judges))
    assert math.isnan(w) if len(set(ranks)) == 1 else w == pytest.approx(1.0)


def test_kendall_w_is_undefined_where_there_is_nothing_to_compare():
    assert math.isnan(kendall_w(np.array([[1.0, 2.0]])))
    assert math.isnan(kendall_w(np.array([[1.0], [1.0]])))
    assert math.isnan(kendall_w(np.array([[1.5, 1.5], [1.5, 1.5]])))


def test_kendall_w_by_chance_is_one_over_the_judges():
    rng = np.random.default_rng(1)
    drawn = [kendall_w(np.array([rng.permutation(4) + 1.0 for _ in range(3)])) for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(1 / 3, abs=0.01)


def test_krippendorffs_alpha_of_krippendorff():
    # Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), example C: 0.815.
    ratings = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
            [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
        ]
    )
    assert krippendorff_alpha(ratings) == pytest.approx(0.815, abs=5e-4)


def test_krippendorffs_alpha_is_undefined_without_pairs_or_differences():
    assert math.isnan(krippendorff_alpha(np.array([[1.0, 2.0], [NAN, NAN]])))
    assert math.isnan(krippendorff_alpha(np.array([[1.5, 1.5], [1.5, 1.5]])))
    assert krippendorff_alpha(np.array([[1.0, 2.0], [1.0, 2.0]])) == 1.0


@given(RANKS.flatmap(lambda a: st.tuples(st.just(a), st.permutations(a))))
def test_tau_b_of_one_case_is_scipys(pair):
    first, second = pair
    tau = count_pairs(first, second).tau_b
    if len(set(first)) == 1:
        assert math.isnan(tau)
    else:
        assert tau == pytest.approx(stats.kendalltau(first, second).statistic)


def test_pairs_of_several_cases_add_up():
    total = count_pairs([1, 2, 3], [1, 2, 2]) + count_pairs([1, 1], [2, 1]) + count_pairs([2], [1])
    assert total == PairCounts(concordant=2, level_first=1, level_second=1)
    assert (total.total, total.same) == (4, 2)
    assert total.tau_b == pytest.approx(2 / math.sqrt(3 * 3))
    assert math.isnan(PairCounts().tau_b)


@given(RANKS.flatmap(lambda a: st.tuples(st.just(a), st.permutations(a))))
def test_the_variance_of_a_trend_is_that_of_all_pairings(pair):
    ranks, values = pair
    if len(ranks) > 5 or len(set(ranks)) == 1:
        return
    counts = [count_pairs([-r for r in ranks], v) for v in itertools.permutations(values)]
    variance = np.var([c.concordant - c.discordant for c in counts])
    found = trend([(ranks, values)])
    own = count_pairs([-rank for rank in ranks], values)
    z = max(0, abs(own.concordant - own.discordant) - 1) / math.sqrt(variance)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(z))
    assert found.tau == pytest.approx(own.tau_b)


def test_a_trend_over_cases_is_positive_where_good_ranks_go_with_large_values():
    found = trend([([1, 2, 3], [9.0, 5.0, 1.0])] * 10)
    assert (found.tau, found.pairs) == (1.0, 30)
    assert found.p_value < 1e-5
    assert trend([([1, 2, 3], [1.0, 2.0, 3.0])]).tau == -1.0


def test_a_trend_holds_its_level():
    rng = np.random.default_rng(5)

    def drawn():
        return trend(
            (rng.permutation(4).tolist(), rng.permutation(4).tolist()) for _ in range(12)
        ).p_value

    assert np.mean([drawn() <= 0.05 for _ in range(2000)]) == pytest.approx(0.05, abs=0.02)


def test_a_trend_is_undefined_where_nothing_differs():
    for cases in ([], [([1.5, 1.5], [1.0, 2.0])], [([1, 2], [3.0, 3.0])]):
        found = trend(cases)
        assert math.isnan(found.tau)
        assert math.isnan(found.p_value)


def test_spearman_of_one_case_is_scipys_turned_around():
    ranks, values = [1, 2, 3.5, 3.5, 5], [7.0, 8.0, 1.0, 2.0, 2.0]
    assert spearman_within([(ranks, values)]) == pytest.approx(
        -stats.spearmanr(ranks, values).statistic
    )
    assert math.isnan(spearman_within([]))
    assert math.isnan(spearman_within([([1.5, 1.5], [1.0, 2.0])]))


def test_wilsons_interval_of_a_published_example():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20.
    for count, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605),
                                    (0, 20, 0.0, 0.1611)):  # fmt: skip
        interval = proportion(count, total).interval
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_nothing_is_undefined():
    found = proportion(0, 0)
    assert math.isnan(found.share)
    assert math.isnan(found.interval.low)


def test_a_preference_for_length_is_a_sign_test():
    found = length_preference([1, 1, 1, 1, 1, 1, 0, 0, -1])
    assert (found.longer, found.shorter, found.level) == (6, 1, 2)
    assert found.p_value == pytest.approx(16 / 128)
    assert math.isnan(length_preference([0, 0]).p_value)
