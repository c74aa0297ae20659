"""What the gate says of speed, alone and beside quality."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from gate_inputs import NAN, SETTINGS, given_input

from pytest_raq.gate import decide
from pytest_raq.gate.speed import unable_to_fail, weigh_speed
from pytest_raq.records import Decision, Interval, SpeedEvidence, SpeedReference
from pytest_raq.report.words import verdict_words

DECODE, PREFILL = "decode_tokens_per_second", "prefill_tokens_per_second"


def speed(low, high, measure=DECODE, p=1.0, against=SpeedReference.ACCEPTED):
    ratio = (low + high) / 2
    return SpeedEvidence(measure, 80.0, 100.0, ratio, Interval(low, high), against, 5, p, p)


SLOW = speed(0.7, 0.84, p=0.001)


def test_speed_beyond_the_tolerance_is_a_regression():
    verdict = decide(given_input(speed=(SLOW, speed(0.95, 1.05, PREFILL))), SETTINGS)
    assert verdict.decision is Decision.REGRESSION
    assert verdict.reasons[0] == (
        "slower by more than 10 % (max_slowdown): decode tokens per second 100 → 80, speed ×0.77,"
        " interval 0.70 to 0.84 (in turns with the accepted model, 5 pairs of processes)"
    )
    assert verdict.reasons[2].startswith("60 of 60 answers tied")
    assert verdict.speed[0] == SLOW
    assert verdict_words(verdict) == "regression"  # its first reason says it


def test_speed_does_not_cover_a_missing_measurement():
    verdict = decide(given_input(speed=(SLOW,), answered=0, ranked=0), SETTINGS)
    assert verdict.decision is Decision.NOT_MEASURED
    assert verdict.reasons[1].startswith("slower by more than 10 %")


@pytest.mark.parametrize(
    ("item", "decision", "end"),
    [
        (speed(0.95, 1.05), Decision.PASS, "speed kept: decode ×1.00, interval 0.95 to 1.05 (in"),
        (speed(0.9, 1.0), Decision.PASS, "interval 0.90 to 1.00 (in turns with the accepted"),
        (speed(0.85, 0.95), Decision.INCONCLUSIVE, "10 % (max_slowdown) cannot be ruled out"),
        (speed(0.8, 0.89, p=0.026), Decision.INCONCLUSIVE, "cannot be ruled out"),
        (speed(0.8, 0.9, p=0.025), Decision.REGRESSION, "slower by more than 10 %"),
        (speed(0.8, 0.9, PREFILL, p=0.02), Decision.REGRESSION, "prefill tokens per second"),
        (speed(NAN, NAN, p=NAN), Decision.INCONCLUSIVE, "too few rounds for an interval"),
    ],
)
def test_speed_alone(item, decision, end):
    found = weigh_speed([item], SETTINGS)
    assert found.decision is decision
    assert end in found.reasons[0]


@pytest.mark.parametrize("measure", ["words_per_second", "time_to_first_token"])
def test_what_is_shown_beside_it_decides_nothing(measure):
    found = weigh_speed([speed(0.95, 1.05), speed(0.2, 0.3, measure, p=0.0)], SETTINGS)
    assert found.decision is Decision.PASS
    assert f"{measure.replace('_', ' ')} ×0.25" in found.reasons[0]
    alone = weigh_speed([speed(0.2, 0.3, measure, p=0.0)], SETTINGS)
    assert alone.decision is Decision.INCONCLUSIVE
    assert alone.reasons[0].endswith("; nothing of it is gated")


def test_the_level_of_the_test_is_half_of_alpha():
    slow = speed(0.8, 0.89, p=0.03)
    assert weigh_speed([slow], SETTINGS).decision is Decision.INCONCLUSIVE
    lax = SETTINGS.model_copy(update={"alpha": 0.1})
    assert weigh_speed([slow], lax).decision is Decision.REGRESSION


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "pass (speed not measured)"),
        ({"is_speed_unchanged": True}, "pass (speed unchanged)"),
        ({"speed": (speed(0.99, 1.05),)}, "pass (decode ×1.02, 0.99 to 1.05)"),
        ({"speed_obstacle": "another machine"}, "pass (speed not compared)"),
        ({"times_speed": False}, "pass"),
    ],
)
def test_the_first_words_of_a_verdict_say_what_is_known_of_speed(changes, words):
    verdict = decide(given_input(**changes), SETTINGS)
    assert verdict_words(verdict) == words
    assert verdict_words(verdict, loud=True).startswith("PASS")
    told = [reason for reason in verdict.reasons if reason.startswith("speed not compared: ")]
    assert told == [f"speed not compared: {why}" for why in [changes.get("speed_obstacle")] if why]


def test_the_summary_is_that_of_the_measure_that_decides():
    found = weigh_speed([speed(0.95, 1.05), speed(0.7, 0.8, PREFILL, p=0.0)], SETTINGS)
    assert found.summary == "prefill ×0.75, 0.70 to 0.80"


@pytest.mark.parametrize(
    ("against", "words"),
    [
        (SpeedReference.YARDSTICK, "(as a multiple of the yardstick model)"),
        (SpeedReference.STORED, "(a server, at another time)"),
    ],
)
def test_a_reason_says_what_speed_was_compared_with(against, words):
    (reason,) = weigh_speed([speed(0.5, 0.6, p=0.0, against=against)], SETTINGS).reasons
    assert reason.endswith(words)
    unknown = replace(speed(0.5, 0.6, p=0.0, against=against), now=math.nan)
    assert "→" not in weigh_speed([unknown], SETTINGS).reasons[0]


def test_a_setting_that_cannot_fail_is_named():
    free = SETTINGS.model_copy(update={"max_slowdown": 1.0})
    assert list(unable_to_fail(free)) == [
        "max_slowdown = 1: no loss of speed can fail this suite; set max_slowdown = 0.10"
    ]
    assert list(unable_to_fail(SETTINGS)) == []
