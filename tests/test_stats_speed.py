"""Ratios of files timed in turns and of two runs: intervals, tests, and their directions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_raq.records import SpeedReference
from pytest_raq.stats.speed import (
    DRIFT,
    GATED,
    LOOKS,
    MEASURES,
    adjust_speeds,
    compare_turns,
    is_clear,
    medians,
    ratio_of_pairs,
    runs_evidence,
    turns_evidence,
)

DECODE, PREFILL = GATED
RATIOS = (0.97, 1.02, 0.99, 1.01, 1.03)


def test_an_interval_is_that_of_a_t_test_over_processes():
    found = turns_evidence(DECODE, RATIOS, limit=0.9)
    logs = np.log(RATIOS)
    level = 1 - 0.05 / len(LOOKS)
    low, high = stats.t.interval(level, 4, logs.mean(), stats.sem(logs))
    assert found.ratio == pytest.approx(math.exp(logs.mean()))
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (math.exp(low), math.exp(high))
    )
    test = stats.ttest_1samp(logs, math.log(0.9), alternative="less")
    assert found.p_value == pytest.approx(min(1, test.pvalue * len(LOOKS)))
    assert (found.processes, found.against) == (5, SpeedReference.ACCEPTED)


def test_a_slower_file_has_a_small_p_and_a_ratio_below_one():
    found = turns_evidence(DECODE, [0.8, 0.81, 0.79, 0.8, 0.8], limit=0.9)
    assert found.ratio == pytest.approx(0.8, abs=0.01)
    assert found.interval.high < 0.9
    assert found.p_value < 0.001


@pytest.mark.parametrize("measure", MEASURES)
def test_each_measure_has_its_direction(measure):
    slower = [(1.0, 2.0)] if measure.endswith("_per_second") else [(2.0, 1.0)]
    assert ratio_of_pairs(measure, slower) == pytest.approx(0.5)


def test_the_ratio_of_a_process_is_the_median_of_what_was_measured():
    pairs = [(1.0, 1.0), (2.0, 1.0), (100.0, 1.0), (math.nan, 1.0), (0.0, 1.0), (1.0, math.inf)]
    assert ratio_of_pairs(DECODE, pairs) == pytest.approx(2.0)
    assert ratio_of_pairs(DECODE, pairs[3:]) is None


@pytest.mark.parametrize("ratios", [(), (1.0,), (1.0, 1.1)])
def test_fewer_than_three_processes_have_no_interval(ratios):
    found = turns_evidence(DECODE, ratios, limit=0.9)
    assert math.isnan(found.interval.low)
    assert math.isnan(found.p_value)


def test_equal_ratios_are_certain():
    same = turns_evidence(DECODE, [1.0] * 5, limit=0.9)
    assert (same.interval.low, same.interval.high, same.p_value) == (1.0, 1.0, 1.0)
    assert turns_evidence(DECODE, [0.5] * 5, limit=0.9).p_value == 0.0


def test_two_runs_differ_by_drift_too():
    kind = SpeedReference.YARDSTICK
    found = runs_evidence(DECODE, [2.0, 2.0, 2.0], [2.0, 2.0, 2.0], against=kind, limit=0.9)
    z = stats.norm.ppf(1 - 0.025 / len(LOOKS))
    assert found.ratio == pytest.approx(1.0)
    assert found.interval.high == pytest.approx(math.exp(z * math.sqrt(2) * DRIFT[kind]), rel=1e-6)
    few = runs_evidence(DECODE, [2.0, 2.0], [2.0, 2.0, 2.0], against=kind, limit=0.9)
    assert math.isnan(few.p_value)


def test_times_of_a_server_are_turned_and_ratios_to_the_yardstick_are_not():
    measure = "time_to_first_token"
    now, before = [2.0, 2.1, 1.9], [1.0, 1.05, 0.95]
    server = runs_evidence(measure, now, before, against=SpeedReference.STORED, limit=0.9)
    assert server.ratio == pytest.approx(0.5, abs=0.01)
    ratios = runs_evidence(measure, now, before, against=SpeedReference.YARDSTICK, limit=0.9)
    assert ratios.ratio == pytest.approx(2.0, abs=0.02)


def test_holm_counts_gated_measures_of_all_models():
    ratios = dict.fromkeys(MEASURES, (0.88, 0.885, 0.89, 0.892, 0.9))
    one = compare_turns(ratios, {}, {}, limit=0.9)
    assert len(one) == len(MEASURES)
    found = adjust_speeds({"a": one, "b": one})
    by_measure = {item.measure: item for item in found["a"]}
    assert by_measure[DECODE].adjusted_p == pytest.approx(min(1, 4 * one[0].p_value))
    assert math.isnan(by_measure["words_per_second"].adjusted_p)


def test_more_processes_are_needed_only_where_nothing_is_clear():
    def clear(*ratios, tests=1):
        return is_clear([turns_evidence(DECODE, ratios, limit=0.9)], 0.9, tests=tests)

    assert clear(1.0, 1.01, 0.99)
    assert clear(0.7, 0.71, 0.69, 0.7)
    assert not clear(0.7, 1.0, 0.9)
    assert not clear(0.85, 0.86, 0.84, 0.87, tests=100)
    words = turns_evidence("words_per_second", [0.5, 1.5, 1.0], limit=0.9)
    assert is_clear([words], 0.9)  # it decides nothing


def test_a_limit_of_nothing_cannot_be_missed():
    assert turns_evidence(DECODE, [1e-6] * 5, limit=0.0).p_value == 1.0


def test_medians_leave_out_what_is_no_measure():
    assert medians({DECODE: (1.0, 3.0, 2.0), "machine_per_second": (9.0,)}) == {DECODE: 2.0}


def test_intervals_cover_the_true_ratio():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        found = turns_evidence(DECODE, np.exp(rng.normal(0.0, 0.03, 5)), limit=0.9)
        held += found.interval.low <= 1.0 <= found.interval.high
    assert held >= 285


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=8), st.randoms())
def test_the_order_of_processes_does_not_matter(ratios, random):
    mixed = random.sample(ratios, len(ratios))
    one, other = (turns_evidence(DECODE, items, limit=0.9) for items in (ratios, mixed))
    assert one.ratio == pytest.approx(other.ratio)
    assert one.interval.low == pytest.approx(other.interval.low)
