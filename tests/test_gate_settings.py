"""The settings of the gate: limits, which way is laxer, and that nobody turns it off unseen."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from accepted import make_baseline
from gate_inputs import LEVEL, SETTINGS, UNSURE, WORSE, given_input
from projects import SUITE, Project
from pydantic import ValidationError

from pytest_raq.baselines.acceptance import refuse_unexplained
from pytest_raq.baselines.diff import diff_baselines
from pytest_raq.baselines.file import parse_baseline, save_baseline
from pytest_raq.config import GateSettings
from pytest_raq.errors import BaselineError, MeasurementError
from pytest_raq.gate import decide, is_failure
from pytest_raq.gate.strictness import (
    HIGHER,
    LAXER,
    LOWER,
    changed_settings,
    gate_table,
    laxer_settings,
)
from pytest_raq.records import Decision
from pytest_raq.report import suite_lines
from pytest_raq.report.json.result import suite_from_json, suite_to_json
from pytest_raq.report.markdown.suite import run_markdown
from pytest_raq.report.page.suite import page_html, page_suite
from pytest_raq.report.terminal.commands import baseline_lines

DEFAULTS = gate_table(GateSettings())
LAXER_VALUES = {
    "alpha": 0.01,
    "margin": 0.2,
    "pass_level": 0.05,
    "min_effect": 0.1,
    "max_f1_drop": 0.05,
    "max_slowdown": 0.3,
    "max_missing": 0.1,
    "min_judge_accuracy": 0.7,
    "min_judges": 0.4,
    "likelihood": "show",
    "likelihood_margin": 0.1,
    "likelihood_min_effect": 0.05,
    "suspect": "pass",
}
"""A laxer value than the default of each setting whose default is not the laxest."""


def test_each_setting_of_the_gate_has_a_direction():
    assert LAXER.keys() == GateSettings.model_fields.keys(), (
        "add new settings to LAXER in gate/strictness.py: say which way lets more through"
    )
    assert LAXER_VALUES.keys() | {"inconclusive", "judge_check_questions"} == LAXER.keys()
    for name, way in LAXER.items():
        assert DEFAULTS[name] in way if isinstance(way, tuple) else way in {HIGHER, LOWER}


@pytest.mark.parametrize("name", LAXER_VALUES)
def test_a_setting_is_laxer_one_way_and_stricter_the_other(name):
    laxer = DEFAULTS | {name: LAXER_VALUES[name]}
    GateSettings.model_validate(laxer)  # it is allowed, but not unseen
    (told,) = laxer_settings(laxer, DEFAULTS)
    assert told.startswith(f"{name} ")
    assert laxer_settings(DEFAULTS, laxer) == ()
    assert laxer_settings(laxer, laxer) == ()
    assert len(list(changed_settings(DEFAULTS, laxer))) == 1


def test_settings_at_the_laxest_default_are_laxer_than_stricter_ones():
    strict = DEFAULTS | {"inconclusive": "fail", "judge_check_questions": 20}
    assert laxer_settings(DEFAULTS, strict) == (
        "judge_check_questions 20 → 4",
        "inconclusive fail → pass",
    )
    assert laxer_settings(strict, DEFAULTS) == ()
    gate, show, off = (DEFAULTS | {"likelihood": word} for word in ("gate", "show", "off"))
    assert laxer_settings(off, show) == ("likelihood show → off",)
    assert laxer_settings(show, off) == laxer_settings(gate, show) == ()


def test_settings_of_other_versions_and_damaged_ones_are_compared_too():
    assert laxer_settings(DEFAULTS | {"margin": 0.5}, {}) == ()
    assert list(changed_settings(DEFAULTS, {})) == []
    # A version without this setting did what its default does now.
    older = {name: value for name, value in DEFAULTS.items() if name != "margin"}
    assert laxer_settings(DEFAULTS, older) == ()
    assert laxer_settings(DEFAULTS | {"margin": 0.2}, older) == ("margin 0.1 → 0.2",)
    assert laxer_settings(DEFAULTS, DEFAULTS | {"margin": "wide"}) == ("margin wide → 0.1",)
    assert laxer_settings(DEFAULTS, DEFAULTS | {"suspect": 1}) == ("suspect 1 → fail",)
    # Six decimals are kept.
    assert laxer_settings(DEFAULTS | {"margin": 0.1 + 4e-7}, DEFAULTS) == ()


@pytest.mark.parametrize(
    ("name", "limit", "beyond"),
    [
        ("alpha", 0.001, 1e-6),
        ("margin", 0.5, 1.0),
        ("pass_level", 0.1, 0.5),
        ("min_effect", 0.2, 1.0),
        ("max_f1_drop", 0.2, 1.0),
        ("max_missing", 0.2, 1.0),
        ("likelihood_margin", 0.5, 9.0),
        ("likelihood_min_effect", 0.3, 9.0),
    ],
)
def test_what_would_disarm_the_gate_is_refused_with_the_limit(name, limit, beyond):
    GateSettings.model_validate({name: limit})
    with pytest.raises(ValidationError, match=rf"equal to {limit:g}"):
        GateSettings.model_validate({name: beyond})


@pytest.mark.parametrize("quality", [LEVEL, UNSURE])
def test_laxer_settings_decide_nothing(quality):
    laxer = ("margin 0.1 → 0.5", "max_missing 0.02 → 0.2")
    given = given_input(quality=quality)
    usual = decide(given, SETTINGS)
    verdict = decide(replace(given, laxer=laxer), SETTINGS)
    remedy = "set that back, or accept it with --raq-update --raq-reason TEXT"
    assert verdict.decision is Decision.NO_BASELINE
    assert is_failure(verdict, SETTINGS)
    assert verdict.reasons[:2] == (
        f"the gate is laxer than accepted ({', '.join(laxer)}): {remedy}",
        f"with these settings: {usual.decision.value}",
    )
    assert verdict.reasons[2:] == usual.reasons
    assert verdict.quality == quality


def test_laxer_settings_excuse_nothing_and_make_nothing_measured():
    laxer = ("margin 0.1 → 0.5",)
    worse = decide(given_input(quality=WORSE, laxer=laxer), SETTINGS)
    assert worse.decision is Decision.REGRESSION
    assert worse.reasons[-1].startswith("the gate is laxer than accepted (margin 0.1 → 0.5)")
    missing = decide(given_input(answered=9, laxer=laxer), SETTINGS)
    assert missing.decision is Decision.NOT_MEASURED
    unchanged = decide(given_input(is_unchanged=True, laxer=laxer), SETTINGS)
    assert unchanged.decision is Decision.NO_BASELINE
    # What is suspect would be green with suspect = "pass".
    suspect = replace(WORSE, adjusted_p=0.2, moved_passages=2, sparse_p=0.001)
    assert decide(given_input(quality=suspect), SETTINGS).decision is Decision.SUSPECT
    verdict = decide(given_input(quality=suspect, laxer=laxer), SETTINGS)
    assert verdict.decision is Decision.NO_BASELINE


def test_laxer_settings_are_accepted_with_a_reason_alone():
    with pytest.raises(MeasurementError) as caught:
        refuse_unexplained("baselines/small.json", [], " ", ("margin 0.1 → 0.5",))
    assert str(caught.value) == (
        "baselines/small.json is not updated: the gate is laxer than accepted (margin 0.1 → 0.5):"
        " set that back, or say why you accept it with --raq-reason TEXT"
    )
    refuse_unexplained("baselines/small.json", [], "few questions", ("margin 0.1 → 0.5",))
    refuse_unexplained("baselines/small.json", [], "")


def test_a_baseline_keeps_the_settings_exactly(tmp_path):
    made = make_baseline(tmp_path, {"first": 3, "second": 5}, gate=DEFAULTS | {"margin": 0.25})
    text = save_baseline(tmp_path, made).read_text(encoding="utf-8")
    read = parse_baseline("small.json", text)
    assert read.gate == made.gate
    assert {name: type(value) for name, value in read.gate.items()} == {
        name: type(value) for name, value in made.gate.items()
    }
    assert save_baseline(tmp_path, read).read_text(encoding="utf-8") == text
    assert json.loads(text)["gate"]["margin"] == 0.25
    with pytest.raises(BaselineError, match=r"gate\.margin"):
        parse_baseline("small.json", text.replace('"margin": 0.25', '"margin": [0.25]'))


def test_the_settings_are_shown_with_a_baseline_and_in_a_difference(tmp_path):
    old = make_baseline(tmp_path, {"first": 3, "second": 5})
    new = make_baseline(tmp_path, {"first": 3, "second": 5}, gate=DEFAULTS)
    assert "gate: its settings were not recorded" in baseline_lines(old)
    assert any(line.startswith("gate: alpha 0.05, margin 0.1,") for line in baseline_lines(new))
    wider = replace(new, gate=DEFAULTS | {"margin": 0.4})
    (change,) = diff_baselines(new, wider, names=("old", "new")).provenance
    assert (change.field, change.before, change.now) == ("gate.margin", "0.1", "0.4")


@pytest.fixture
def project(pytester):
    return Project(pytester)


def test_nobody_turns_the_gate_off_unseen(project):
    project.accept()
    baseline = project.root / "baselines" / "small.json"
    assert json.loads(baseline.read_text(encoding="utf-8"))["gate"] == DEFAULTS
    project.write("suites/small.toml", f"{SUITE}[gate]\nmargin = 0.5\n")
    result = project.run("--raq-json", "run.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "NO BASELINE first: the gate is laxer than accepted (margin 0.1 → 0.5): *",
            "  with these settings: unchanged",
            "note: settings of the gate that differ from the accepted ones: margin 0.1 → 0.5",
        ]
    )
    table = json.loads((project.root / "run.json").read_text(encoding="utf-8"))["suites"]["small"]
    assert (table["gate"]["margin"], table["baseline"]["gate"]["margin"]) == (0.5, 0.1)
    _check_surfaces(suite_from_json("small", table))
    refused = project.run("--raq-update")
    assert refused.ret == 1
    refused.stdout.fnmatch_lines(
        ["ERROR: *small.json is not updated: the gate is laxer than accepted (margin 0.1 → 0.5): *"]
    )
    project.accept()
    assert json.loads(baseline.read_text(encoding="utf-8"))["gate"]["margin"] == 0.5
    anchor = project.run()
    assert anchor.ret == 0
    anchor.stdout.fnmatch_lines(
        ["note: settings of the gate that are laxer than at the anchor: margin 0.1 → 0.5"]
    )


def _check_surfaces(result):
    table = suite_to_json(result)
    assert "| `margin` | `0.5` | `0.1` | `0.1` |" in run_markdown([result])
    page = page_html([page_suite(result, table)], {})
    assert "Settings of the gate" in page
    assert any(line.text.startswith("gate: ") for line in suite_lines(result, verbosity=1))


def test_a_baseline_of_an_earlier_version_is_compared_and_its_lack_is_reported(project):
    project.accept()
    for name in ("small", "small.anchor"):
        path = project.root / "baselines" / f"{name}.json"
        table = json.loads(path.read_text(encoding="utf-8"))
        del table["gate"]
        path.write_text(json.dumps(table), encoding="utf-8")
    result = project.run()
    assert result.ret == 0
    lines = [line for line in result.outlines if "did not record the settings" in line]
    assert len(lines) == 1
    assert lines[0].endswith("so they are not compared: the next --raq-update records them")
