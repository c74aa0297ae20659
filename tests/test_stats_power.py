from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.errors import UsageError
from pytest_raq.stats import power as power_module
from pytest_raq.stats.power import (
    DEFAULT_CORRELATION,
    Spread,
    detectable_effect,
    questions_needed,
    spread,
)
from pytest_raq.stats.resampling import sign_flip


def test_large_runs_are_planned_with_a_t_test():
    # Independent questions, all changed: se² = (1 − d²) / 4000, t with 3999 degrees.
    effect = detectable_effect(4000, 4000, Spread(1.0, 0.0))
    error = math.sqrt((1 - effect**2) / 4000)
    assert effect == pytest.approx((1.6452 + 0.8417) * error, abs=2e-4)


def test_simulated_and_approximate_power_agree_where_they_meet(monkeypatch):
    simulated = detectable_effect(700, 140, Spread(0.5))
    monkeypatch.setattr(power_module, "SIMULATED_PASSAGES", 0)
    assert detectable_effect(700, 140, Spread(0.5)) == pytest.approx(simulated, rel=0.08)


@pytest.mark.parametrize(("loss", "changed"), [(0.0, 0.4), (0.2, 0.4), (0.5, 0.3), (0.2, 0.0)])
def test_shares_of_a_loss_have_its_net_preference(loss, changed):
    worse, better = power_module._shares(loss, changed)
    assert worse - better == pytest.approx(loss, abs=1e-6)
    assert worse + better >= max(loss, changed) - 1e-6


@given(st.lists(st.lists(st.integers(-4, 4), min_size=7, max_size=7), min_size=1, max_size=5))
def test_many_sign_flip_tests_at_once_equal_one_by_one(sums):
    table = np.array(sums)
    one_by_one = [sign_flip(row, seed=0, resamples=1).lower for row in table]
    np.testing.assert_allclose(power_module.sign_flip_tails(table), one_by_one, atol=1e-12)


def test_more_questions_and_less_spread_find_smaller_losses():
    effects = [detectable_effect(n, n // 5, Spread(0.6)) for n in (60, 200, 600)]
    assert effects == sorted(effects, reverse=True)
    assert detectable_effect(60, 12, Spread(0.2)) < detectable_effect(60, 12, Spread(0.8))
    assert detectable_effect(60, 12, Spread(0.5, 0.0)) < detectable_effect(60, 12, Spread(0.5))
    assert detectable_effect(60, 12, Spread(0.5)) < detectable_effect(60, 12, Spread(0.5), models=3)


def test_min_effect_bounds_what_is_found():
    assert detectable_effect(100_000, 20_000, Spread(0.5), min_effect=0.05) > 0.05


@pytest.mark.parametrize(("questions", "passages"), [(20, 4), (5, 1), (0, 0), (3, 5)])
def test_too_few_passages_find_nothing(questions, passages):
    assert math.isnan(detectable_effect(questions, passages, Spread(0.5)))


def test_without_changes_a_loss_still_needs_questions():
    assert 0.1 < detectable_effect(60, 12, Spread(0.0)) < 0.3


@pytest.mark.parametrize("per_passage", [1, 2.5, 5])
def test_questions_needed_is_the_inverse(per_passage):
    needed = questions_needed(0.2, per_passage, Spread(0.5), models=3, min_effect=0.05)
    passages = round(needed / per_passage)
    options = {"models": 3, "min_effect": 0.05}
    assert detectable_effect(needed, passages, Spread(0.5), **options) <= 0.2 + 1e-3
    fewer = round(passages / 2 * per_passage)
    assert not detectable_effect(fewer, passages // 2, Spread(0.5), **options) <= 0.2


@pytest.mark.parametrize(
    ("effect", "per_passage", "message"),
    [
        (0.05, 5, "a loss of 0.05 is never found: give a loss above min_effect (0.05) and up to 1"),
        (1.5, 5, "a loss of 1.5 is never found: give a loss above min_effect (0.05) and up to 1"),
        (0.2, 0.5, "0.5 questions per passage: give 1 or more"),
        (0.050001, 1, "a loss of 0.050001 needs more than 1,000,000 questions: give a larger loss"),
    ],
)  # fmt: skip
def test_what_no_number_finds_is_told(effect, per_passage, message):
    with pytest.raises(UsageError) as caught:
        questions_needed(effect, per_passage, Spread(0.5), min_effect=0.05)
    assert str(caught.value) == message


def test_a_spread_is_made_of_shares():
    with pytest.raises(UsageError, match=r"^correlation is -0\.1: give a share from 0 to 1$"):
        Spread(0.5, -0.1)
    with pytest.raises(UsageError, match=r"^changed is nan: give a share from 0 to 1$"):
        Spread(math.nan)


def simulated(correlation, passages=4000, per_passage=5):
    rng = np.random.default_rng(0)
    same = rng.random((passages, 1)) < correlation
    values = np.where(
        same,
        rng.choice([-1, 0, 1], size=(passages, 1)),
        rng.choice([-1, 0, 1], size=(passages, per_passage)),
    )
    return (
        {f"q{i}": int(value) for i, value in enumerate(values.ravel())},
        {f"q{i}": f"p{i // per_passage}" for i in range(values.size)},
    )


@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
def test_spread_finds_the_correlation(correlation):
    found = spread(*simulated(correlation))
    assert found.changed == pytest.approx(2 / 3, abs=0.02)
    assert found.correlation == pytest.approx(correlation, abs=0.03)


@pytest.mark.parametrize("values", [[], [0] * 60, [1, -1, *[0] * 58], [-1] * 60])
def test_a_correlation_that_cannot_be_estimated_is_assumed(values):
    preferences = {f"q{i}": value for i, value in enumerate(values)}
    clusters = {name: name[:2] for name in preferences}
    assert spread(preferences, clusters).correlation == DEFAULT_CORRELATION


def test_questions_that_are_passages_of_their_own():
    preferences = {f"q{i}": (-1) ** i for i in range(40)}
    assert spread(preferences, {}) == Spread(1.0, DEFAULT_CORRELATION)
    alone = detectable_effect(40, 40, Spread(1.0, 0.0))
    assert detectable_effect(40, 40, Spread(1.0, 0.9)) == pytest.approx(alone, rel=0.05)
