"""Changes of level: found where they are, and not where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_raq.stats.changepoints import (
    MIN_SEGMENT,
    _explained,
    _permutation_bound,
    _permutation_p,
    find_level_changes,
)


def noise(size, seed=0, spread=1.0):
    return np.random.default_rng(seed).normal(100, spread, size)


def places(values, **options):
    return [change.index for change in find_level_changes(values, **({"smallest": 0} | options))]


def test_a_step_is_found_at_its_place_with_the_medians_beside_it():
    values = noise(40)
    values[25:] *= 0.88
    (change,) = find_level_changes(values, smallest=0.03, relative=True)
    assert change.index == 25
    assert change.before == pytest.approx(100, abs=0.5)
    assert change.after == pytest.approx(88, abs=0.5)
    assert change.p_value < 0.05


def test_several_steps_are_found_in_order():
    values = np.concatenate([noise(20, 1), noise(15, 2) + 10, noise(20, 3) - 10])
    assert places(values) == [20, 35]


def test_a_step_without_noise_is_found_with_three_runs_behind_it():
    assert places([0.8] * 20 + [0.7] * 3) == [20]
    assert places([0.8] * 20 + [0.7] * 2) == []
    assert places([0.7] * 2 + [0.8] * 20) == []
    assert places([0.7] * 3 + [0.8] * 20) == [3]


def test_one_odd_run_is_no_change():
    values = [0.8] * 40
    values[17] = 0.1
    assert places(values) == []


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 5, [2.0] * 100, [1.0, 9.0, 1.0, 9.0, 1.0]])
def test_too_few_or_equal_runs_have_no_change(values):
    assert places(values) == []


def test_a_change_too_small_for_a_word_is_left_out():
    values = np.concatenate([noise(30, 4, 0.1), noise(30, 5, 0.1) - 2])
    assert places(values, smallest=0.01, relative=True) == [30]
    assert places(values, smallest=0.03, relative=True) == []
    assert places(values, smallest=1.5) == [30]
    assert places(values, smallest=2.5) == []


def test_the_same_series_gives_the_same_changes():
    values = noise(50, 6)
    values[30:] += 0.8
    first = find_level_changes(values, smallest=0, alpha=0.5)
    assert first == find_level_changes(values, smallest=0, alpha=0.5)


def test_unchanged_series_are_named_as_often_as_the_level_says():
    found = sum(bool(places(noise(25, seed), seed=seed)) for seed in range(400))
    assert found / 400 < 0.08  # nominal 0.05; its standard error here is 0.011


def test_a_stricter_level_names_fewer():
    found = sum(bool(places(noise(25, seed), alpha=0.002, seed=seed)) for seed in range(200))
    assert found <= 3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=6, max_size=40))
def test_the_unit_of_a_figure_changes_no_place(values):
    scaled = [value * 2.0 for value in values]  # exact in floating point
    assert places(values, alpha=0.2) == places(scaled, alpha=0.2)
    for change in find_level_changes(values, smallest=0, alpha=0.2):
        assert MIN_SEGMENT <= change.index <= len(values) - MIN_SEGMENT
        assert 0 < change.p_value <= 0.2


def test_the_statistic_is_the_sum_of_squares_between_the_sides():
    values = noise(12, 7)
    for place, found in enumerate(_explained(values[np.newaxis])[0]):
        left, right = values[: place + 3], values[place + 3 :]
        within = ((left - left.mean()) ** 2).sum() + ((right - right.mean()) ** 2).sum()
        assert found == pytest.approx(((values - values.mean()) ** 2).sum() - within)


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_is_never_below_the_p_value(seed):
    values = noise(30, seed)
    values[15:] += seed
    observed = float(_explained(values[np.newaxis]).max())
    exact = _permutation_p(values, 1.0, np.random.default_rng(0))
    assert _permutation_bound(values, observed) >= exact - 0.02
