"""What the gate says of speed, alone and beside quality."""

from __future__ import annotations

import pytest
from gate_inputs import NAN, SETTINGS, given_input

from pytest_raq.gate import decide, decide_speed
from pytest_raq.records import (
    Decision,
    Interval,
    SpeedEvidence,
)


def speed(low, high, measure="decode_tokens_per_second"):
    return SpeedEvidence(measure, 80.0, 100.0, (low + high) / 2, Interval(low, high))


def test_speed_beyond_the_tolerance_is_a_regression():
    slow = given_input(speed=(speed(0.7, 0.84), speed(0.95, 1.05)), same_machine=True)
    verdict = decide(slow, SETTINGS)
    assert verdict.decision is Decision.REGRESSION
    assert verdict.reasons[0] == (
        "slower by more than 10 % (max_slowdown): decode tokens per second 100 → 80,"
        " speed ×0.77, interval 0.70 to 0.84"
    )
    assert verdict.reasons[2].startswith("60 of 60 answers tied")
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
    assert (verdict.decision, verdict.reasons[2]) == (Decision.PASS, reason)
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
        assert verdict.reasons[2] == (
            "speed is inconclusive: decode tokens per second 100 → 80, speed ×0.77,"
            " interval 0.70 to 0.84; the machine itself runs at ×0.80 of its speed at the"
            " time of the baseline: measure on a machine that is not busy"
        )


def test_no_speed_is_not_measured():
    verdict = decide_speed("m", [], SETTINGS, same_machine=True)
    assert verdict.decision is Decision.NOT_MEASURED
    assert verdict.reasons == ("no speed was measured",)
