from __future__ import annotations

import math
from dataclasses import replace

import pytest
from gate_inputs import LEVEL, NAN, SETTINGS, UNSURE, WORSE, given_input
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.config import GateSettings
from pytest_raq.gate import decide, is_failure
from pytest_raq.records import (
    Decision,
    F1Evidence,
    Interval,
    Verdict,
)


def f1(before, now, p=0.001):
    gap = now - before
    high = gap + 0.01 if p <= 0.05 else 0.01
    return F1Evidence(60, now, before, gap, Interval(gap - 0.02, high), p, p)


def test_a_regression_is_told_as_a_sentence():
    verdict = decide(given_input(quality=WORSE), SETTINGS)
    assert verdict.decision is Decision.REGRESSION
    (reason,) = verdict.reasons
    assert reason == (
        "answers worse than the accepted ones on 14 of 60 questions, better on 3;"
        " net preference −0.18, interval −0.30 to −0.07, p = 0.003"
    )
    assert verdict.quality is WORSE


def test_a_model_whose_answers_are_tied_passes():
    verdict = decide(given_input(f1=f1(0.9, 0.9, p=1.0)), SETTINGS)
    assert verdict.decision is Decision.PASS
    assert verdict.reasons == (
        "a loss of more than 0.10 is ruled out",
        (
            "60 of 60 answers tied with the accepted ones; net preference 0.00,"
            " interval −0.06 to 0.05, p = 1.000"
        ),
    )


def test_what_is_the_same_in_all_is_unchanged_on_however_few_questions():
    few = replace(LEVEL, questions=5, tied=5, interval=Interval(-0.6, 0.5))
    five = {"expected": 5, "answered": 5, "ranked": 5}
    verdict = decide(given_input(quality=few, is_unchanged=True, **five), SETTINGS)
    assert verdict.decision is Decision.UNCHANGED
    assert verdict.reasons == (
        "same file, engine, prompt and options as accepted, and the same 5 answers",
    )
    assert not is_failure(verdict, GateSettings(inconclusive="fail"))
    verdict = decide(given_input(quality=few, **five), SETTINGS)
    assert verdict.decision is Decision.INCONCLUSIVE
    assert verdict.reasons[0] == "a loss up to 0.60 is possible"


def test_undecided_tells_what_would_help():
    verdict = decide(given_input(quality=UNSURE), SETTINGS)
    assert verdict.decision is Decision.INCONCLUSIVE
    assert verdict.reasons[0] == "a loss up to 0.20 is possible"
    assert verdict.reasons[2:] == (
        "a loss of 0.1 (margin) cannot be ruled out",
        "a run like this finds a loss of 0.21 in 80 % of cases; more questions find smaller losses",
    )


def test_tiny_p_and_holm_are_told():
    tiny = replace(WORSE, adjusted_p=0.0002)
    verdict = decide(given_input(quality=replace(tiny, tests=3)), SETTINGS)
    assert verdict.reasons[0].endswith("p < 0.001 (Holm, 3 tests)")


def test_better_answers():
    better = replace(WORSE, worse=0, better=1, net_preference=1 / 60, interval=Interval(0, 0.05))
    verdict = decide(given_input(quality=replace(better, adjusted_p=1.0)), SETTINGS)
    assert verdict.decision is Decision.PASS
    assert verdict.reasons[1].startswith(
        "answers better than the accepted ones on 1 of 60 questions, worse on none; "
    )


def test_a_significant_loss_within_min_effect_is_no_regression():
    small = replace(WORSE, net_preference=-0.04, interval=Interval(-0.07, -0.01))
    assert decide(given_input(quality=small), SETTINGS).decision is Decision.PASS
    wide = replace(small, interval=Interval(-0.12, -0.01))
    verdict = decide(given_input(quality=wide), SETTINGS)
    assert verdict.decision is Decision.INCONCLUSIVE
    assert verdict.reasons[2] == (
        "the loss is significant but below min_effect (0.05),"
        " and a loss of 0.1 (margin) cannot be ruled out"
    )


@pytest.mark.parametrize(
    ("net", "p_value", "decision"),
    [
        (-0.05, 0.05, Decision.REGRESSION),
        (-0.0499, 0.05, Decision.INCONCLUSIVE),
        (-0.05, 0.0501, Decision.INCONCLUSIVE),
        (-3 / 60, 0.01, Decision.REGRESSION),
    ],
)
def test_limits_belong_to_the_regression(net, p_value, decision):
    quality = replace(WORSE, net_preference=net, adjusted_p=p_value, interval=Interval(-0.2, -0.01))
    assert decide(given_input(quality=quality), SETTINGS).decision is decision


def test_a_pass_needs_the_interval_above_the_margin():
    at_margin = replace(UNSURE, interval=Interval(-0.1, 0.1))
    assert decide(given_input(quality=at_margin), SETTINGS).decision is Decision.INCONCLUSIVE
    above = replace(UNSURE, interval=Interval(-0.099, 0.1))
    assert decide(given_input(quality=above), SETTINGS).decision is Decision.PASS


@pytest.mark.parametrize(
    "change",
    [
        {"net_preference": NAN},
        {"adjusted_p": NAN},
        {"interval": Interval(NAN, NAN)},
    ],
)
def test_nan_is_inconclusive(change):
    quality = replace(UNSURE, interval=Interval(-0.05, 0.05)) if "interval" not in change else WORSE
    quality = replace(quality, **{"adjusted_p": 0.5} | change)
    verdict = decide(given_input(quality=quality), SETTINGS)
    assert verdict.decision is Decision.INCONCLUSIVE
    assert "undefined" in verdict.reasons[1]


def test_one_passage_is_told():
    quality = replace(UNSURE, passages=1, interval=Interval(NAN, NAN), detectable=NAN)
    assert decide(given_input(quality=quality), SETTINGS).reasons[2] == (
        "1 passage cannot show whether a change is chance: ask questions about more passages"
    )


TOLERATED = "max_missing tolerates 2 %"
UNCOMPARED = "no question has an accepted answer to compare with"


def test_too_few_passages_are_told():
    quality = replace(UNSURE, passages=4, detectable=NAN)
    assert decide(given_input(quality=quality), SETTINGS).reasons[3] == (
        "with 4 passages no loss can be significant: ask questions about more passages"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answered": 0, "ranked": 0}, "none of 60 questions has an answer"),
        ({"ranked": 0}, "none of 60 questions has a ranking"),
        ({"answered": 58, "ranked": 58}, f"2 of 60 questions have no answer; {TOLERATED}"),
        ({"ranked": 58}, f"2 of 60 questions have no answer or no ranking; {TOLERATED}"),
        ({"quality": None}, UNCOMPARED),
        ({"quality": replace(LEVEL, questions=0)}, UNCOMPARED),
        (
            {"quality": replace(LEVEL, questions=50)},
            f"10 of 60 questions have no ranking with an accepted answer; {TOLERATED}",
        ),
        ({"expected": 0, "answered": 0, "ranked": 0}, "there are no questions"),
        ({"expected": 1, "answered": 0, "ranked": 0}, "none of 1 question has an answer"),
    ],
)
def test_what_was_not_measured(changes, reason):
    verdict = decide(given_input(**changes), SETTINGS)
    assert verdict.decision is Decision.NOT_MEASURED
    assert verdict.reasons[0] == reason
    assert is_failure(verdict, SETTINGS)


def test_a_tolerated_share_may_be_missing():
    changes = {"answered": 59, "ranked": 59, "quality": replace(LEVEL, questions=59)}
    assert decide(given_input(**changes), SETTINGS).decision is Decision.PASS


def test_no_baseline_gives_its_reason_and_what_is_missing_beside():
    problem = "it was accepted for other questions"
    verdict = decide(given_input(quality=None, baseline_problem=problem), SETTINGS)
    assert (verdict.decision, verdict.reasons) == (Decision.NO_BASELINE, (problem,))
    verdict = decide(given_input(answered=30, ranked=30, baseline_problem=problem), SETTINGS)
    assert verdict.decision is Decision.NO_BASELINE
    assert verdict.reasons == (
        problem, "30 of 60 questions have no answer; max_missing tolerates 2 %",
    )  # fmt: skip
    verdict = decide(given_input(answered=0, ranked=0, baseline_problem=problem), SETTINGS)
    assert verdict.decision is Decision.NOT_MEASURED
    assert verdict.reasons == ("none of 60 questions has an answer", problem)


def test_a_loss_of_f1_beyond_its_margin_is_suspect():
    verdict = decide(given_input(f1=f1(0.9, 0.85)), SETTINGS)
    assert verdict.decision is Decision.SUSPECT
    assert verdict.reasons[0] == (
        "F1 lost more than max_f1_drop (0.02): it fell from 0.900 to 0.850,"
        " interval −0.070 to −0.040"
    )
    assert verdict.reasons[2] == (
        "F1 0.900 → 0.850, difference −0.050, interval −0.070 to −0.040, p = 0.001"
    )
    verdict = decide(given_input(quality=WORSE, f1=f1(0.9, 0.85)), SETTINGS)
    assert verdict.decision is Decision.REGRESSION
    assert verdict.reasons[1].startswith("F1 0.900 → 0.850")


def test_a_loss_of_f1_that_may_be_within_its_margin_holds_a_pass_back():
    wide = replace(f1(0.9, 0.87), interval=Interval(-0.05, -0.01))
    verdict = decide(given_input(f1=wide), SETTINGS)
    assert verdict.decision is Decision.INCONCLUSIVE
    assert verdict.reasons[0] == (
        "F1 fell from 0.900 to 0.870, p = 0.001: a loss of more than max_f1_drop (0.02) is likely"
    )


@pytest.mark.parametrize(
    ("before", "now", "p"), [(0.9, 0.88, 0.001), (0.9, 0.95, 1), (0.9, 0.8, 0.06)]
)
def test_f1_that_lost_little_or_by_chance_makes_nobody_suspect(before, now, p):
    verdict = decide(given_input(f1=f1(before, now, p)), SETTINGS)
    assert verdict.decision is Decision.PASS
    assert verdict.reasons[2].startswith(f"F1 0.900 → {now:.3f}")


SPARSE = replace(
    WORSE, questions=120, worse=40, better=0, tied=80, net_preference=-1 / 3,
    interval=Interval(-0.67, 0.02), adjusted_p=1 / 16, moved_passages=4, sparse_p=0.0006,
)  # fmt: skip


@pytest.mark.parametrize("setting", ["pass", "fail"])
def test_a_loss_that_no_p_could_prove_is_suspect(setting):
    size = {"expected": 120, "answered": 120, "ranked": 120}
    verdict = decide(given_input(quality=SPARSE, **size), SETTINGS)
    assert verdict.decision is Decision.SUSPECT
    assert verdict.reasons[0] == (
        "a loss is likely: 40 answers worse and 0 better, all in 4 passages; from so few passages"
        " no p below 0.0625 is possible, but answers that change for no reason get better as often"
        " as worse"
    )
    assert is_failure(verdict, GateSettings(suspect=setting)) is (setting == "fail")


@pytest.mark.parametrize(
    "changes",
    [
        {"sparse_p": 0.06},  # the few changes may be chance
        {"moved_passages": 5},  # a p could have been small enough: it was not
        {"net_preference": -0.04},  # too small to matter
        {"tests": 100},  # one of many tests
    ],
)
def test_what_is_not_suspect(changes):
    quality = replace(SPARSE, **changes)
    size = {"expected": 120, "answered": 120, "ranked": 120}
    verdict = decide(given_input(quality=quality, **size), SETTINGS)
    assert verdict.decision is Decision.INCONCLUSIVE


def test_an_interval_below_zero_is_suspect():
    below = replace(UNSURE, interval=Interval(-0.2, -0.004), moved_passages=9, sparse_p=0.04)
    verdict = decide(given_input(quality=below), SETTINGS)
    assert verdict.decision is Decision.SUSPECT
    assert verdict.reasons[0] == (
        "a loss is likely, though not significant: the whole interval −0.20 to −0.004 is below 0"
    )


def test_the_anchor_counts_where_it_is_worse():
    verdict = decide(given_input(anchor=WORSE), SETTINGS)
    assert verdict.decision is Decision.REGRESSION
    assert verdict.reasons[0].startswith("since the anchor: answers worse than the accepted ones")
    assert verdict.reasons[1] == "a loss of more than 0.10 is ruled out"
    assert verdict.since_anchor is WORSE
    verdict = decide(given_input(anchor=UNSURE), SETTINGS)
    assert verdict.decision is Decision.INCONCLUSIVE
    assert verdict.reasons[0] == "since the anchor: a loss up to 0.20 is possible"
    verdict = decide(given_input(quality=WORSE, anchor=LEVEL), SETTINGS)
    assert verdict.decision is Decision.REGRESSION
    assert not verdict.reasons[0].startswith("since the anchor")


def test_what_was_accepted_knowingly_is_not_inconclusive_for_the_anchors_sake():
    verdict = decide(given_input(is_unchanged=True, anchor=UNSURE), SETTINGS)
    assert verdict.decision is Decision.UNCHANGED
    assert "since the anchor: a loss up to 0.20 is possible" in verdict.reasons
    verdict = decide(given_input(is_unchanged=True, anchor=WORSE), SETTINGS)
    assert verdict.decision is Decision.REGRESSION


def test_an_anchor_that_does_not_fit_is_no_baseline():
    verdict = decide(given_input(anchor_problem="the anchor does not fit"), SETTINGS)
    assert (verdict.decision, verdict.reasons[0]) == (
        Decision.NO_BASELINE, "the anchor does not fit",
    )  # fmt: skip


def test_answers_that_failed_are_named():
    failed = replace(WORSE, failed=2)
    assert (
        decide(given_input(quality=failed), SETTINGS)
        .reasons[0]
        .startswith(
            "answers worse than the accepted ones on 14 of 60 questions, better on 3"
            " (2 without an answer today); "
        )
    )


def test_the_correction_for_the_judge_is_shown():
    corrected = replace(WORSE, raw_net_preference=-0.11, judge_accuracy=0.8)
    assert (
        "; net preference −0.18 (−0.11 before correction for a judge that is right on at least"
        " 80 % of pairs), interval" in decide(given_input(quality=corrected), SETTINGS).reasons[0]
    )


@pytest.mark.parametrize("decision", list(Decision))
@pytest.mark.parametrize("setting", ["pass", "fail"])
def test_what_fails_the_build(decision, setting):
    expected = decision not in {Decision.PASS, Decision.UNCHANGED}
    if decision in {Decision.INCONCLUSIVE, Decision.SUSPECT}:
        expected = setting == "fail"
    verdict = Verdict("m", decision, ())
    settings = GateSettings(inconclusive=setting, suspect=setting)
    assert is_failure(verdict, settings) is expected


anything = st.one_of(st.just(NAN), st.floats(-1, 1))


@given(anything, anything, anything, st.floats(0, 1) | st.just(NAN), st.integers(0, 60))
def test_nothing_undefined_or_lost_passes(net, low, high, p_value, ranked):
    quality = replace(
        UNSURE, net_preference=net, interval=Interval(low, high), adjusted_p=p_value,
        questions=ranked,
    )  # fmt: skip
    verdict = decide(given_input(ranked=ranked, quality=quality), SETTINGS)
    assert verdict.reasons
    if verdict.decision is Decision.PASS:
        assert low > -SETTINGS.margin
        assert ranked >= 59
        assert not math.isnan(p_value)
        assert not math.isnan(net)
