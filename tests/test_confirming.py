"""A model that seems slower is measured again: through pytest, with engines as slow as told."""

from __future__ import annotations

import json

import pytest
from projects import CONFTEST, Project

from pytest_raq.speed import rounds as confirming

SLOW = (
    CONFTEST
    + """
from dataclasses import replace
from pytest_raq.speed import rounds as confirming, suite_speed as machine_speed

ROUNDS = ROOT / "rounds.txt"


class Timed(ScriptedEngine):
    def answers(self, prompts):
        pace = json.loads((ROOT / "pace.json").read_text()) if (ROOT / "pace.json").exists() else []
        for outcome in super().answers(prompts):
            with ROUNDS.open("a") as log:
                log.write(".")
            done = len(ROUNDS.read_text())
            slow = next((s for end, s in pace if done <= end), 1.0)
            yield replace(
                outcome,
                timing=replace(
                    outcome.timing,
                    decode_seconds=outcome.timing.decode_seconds * slow,
                    prefill_seconds=outcome.timing.prefill_seconds * slow,
                    time_to_first_token=outcome.timing.time_to_first_token * slow,
                    total_seconds=outcome.timing.total_seconds * slow,
                ),
            )


def pytest_sessionstart(session):
    ROUNDS.write_text("")
    patch = session.config.raq_patch
    patch.setattr(pool, "open_engine", timed)
    patch.setattr(confirming, "PAUSES", (0.0, 0.0))
    patch.setattr(machine_speed.MachineSpeed, "measure", lambda self: 1.0)


def timed(model, **_given):
    return Timed(lambda prompt: f"right {prompt.question_id[1:]}", model=model.name)
"""
)
ASKED, PROBED = 20, 16
"""Questions of the one model, and rounds of its probe."""


@pytest.fixture
def project(pytester):
    made = Project(pytester)
    made.write("conftest.py", SLOW)
    text = (made.root / "suites/small.toml").read_text().replace('"first", "second"', '"first"')
    made.write("suites/small.toml", text)
    made.accept()
    return made


def verdict_at(project, pace):
    project.write("pace.json", json.dumps(pace))
    small = project.results()
    rounds = len((project.root / "rounds.txt").read_text()) - ASKED
    return small["verdicts"]["first"], rounds


def test_a_model_that_is_slower_each_time_is_a_regression(project):
    verdict, rounds = verdict_at(project, [(10_000, 2.0)])
    assert verdict["verdict"] == "regression"
    assert verdict["reasons"][0].startswith("slower by more than 10 % (max_slowdown): ")
    assert verdict["reasons"][-1] == (
        "speed was measured 3 times, with pauses: the fastest is reported"
    )
    assert rounds == 3 * PROBED


def test_what_is_gone_after_a_pause_is_none(project):
    verdict, rounds = verdict_at(project, [(ASKED + PROBED, 2.0)])
    assert verdict["verdict"] == "unchanged"
    assert verdict["reasons"][-1] == (
        "speed was measured 2 times, with pauses: the fastest is reported"
    )
    assert rounds == 2 * PROBED


def test_a_model_as_fast_as_ever_is_measured_once(project):
    verdict, rounds = verdict_at(project, [])
    assert verdict["verdict"] == "unchanged"
    assert verdict["reasons"][-1].startswith("speed kept: ")
    assert rounds == PROBED


def test_the_fastest_of_slow_measurements_is_told(project):
    pace = [(ASKED + PROBED, 3.0), (ASKED + 2 * PROBED, 2.0), (10_000, 4.0)]
    verdict, _ = verdict_at(project, pace)
    assert verdict["verdict"] == "regression"
    ratios = [item["ratio"] for item in verdict["speed"]]
    assert ratios == pytest.approx([0.5] * len(ratios))


def test_pauses_grow():
    assert list(confirming.PAUSES) == sorted(confirming.PAUSES)
