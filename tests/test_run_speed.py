"""What the speed of a model in a run can be compared with, and what is accepted of it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from small_projects import write_small_project

from pytest_raq.baselines.acceptance import make_baseline
from pytest_raq.engines import ScriptedEngine
from pytest_raq.records import AcceptedSpeed, SpeedMeasurement
from pytest_raq.running import Session, SessionOptions
from pytest_raq.running.transfer import export_run, read_export
from pytest_raq.speed.turns import ACCEPTED, YARDSTICK
from pytest_raq.speed.yardstick import yardstick_sha256

READER = "reader-llama-f16.gguf"
RATIOS = {"decode_tokens_per_second": (0.5, 0.51, 0.49)}
MEASURED = SpeedMeasurement(samples={"decode_tokens_per_second": (9.0,)}, yardstick=RATIOS)


@pytest.fixture
def run(tmp_path):
    write_small_project(tmp_path, "reader-llama", READER)
    suite = tmp_path / "suites/small.toml"
    suite.write_text(suite.read_text().replace("max_slowdown = 1.0", "max_slowdown = 0.10"))
    folders = {name: tmp_path / name.partition("_")[0] for name in
               ("suites_folder", "models_folder", "baselines_folder")}  # fmt: skip
    session = Session(SessionOptions(**folders, store_path=tmp_path / "s.db"))
    session.pool.open_fresh = lambda _model: ScriptedEngine(lambda _prompt: "x")
    yield session.run("small")
    session.close()


def accept(run, *, machine=None, provenance=None, **changes):
    """Hold the run against a state that was accepted, with changes of its speed."""
    baseline = make_baseline(run.result(), "")
    speeds = {"reader": replace(run.speed.today("reader"), **changes)}
    before = replace(baseline.provenance, machine=machine or dict(run.verdicts.machine))
    if provenance:
        models = {"reader": replace(before.models["reader"], **provenance)}
        before = replace(before, models=models)
    run.compare_with(replace(baseline, provenance=before, accepted_speeds=speeds))


def companions(run):
    return sorted(run.speed_probe("reader")._companions)


def obstacle(run):
    return run.speed.obstacles(same_machine=run.verdicts.same_machine).get("reader", "")


def test_without_a_baseline_the_yardstick_is_timed(run):
    assert companions(run) == [YARDSTICK]
    assert run.speed.unchanged() == frozenset()


def test_what_is_unchanged_is_not_timed_twice(run):
    accept(run)
    assert run.speed.unchanged() == {"reader"}
    assert companions(run) == []
    run.speed.accepts = True
    assert companions(run) == [YARDSTICK]


@pytest.mark.parametrize(
    "changes",
    [
        {"libraries": "other", "provenance": {"build": "0.3.36 (CPU : SSE3)"}},
        {"threads": 7},
        {"python": "../other"},
    ],
)
def test_another_engine_or_other_threads_are_a_change(run, changes):
    accept(run, **changes)
    assert run.speed.unchanged() == frozenset()


def test_the_same_build_may_be_compiled_elsewhere(run):
    accept(run, libraries="other bytes")
    assert run.speed.unchanged() == {"reader"}


def test_the_accepted_model_is_timed_where_it_is_found(run):
    accept(run, threads=7)
    assert companions(run) == [ACCEPTED, YARDSTICK]
    accept(run, libraries="gone", provenance={"build": "0.3.30"})
    probe = run.speed_probe("reader")
    assert sorted(probe._companions) == [YARDSTICK]
    assert probe.measurement().note.startswith("the accepted engine, llama-cpp-python ")


def test_files_that_do_not_fit_together_are_not_timed_together(run):
    accept(run, threads=7)
    run.speed._pool._budget = 1
    probe = run.speed_probe("reader")
    assert sorted(probe._companions) == [YARDSTICK]
    note = "the accepted file and today's do not fit into memory together"
    assert probe.measurement().note == note


def test_an_older_baseline_knows_build_and_threads(run):
    baseline = make_baseline(run.result(), "")
    run.compare_with(replace(baseline, accepted_speeds={}))
    assert run.speed.unchanged() == {"reader"}
    assert obstacle(run) == (
        "the baseline has seconds of an earlier version; accept it again to compare speed"
    )
    models = {"reader": replace(baseline.provenance.models["reader"], build="0.3.1")}
    provenance = replace(baseline.provenance, models=models)
    run.compare_with(replace(baseline, provenance=provenance, accepted_speeds={}))
    assert run.speed.unchanged() == frozenset()


def test_what_cannot_be_compared_is_named(run):
    measured = {"ratios": RATIOS, "yardstick": yardstick_sha256()}
    accept(run, **measured)
    assert obstacle(run) == ""
    accept(run)
    assert obstacle(run) == "the baseline was accepted in a run that did not measure speed"
    accept(run, ratios=RATIOS, yardstick="another")
    told = "the baseline has ratios to another yardstick model; accept it again"
    assert obstacle(run) == told
    accept(run, machine={"processor": "another"}, **measured)
    assert obstacle(run) == "the baseline was accepted on another machine"


def test_ratios_to_the_yardstick_are_compared_on_one_machine_alone(run):
    measured = {"ratios": RATIOS, "yardstick": yardstick_sha256(), "libraries": "gone",
                "provenance": {"build": "0.3.30"}}  # fmt: skip
    slow = {"decode_tokens_per_second": (0.2, 0.21, 0.19)}
    run.keep_speed("reader", replace(MEASURED, yardstick=slow, note="the engine is gone"))
    accept(run, **measured)
    (found,) = run.verdicts.evidence().inputs["reader"].speed
    assert found.ratio == pytest.approx(0.4, abs=0.01)
    assert found.adjusted_p < 0.025
    assert run.speed_is_clear("reader")
    accept(run, machine={"processor": "another"}, **measured)
    given = run.verdicts.evidence().inputs["reader"]
    assert given.speed == ()
    told = "the engine is gone; the baseline was accepted on another machine"
    assert given.speed_obstacle == told


def test_a_run_without_speed_keeps_what_was_accepted_of_it(run):
    accept(run, ratios=RATIOS, yardstick=yardstick_sha256())
    kept = run.result().accepted_speeds["reader"]
    assert (kept.ratios, kept.yardstick) == (RATIOS, yardstick_sha256())
    run.keep_speed("reader", replace(MEASURED, yardstick={"decode_tokens_per_second": (0.7,)}))
    assert run.result().accepted_speeds["reader"].ratios == {"decode_tokens_per_second": (0.7,)}
    accept(run, ratios=RATIOS, threads=7)
    run.keep_speed("reader", SpeedMeasurement())
    assert run.result().accepted_speeds["reader"].ratios == {}


def test_processes_exchange_measurements(run):
    run.keep_speed("reader", replace(MEASURED, turns=RATIOS, note="a note"))
    _, speeds = read_export(export_run(run.parts))
    assert speeds == {"reader": run.speeds.of("reader")}
    table = json.loads(export_run(run.parts))
    table["speeds"] = {"reader": {"decode_tokens_per_second": [9.0]}}  # as earlier shards have it
    _, speeds = read_export(json.dumps(table))
    assert speeds["reader"] == SpeedMeasurement(samples=MEASURED.samples)


def test_a_baseline_has_ratios_and_no_seconds(run):
    run.keep_speed("reader", MEASURED)
    baseline = make_baseline(run.result(), "")
    assert baseline.speeds == {}
    expected = replace(run.speed.today("reader"), ratios=RATIOS, yardstick=yardstick_sha256())
    assert asdict(baseline.accepted_speeds["reader"]) == asdict(expected)
    assert isinstance(baseline.accepted_speeds["reader"], AcceptedSpeed)
