"""Settings of the gate reach what they are for, with other values than the default ones."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest
from accepted import make_baseline
from scipy import stats

from pytest_raq.config import GateSettings
from pytest_raq.gate.comparison import plan_of
from pytest_raq.gate.evidence import Material, gather_evidence
from pytest_raq.judging import ReferenceJudge, rank_contestants
from pytest_raq.records import Answer, FinishReason, Question, Timing
from pytest_raq.records.rankings import ACCEPTED, CANDIDATE
from pytest_raq.stats.exact import exact_bounds, share_bound
from pytest_raq.stats.f1_difference import f1_evidence
from pytest_raq.stats.quality import QualityPlan, quality_evidence
from pytest_raq.stats.resampling import expanded_tail, passage_bounds

OTHER = GateSettings(alpha=0.2, margin=0.3, pass_level=0.1, min_effect=0.15)


def test_the_plan_has_the_settings_of_the_suite():
    plan = plan_of(OTHER, seed=5, accuracy=0.9)
    assert (plan.alpha, plan.margin, plan.pass_level, plan.min_effect) == (0.2, 0.3, 0.1, 0.15)
    assert (plan.seed, plan.accuracy) == (5, 0.9)


QUESTIONS = [
    Question(f"q{n}", "", f"passage {n // 2}", f"What is {n}?", (f"right {n}",)) for n in range(20)
]


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Return a run in which one model lost six of twenty questions, in three of ten passages."""
    baseline = make_baseline(tmp_path_factory.mktemp("made"), {"first": 0})
    said = {
        item.id: Answer(
            item.id,
            "first",
            "wrong" if n < 6 else f"right {n}",
            FinishReason.STOP,
            Timing(),
        )
        for n, item in enumerate(QUESTIONS)
    }
    texts = [
        (item, {CANDIDATE + "first": said[item.id].text, ACCEPTED + "first": f"right {n}"})
        for n, item in enumerate(QUESTIONS)
    ]
    rankings = {
        ranking.question_id: ranking for ranking in rank_contestants(ReferenceJudge(), texts)
    }
    return Material(
        questions=QUESTIONS,
        outcomes={"first": said},
        rankings=rankings,
        problems={"first": ""},
        baseline=baseline,
        speeds={},
        seed=0,
    )


def test_the_settings_reach_the_evidence(material):
    usual = gather_evidence(material, GateSettings()).inputs["first"].quality
    loose = gather_evidence(material, GateSettings(pass_level=0.1)).inputs["first"].quality
    assert loose.interval.low > usual.interval.low
    assert loose.interval.high == usual.interval.high
    wide = gather_evidence(material, GateSettings(alpha=0.4)).inputs["first"].quality
    assert (wide.interval.low, wide.interval.high < usual.interval.high) == (
        usual.interval.low,
        True,
    )
    assert wide.detectable < usual.detectable
    tolerant = gather_evidence(material, GateSettings(margin=0.4)).inputs["first"].quality
    assert tolerant.pass_chance > usual.pass_chance


def test_each_part_of_the_material_reaches_the_verdict(material):
    given = {
        "judge_problems": (("it guesses",), "judge_problems"),
        "anchor_problems": ({"first": "it does not fit"}, "anchor_problem"),
        "speed_unchanged": (frozenset({"first"}), "is_speed_unchanged"),
        "laxer": (("margin 0.1 → 0.5",), "laxer"),
    }
    usual = gather_evidence(material, GateSettings()).inputs["first"]
    for name, (value, field) in given.items():
        changed = gather_evidence(replace(material, **{name: value}), GateSettings())
        found = changed.inputs["first"]
        differing = {
            item.name
            for item in fields(found)
            if getattr(found, item.name) != getattr(usual, item.name)
        }
        assert differing == {field}
    judged = gather_evidence(replace(material, judge_accuracy=0.9), GateSettings()).inputs["first"]
    assert judged.quality.judge_accuracy == 0.9
    assert judged.quality.net_preference == pytest.approx(usual.quality.net_preference / 0.8)
    refused = replace(material, problems={"first": "no baseline"})
    assert gather_evidence(refused, GateSettings()).inputs["first"].quality is None


@pytest.mark.parametrize("tail", [0.025, 0.1])
@pytest.mark.parametrize("count", [0, 1, 7, 20])
def test_the_exact_bound_is_that_of_clopper_and_pearson(count, tail):
    oracle = stats.binomtest(count, 20).proportion_ci(1 - 2 * tail, method="exact").high
    assert share_bound(count, 20, tail) == pytest.approx(oracle)
    signs = np.array([-1.0] * count + [0.0] * (20 - count))
    low, high = exact_bounds(signs, np.arange(20), tails=(tail, tail))
    assert low == pytest.approx(-oracle)  # one question in each passage: nothing is correlated
    none = stats.binomtest(0, 20).proportion_ci(1 - 2 * tail, method="exact").high
    assert high == pytest.approx(none - count / 20)


@pytest.mark.parametrize("tail", [0.025, 0.1])
def test_the_bootstrap_over_passages_is_that_of_all_resamples(tail):
    sums, sizes = np.array([[-2.0], [0.0], [1.0], [-1.0]]), np.array([[4.0], [2.0], [3.0], [3.0]])
    means = [
        sums[list(rows)].sum() / sizes[list(rows)].sum()
        for rows in itertools.product(range(4), repeat=4)
    ]
    percentile = stats.norm.cdf(-np.sqrt(4 / 3) * stats.t.ppf(1 - tail, 3))
    assert expanded_tail(4, tail) == pytest.approx(percentile)
    (found,) = passage_bounds(sums, sizes, tails=(tail, tail), seed=1, resamples=20_000)
    low, high = np.quantile(means, (percentile, 1 - percentile))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.04)
    assert -2 / 4 <= found.low < -1 / 6 < found.high <= 1 / 3


def test_each_interval_becomes_shorter_at_a_laxer_level():
    clusters = {f"q{n}": f"p{n // 2}" for n in range(20)}
    signs = {f"q{n}": -1 if n % 5 == 0 else 0 for n in range(20)}
    f1 = {f"q{n}": (0.5 if n % 5 == 0 else 1.0, 1.0) for n in range(20)}
    plans = [QualityPlan(pass_level=level) for level in (0.025, 0.1)]
    for made in (
        [quality_evidence({"m": signs}, clusters, plan)["m"].interval for plan in plans],
        [f1_evidence({"m": f1}, clusters, plan)["m"].interval for plan in plans],
    ):
        assert made[0].low < made[1].low
        assert made[0].high >= made[1].high
