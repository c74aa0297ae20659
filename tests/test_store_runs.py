"""Runs and their figures are kept for history, also of a run that was stopped."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest
from projects import CONFTEST, Project

from pytest_raq.git import describe_commit
from pytest_raq.records import (
    JudgeIdentity,
    ModelProvenance,
    Provenance,
    RunFigures,
    RunRecord,
    RunState,
)
from pytest_raq.store import Store

MODEL = ModelProvenance("llama-cpp", "1", "m.gguf", "aa", "Q4", "bb", "cc", {"stop": ["x"], "t": 0})
PROVENANCE = Provenance(
    "s", "r", "f", 60, JudgeIdentity("gpt", "dd", {"seed": "1"}), {"m": MODEL}, {"python": "3"},
    {"cores": "2"},
)  # fmt: skip
FIGURES = RunFigures("m", "pass", 60, 0, 1.5, 1.25, 1.75, -0.125, p_value=0.5, f1=0.875)
RUN = RunRecord(
    "20260102T030405-aaaaaa", "mini", "2026-01-02T03:04:05Z", RunState.COMPLETE, 60, 12, PROVENANCE,
    {"m": FIGURES}, "3f2a1c", {"--raq-sample": "60"}, accepted=True, reason="because",
)  # fmt: skip


@pytest.fixture
def project(pytester):
    return Project(pytester)


def runs(project):
    with Store(project.root / ".raq/store.db") as store:
        return list(store.runs.latest())


def test_a_run_survives_a_round_trip(tmp_path):
    with Store(tmp_path / "store.db") as store:
        store.runs.put(RUN)
        store.runs.put(replace(RUN, suite="other", models={}))
        store.runs.put(replace(RUN, id="20260103", time="2026-01-03T00:00:00Z"))
        store.runs.put(replace(RUN, state=RunState.PARTIAL))
        assert list(store.runs.latest("other")) == [replace(RUN, suite="other", models={})]
        latest, first = store.runs.latest("mini")
        assert first == replace(RUN, state=RunState.PARTIAL)
        assert latest.id == "20260103"
        assert len(list(store.runs.latest())) == 3
        assert list(store.runs.latest("none")) == []


def test_a_figure_that_is_no_number_is_no_figure(tmp_path):
    with Store(tmp_path / "store.db") as store:
        store.runs.put(replace(RUN, models={"m": replace(FIGURES, p_value=float("nan"))}))
        assert next(store.runs.latest()).models["m"] == replace(FIGURES, p_value=None)


def test_a_run_that_this_version_cannot_read_is_told_and_passed_over(tmp_path):
    path = tmp_path / "store.db"
    with Store(path) as store:
        store.runs.put(replace(RUN, models={"m": replace(FIGURES, answered="all")}))
        store.runs.put(replace(RUN, id="20250101", time="2025-01-01T00:00:00Z"))
        assert [run.id for run in store.runs.latest()] == ["20250101"]
        assert store.notices == [
            f"the run {RUN.id} of mini in {path} cannot be read by this version"
        ]


def test_a_run_is_kept_with_its_figures(project):
    project.accept()
    project.worse("second")
    small = project.results("--raq-sample", "20")
    now, accepted = runs(project)
    assert (accepted.accepted, now.accepted) == (True, False)
    assert accepted.options == {"--raq-fresh": "yes", "--raq-update": "yes"}
    assert now.options == {"--raq-fresh": "yes", "--raq-sample": "20"}
    assert (now.suite, now.questions, now.passages) == ("small", 20, 10)
    assert now.state is RunState.COMPLETE
    assert now.provenance.judge.name == "reference"
    assert now.time.startswith("20")
    assert now.id > accepted.id or now.time == accepted.time
    for name, figures in now.models.items():
        told, verdict = small["models"][name], small["verdicts"][name]
        assert figures.verdict == verdict["verdict"]
        assert figures.net_preference == verdict["net_preference"]
        assert figures.net_preference_low == verdict["interval"]["low"]
        assert figures.p_value == verdict["p_value"]
        assert figures.mean_rank == told["mean_rank"]
        assert figures.mean_rank_high == told["interval"]["high"]
        for measure in ("f1", "exact_match", "words_per_second", "time_to_first_token"):
            assert getattr(figures, measure) == told[measure]
        assert figures.probe_decode_tokens_per_second == pytest.approx(100.0)
    assert now.models["second"].changed == pytest.approx(0.7)
    assert accepted.models["first"].verdict == "no baseline"


def test_a_selection_is_a_partial_run(project):
    project.run("-k", "test_answer and first")
    (run,) = runs(project)
    assert run.state is RunState.PARTIAL
    assert run.models["first"].answered == 20
    assert run.models["second"].answered == 0
    assert run.models["second"].f1 is None


def test_a_run_that_is_stopped_is_kept_as_such(project):
    project.write(
        "conftest.py",
        CONFTEST
        + """
asked = []


def pytest_runtest_logreport(report):
    asked.append(report)
    if len(asked) == 30:
        raise KeyboardInterrupt
""",
    )
    result = project.pytester.runpytest_inprocess("suites", no_reraise_ctrlc=True)
    assert result.ret == 2
    (run,) = runs(project)
    assert run.state is RunState.INTERRUPTED
    assert 0 < run.models["first"].answered < 20
    project.write("conftest.py", CONFTEST)
    already = len(project.asked())
    project.pytester.runpytest_inprocess("suites", "-k", "not speed")
    assert already + len(project.asked()) == 40
    assert [run.state for run in runs(project)] == [RunState.COMPLETE, RunState.INTERRUPTED]


def test_an_update_that_is_refused_is_kept_as_not_accepted(project):
    project.replies({"first": {"q0": None}})
    assert project.run("--raq-update").ret == 1
    (run,) = runs(project)
    assert (run.accepted, run.state) == (False, RunState.PARTIAL)
    assert run.models["first"].failed == 1


def test_looking_at_the_tests_is_no_run(project):
    project.run("--collect-only")
    assert runs(project) == []


def test_a_distributed_run_is_one_run(project):
    project.pytester.runpytest_subprocess("suites", "-n", "1", "-k", "not speed")
    (run,) = runs(project)
    assert run.state is RunState.COMPLETE


PAID_JUDGE = (
    CONFTEST
    + """
from pytest_raq.judging import Order, ScriptedJudge
from pytest_raq.running import build


def pytest_sessionstart(session):
    def verdict(case):
        with (ROOT / "judged.txt").open("a") as log:
            log.write(case.question.id + "\\\\n")
        return Order(tuple((index,) for index in range(len(case.texts))))

    session.config.raq_patch.setattr(build, "open_judge", lambda *_, **__: ScriptedJudge(verdict))
""".replace("\\\\n", "\\n")
)


def test_a_second_run_asks_neither_models_nor_judge(project):
    project.write("conftest.py", PAID_JUDGE)
    project.worse("second", 12)
    judged = project.root / "judged.txt"
    run = project.pytester.runpytest_inprocess
    run("suites", "-k", "not speed", "--raq-json", "first.json")
    # Where answers are equal nobody is asked; before it is trusted, the judge is tested.
    assert len(judged.read_text().splitlines()) == 12 + 12
    assert len(project.asked()) == 40
    judged.unlink()
    run("suites", "-k", "not speed", "--raq-json", "second.json")
    assert not judged.exists()
    assert project.asked() == []
    first, second = (
        json.loads((project.root / name).read_text(encoding="utf-8"))
        for name in ("first.json", "second.json")
    )
    for table, count in ((first, 0), (second, 20)):
        stored = table["suites"]["small"].pop("from_store")
        assert stored == {"first": count, "second": count}
    assert first == second
    run("suites", "-k", "not speed", "--raq-fresh")
    assert len(judged.read_text().splitlines()) == 12 + 12


def git(folder, *arguments):
    name = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", folder, *name, *arguments], check=True, capture_output=True)


def test_the_commit_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert describe_commit(tmp_path) == ""
    assert describe_commit(tmp_path / "none") == ""
    git(tmp_path, "init")
    assert describe_commit(tmp_path) == ""
    (tmp_path / "f").write_text("1")
    git(tmp_path, "add", "f")
    git(tmp_path, "commit", "-m", "one")
    git(tmp_path, "tag", "-a", "v1", "-m", "v1")
    clean = describe_commit(tmp_path)
    assert len(clean) == 40
    (tmp_path / "f").write_text("2")
    assert describe_commit(tmp_path) == f"{clean}-dirty"
    monkeypatch.setenv("PATH", "")
    assert describe_commit(tmp_path) == ""
