from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.config import GateSettings
from pytest_raq.gate import GateInput, decide, decide_speed, is_failure
from pytest_raq.records import Decision, Interval, QualityEvidence, SpeedEvidence, Verdict

NAN = math.nan
SETTINGS = GateSettings()
WORSE = QualityEvidence(
    questions=60, passages=12, worse=14, better=3, tied=43, net_preference=-11 / 60,
    interval=Interval(-0.30, -0.07), p_value=0.003, adjusted_p=0.003, exact=True, detectable=0.21,
)  # fmt: skip
LEVEL = replace(
    WORSE, worse=0, better=0, tied=60, net_preference=0.0, interval=Interval(0.0, 0.0),
    p_value=1.0, adjusted_p=1.0,
)  # fmt: skip
UNSURE = replace(
    WORSE, worse=8, better=4, tied=48, net_preference=-4 / 60, interval=Interval(-0.2, 0.05),
    p_value=0.2, adjusted_p=0.2,
)  # fmt: skip


def given_input(**changes):
    return replace(GateInput("m", 60, 60, 60, quality=LEVEL), **changes)


def speed(low, high, measure="decode_tokens_per_second"):
    return SpeedEvidence(measure, 80.0, 100.0, (low + high) / 2, Interval(low, high))


def test_a_regression_is_told_as_a_sentence():
    verdict = decide(given_input(quality=WORSE), SETTINGS)
    assert verdict.decision is Decision.REGRESSION
    (reason,) = verdict.reasons
    assert reason == (
        "answers worse than the accepted ones on 14 of 60 questions, better on 3;"
        " net preference −0.18, interval −0.30 to −0.07, p = 0.003"
    )
    assert verdict.quality is WORSE


def test_an_unchanged_model_passes():
    verdict = decide(given_input(f1_now=0.9, f1_before=0.9), SETTINGS)
    assert verdict.decision is Decision.PASS
    (reason,) = verdict.reasons
    assert reason == (
        "60 of 60 answers tied with the accepted ones;"
        " net preference 0.00, interval 0.00 to 0.00, p = 1.000"
    )


def test_undecided_tells_what_would_help():
    verdict = decide(given_input(quality=UNSURE), SETTINGS)
    assert verdict.decision is Decision.INCONCLUSIVE
    assert verdict.reasons[1:] == (
        "a loss of 0.1 (margin) cannot be ruled out",
        "a run like this finds a loss of 0.21 in 80 % of cases; more questions find smaller losses",
    )


def test_tiny_p_and_holm_are_told():
    tiny = replace(WORSE, adjusted_p=0.0002)
    verdict = decide(given_input(quality=tiny, models=3), SETTINGS)
    assert verdict.reasons[0].endswith("p < 0.001 (Holm, 3 models)")


def test_better_answers():
    better = replace(WORSE, worse=0, better=1, net_preference=1 / 60, interval=Interval(0, 0.05))
    verdict = decide(given_input(quality=replace(better, adjusted_p=1.0)), SETTINGS)
    assert verdict.decision is Decision.PASS
    assert verdict.reasons[0].startswith(
        "answers better than the accepted ones on 1 of 60 questions, worse on none; "
    )


def test_a_significant_loss_within_min_effect_is_no_regression():
    small = replace(WORSE, net_preference=-0.04, interval=Interval(-0.07, -0.01))
    assert decide(given_input(quality=small), SETTINGS).decision is Decision.PASS
    wide = replace(small, interval=Interval(-0.12, -0.01))
    verdict = decide(given_input(quality=wide), SETTINGS)
    assert verdict.decision is Decision.INCONCLUSIVE
    assert verdict.reasons[1] == (
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
    assert "undefined" in verdict.reasons[0]


def test_one_passage_is_told():
    quality = replace(UNSURE, passages=1, interval=Interval(NAN, NAN), detectable=NAN)
    assert decide(given_input(quality=quality), SETTINGS).reasons[1] == (
        "1 passage cannot show whether a change is chance: ask questions about more passages"
    )


TOLERATED = "max_missing tolerates 2 %"
UNCOMPARED = "no question has an accepted answer to compare with"


def test_too_few_passages_are_told():
    quality = replace(UNSURE, passages=4, detectable=NAN)
    assert decide(given_input(quality=quality), SETTINGS).reasons[2] == (
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


def test_a_loss_of_f1_holds_a_pass_back():
    verdict = decide(given_input(f1_now=0.85, f1_before=0.9), SETTINGS)
    assert verdict.decision is Decision.INCONCLUSIVE
    assert verdict.reasons[0] == (
        "F1 fell from 0.900 to 0.850, by 0.050: more than max_f1_drop (0.02)"
    )
    verdict = decide(given_input(quality=WORSE, f1_now=0.85, f1_before=0.9), SETTINGS)
    assert verdict.decision is Decision.REGRESSION
    assert verdict.reasons[1].startswith("F1 fell")


@pytest.mark.parametrize(("now", "before"), [(0.88, 0.9), (0.95, 0.9), (None, 0.9), (0.9, None)])
def test_f1_within_the_guard_rail_says_nothing(now, before):
    verdict = decide(given_input(f1_now=now, f1_before=before), SETTINGS)
    assert (verdict.decision, len(verdict.reasons)) == (Decision.PASS, 1)


def test_speed_beyond_the_tolerance_is_a_regression():
    slow = given_input(speed=(speed(0.7, 0.84), speed(0.95, 1.05)), same_machine=True)
    verdict = decide(slow, SETTINGS)
    assert verdict.decision is Decision.REGRESSION
    assert verdict.reasons[0] == (
        "slower by more than 10 % (max_slowdown): decode tokens per second 100 → 80,"
        " speed ×0.77, interval 0.70 to 0.84"
    )
    assert verdict.reasons[1].startswith("60 of 60 answers tied")
    assert verdict.speed == slow.speed


def test_speed_does_not_cover_a_missing_measurement():
    slow = given_input(speed=(speed(0.7, 0.8),), same_machine=True, answered=0, ranked=0)
    verdict = decide(slow, SETTINGS)
    assert verdict.decision is Decision.NOT_MEASURED
    assert verdict.reasons[1].startswith("slower by more than 10 %")


@pytest.mark.parametrize(
    ("same_machine", "reason"),
    [
        (False, "speed is inconclusive: the baseline was measured on another machine"),
        (None, "speed is inconclusive: the machine of the baseline is not known"),
    ],
)
def test_speed_is_compared_on_one_machine_only(same_machine, reason):
    verdict = decide(given_input(speed=(speed(0.1, 0.2),), same_machine=same_machine), SETTINGS)
    assert (verdict.decision, verdict.reasons[1]) == (Decision.PASS, reason)
    alone = decide_speed("m", [speed(0.1, 0.2)], SETTINGS, same_machine=same_machine)
    assert (alone.decision, alone.reasons) == (Decision.INCONCLUSIVE, (reason,))


@pytest.mark.parametrize(
    ("low", "high", "decision", "end"),
    [
        (0.95, 1.05, Decision.PASS, "speed kept: decode tokens per second ×1.00 (0.95 to 1.05)"),
        (0.9, 1.0, Decision.PASS, "(0.90 to 1.00)"),
        (0.85, 0.95, Decision.INCONCLUSIVE, "a loss of 10 % (max_slowdown) cannot be ruled out"),
        (0.8, 0.9, Decision.INCONCLUSIVE, "a loss of 10 % (max_slowdown) cannot be ruled out"),
        (NAN, NAN, Decision.INCONCLUSIVE, "measure at least 3 rounds of each file"),
        (0.7, 0.89, Decision.REGRESSION, "interval 0.70 to 0.89"),
    ],
)
def test_speed_alone(low, high, decision, end):
    verdict = decide_speed("m", [speed(low, high)], SETTINGS, same_machine=True)
    assert verdict.decision is decision
    assert verdict.reasons[0].endswith(end)


def machine(ratio):
    return SpeedEvidence(
        "machine_per_second", 1.0, 1.0, ratio, Interval(ratio - 0.02, ratio + 0.02)
    )


@pytest.mark.parametrize(
    ("ratio", "decision"),
    [
        (1.0, Decision.REGRESSION),  # the machine is as it was
        (0.99, Decision.REGRESSION),  # or may be
        (0.95, Decision.REGRESSION),  # 0.84 / 0.95 is still below 0.9
        (0.8, Decision.PASS),  # the machine lost as much
        (1.5, Decision.REGRESSION),  # a faster machine excuses nothing
    ],
)
def test_a_machine_that_is_slower_itself_is_no_regression_of_a_model(ratio, decision):
    given = given_input(speed=(speed(0.7, 0.84),), same_machine=True, machine=machine(ratio))
    verdict = decide(given, SETTINGS)
    assert verdict.decision is decision
    if decision is Decision.PASS:
        assert verdict.reasons[1] == (
            "speed is inconclusive: decode tokens per second 100 → 80, speed ×0.77,"
            " interval 0.70 to 0.84; the machine itself runs at ×0.80 of its speed at the"
            " time of the baseline: measure on a machine that is not busy"
        )


def test_no_speed_is_not_measured():
    verdict = decide_speed("m", [], SETTINGS, same_machine=True)
    assert verdict.decision is Decision.NOT_MEASURED
    assert verdict.reasons == ("no speed was measured",)


@pytest.mark.parametrize("decision", list(Decision))
@pytest.mark.parametrize("setting", ["pass", "fail"])
def test_what_fails_the_build(decision, setting):
    expected = decision is not Decision.PASS
    if decision is Decision.INCONCLUSIVE:
        expected = setting == "fail"
    verdict = Verdict("m", decision, ())
    assert is_failure(verdict, GateSettings(inconclusive=setting)) is expected


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
