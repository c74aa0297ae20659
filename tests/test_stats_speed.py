from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_raq.stats.speed import speed_evidence

TOKENS = "decode_tokens_per_second"


def test_ratio_of_medians_is_below_one_where_today_is_slower():
    found = speed_evidence(TOKENS, [50, 40, 60], [100, 90, 500], higher_is_better=True)
    assert (found.now, found.before, found.ratio) == (50, 100, 0.5)
    assert found.measure == TOKENS


def test_times_are_turned():
    found = speed_evidence("time_to_first_token", [2.0] * 5, [1.0] * 5, higher_is_better=False)
    assert found.ratio == found.interval.low == found.interval.high == 0.5


@pytest.mark.parametrize("now", [[], [10.0], [10.0, 11.0], [10.0, 11.0, math.nan, 0.0]])
def test_fewer_than_three_rounds_have_no_interval(now):
    found = speed_evidence(TOKENS, now, [10.0] * 5, higher_is_better=True)
    assert math.isnan(found.interval.low)
    assert math.isnan(found.ratio) == (not now)


def test_the_interval_covers_the_ratio_of_equal_machines():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        now, before = rng.lognormal(sigma=0.1, size=(2, 10))
        found = speed_evidence(TOKENS, now, before, higher_is_better=True, resamples=500)
        covered += found.interval.low <= 1 <= found.interval.high
    assert covered >= 180


rounds = st.lists(st.floats(1, 1000), min_size=3, max_size=9)


@settings(deadline=None, max_examples=40)
@given(rounds, rounds, st.randoms(use_true_random=False))
def test_the_order_of_rounds_and_the_unit_do_not_matter(now, before, random):
    one = speed_evidence(TOKENS, now, before, higher_is_better=True, resamples=100)
    mixed = random.sample(now, len(now))
    again = speed_evidence(TOKENS, mixed, before, higher_is_better=True, resamples=100)
    assert one == again
    assert one.interval.low <= one.ratio <= one.interval.high
    scaled = speed_evidence(
        TOKENS, [8 * v for v in now], [8 * v for v in before], higher_is_better=True, resamples=100
    )
    assert scaled.ratio == pytest.approx(one.ratio)
