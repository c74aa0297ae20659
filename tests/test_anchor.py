"""The anchor: the accepted state that only a release moves, so that losses cannot add up."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from accepted import rows_of, write_rows
from projects import SUITE, Project

from pytest_raq.cli import main
from pytest_raq.store import Store
from pytest_raq.store.schema import FIGURES, FORMAT

BASELINE, ANCHOR = "baselines/small.json", "baselines/small.anchor.json"
REASON = ("--raq-reason", "a test")


@pytest.fixture
def project(pytester):
    return Project(pytester)


def wrong(*numbers):
    return {f"q{number}": "wrong" for number in numbers}


def texts(project, name, model="first"):
    table = json.loads((project.root / name).read_text(encoding="utf-8"))
    return {key: item["answers"][model] for key, item in table["questions"].items()}


def told(result):
    return "\n".join(result.outlines)


def test_small_losses_that_are_accepted_one_by_one_are_stopped(project):
    project.accept()
    assert (project.root / ANCHOR).read_bytes() == (project.root / BASELINE).read_bytes()
    lost: list[int] = []
    for step in (0, 4, 8):  # two more passages of the ten each time
        lost += [step, step + 2]
        project.replies({"first": wrong(*lost)})
        result = project.run("--raq-json", "run.json")
        if result.ret:
            break
        project.accept()
    # Each step alone is two passages of ten, which shows nothing; six since the anchor do.
    assert len(lost) == 6
    result.stdout.fnmatch_lines(
        [
            "REGRESSION first: since the anchor: answers worse than the accepted ones on 6 of 20*",
            "  a loss up to * is possible",
        ]
    )
    found = json.loads((project.root / "run.json").read_text())["suites"]["small"]
    assert found["verdicts"]["first"]["anchor"]["net_preference"] == pytest.approx(-0.3)
    assert found["verdicts"]["first"]["net_preference"] == pytest.approx(-0.1)
    assert found["verdicts"]["second"]["anchor"] is None
    assert found["anchor"]["reason"] == "a test"
    with Store(project.root / ".raq/store.db") as store:
        runs = reversed(list(store.runs.latest("small")))
        since = [run.models["first"].anchor_net_preference for run in runs]
    # It is kept of each run, whether the baseline moved or not; the first run had no anchor.
    assert since[0] is None
    assert since[1:] == pytest.approx([-0.1, -0.1, -0.2, -0.2, -0.3])
    assert "q10" not in {key for key, text in texts(project, ANCHOR).items() if text == "wrong"}


def test_only_its_own_option_with_a_reason_moves_it(project):
    project.accept()
    first = (project.root / ANCHOR).read_bytes()
    project.worse("first", 5)
    project.accept()
    assert (project.root / ANCHOR).read_bytes() == first
    result = project.run("--raq-anchor")
    assert result.ret == 2
    assert "--raq-anchor: name the release or say why it moves, with --raq-reason TEXT" in told(
        result
    )
    result = project.run("--raq-anchor", "--raq-reason", "release 2")
    assert result.ret == 0
    assert f"the anchor is this run too: {ANCHOR}" in result.outlines
    assert texts(project, ANCHOR)["q0"] == "wrong"
    assert json.loads((project.root / ANCHOR).read_text())["reason"] == "release 2"
    assert project.run().ret == 0


def test_it_is_not_set_by_a_part_of_a_suite(project):
    result = project.run("--raq-anchor", *REASON, "--raq-models", "first")
    assert "--raq-anchor accepts a suite as its files define it and cannot be used with" in told(
        result
    )


def test_a_project_of_before_gets_the_state_accepted_before_as_its_anchor(project):
    project.accept()
    before = (project.root / BASELINE).read_bytes()
    (project.root / ANCHOR).unlink()
    assert project.run().ret == 0  # without an anchor nothing is missing
    project.worse("first", 2)
    result = project.run("--raq-update", *REASON)
    assert (
        f"the anchor is the state accepted before: {ANCHOR}; --raq-anchor moves it"
        in result.outlines
    )
    assert (project.root / ANCHOR).read_bytes() == before


def test_a_new_model_is_added_and_then_held_to_it(project):
    project.write("suites/small.toml", SUITE.replace(', "second"', ""))
    project.accept()
    project.write("suites/small.toml", SUITE)
    result = project.run("--raq-update", *REASON)
    assert "added to the anchor: second" in result.outlines
    project.worse("second")
    project.accept()
    result = project.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["REGRESSION second: since the anchor: *"])


def test_an_anchor_of_other_questions_is_no_baseline_until_it_is_set_again(project):
    project.accept()
    project.write("suites/small.toml", SUITE + "sample = 10\n")
    result = project.run("--raq-update", *REASON)
    assert result.ret == 0
    result = project.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [f"NO BASELINE first: {ANCHOR} does not fit: *; set the anchor again with --raq-anchor*"]
    )
    assert project.run("--raq-anchor", *REASON).ret == 0
    assert project.run().ret == 0


def test_a_damaged_anchor_is_no_baseline_and_never_replaced_by_an_update(project):
    project.accept()
    project.write(ANCHOR, "{")
    result = project.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"NO BASELINE first: {ANCHOR}:1: is not JSON: it is incomplete*"])
    project.accept()
    assert (project.root / ANCHOR).read_text() == "{"


def test_a_verdict_that_is_not_good_is_accepted_with_a_reason_alone(project):
    project.accept()
    before = (project.root / BASELINE).read_bytes()
    project.replies({"first": wrong(0)})
    result = project.run("--raq-update")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            (
                f"ERROR: {BASELINE} is not updated: first is inconclusive (a loss up to * is"
                " possible): say why you accept that with --raq-reason TEXT"
            )
        ]
    )
    assert (project.root / BASELINE).read_bytes() == before
    assert project.run("--raq-update", "--raq-reason", " ").ret == 1


def test_it_can_be_shown_and_compared(project, capsys):
    project.accept()
    project.worse("first", 3)
    project.accept()
    folder = str(project.root / "baselines")
    assert main(["baseline", "show", "small.anchor", "--folder", folder]) == 0
    assert "first.gguf" in capsys.readouterr().out
    assert main(["baseline", "diff", "small.anchor", "small", "--folder", folder]) == 0
    assert "q0" in capsys.readouterr().out
    page = project.root / "page.html"
    project.worse("first", 5)
    project.run("--raq-report", str(page), "--raq-markdown", str(project.root / "run.md"))
    html = page.read_text(encoding="utf-8")
    assert "Since the anchor, accepted " in html
    assert "F1 against the accepted answers" in html
    assert "| since the anchor |" in (project.root / "run.md").read_text(encoding="utf-8")


def test_a_store_without_it_gets_its_columns(tmp_path):
    path = tmp_path / "store.db"
    Store(path).close()
    connection = sqlite3.connect(path)
    for name in FIGURES[-3:]:
        connection.execute(f"ALTER TABLE run_models DROP COLUMN {name}")
    connection.execute("PRAGMA user_version = 3")
    connection.commit()
    connection.close()
    with Store(path) as store:
        assert list(store.runs.latest()) == []
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT,)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(run_models)")]
    connection.close()
    assert columns[-3:] == list(FIGURES[-3:])


def test_answers_of_other_tools_are_held_to_one_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_rows(Path("a.jsonl"), rows_of({"first": 0, "last": 26, "today": 30}))
    assert main(["rank", "a.jsonl", "--baseline", "last"]) == 0
    capsys.readouterr()
    assert main(["rank", "a.jsonl", "--baseline", "last", "--anchor", "first"]) == 1
    out = capsys.readouterr().out
    assert "REGRESSION today: since the anchor: answers worse than the accepted ones on 30" in out
    assert "note: the answers of first are the anchor" in out
    assert main(["rank", "a.jsonl", "--anchor", "first"]) == 2
    assert capsys.readouterr().err == (
        "raq: --anchor first: is compared beside a baseline; give --baseline too\n"
    )
    assert main(["rank", "a.jsonl", "--baseline", "last", "--anchor", "fist"]) == 2
    assert "--anchor fist: no answer is from that model; did you mean 'first'?" in (
        capsys.readouterr().err
    )


def test_a_baseline_that_may_be_the_best_of_several_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_rows(Path("a.jsonl"), rows_of({"best": 0, "second": 5, "third": 6}))
    main(["rank", "a.jsonl", "--baseline", "best"])
    assert "note: best has the highest F1 of 3 models: if it was chosen for that" in (
        capsys.readouterr().out
    )
    main(["rank", "a.jsonl", "--baseline", "third"])
    assert "highest F1" not in capsys.readouterr().out


def test_several_files_tried_on_one_day_are_counted(project):
    project.accept()
    for number in range(3):
        project.write(f"models/try{number}.gguf", f"weights {number}")
        result = project.run("--raq-swap", f"first=models/try{number}.gguf")
        assert ("files were tried in the place of first today" in told(result)) is (number > 0)
    assert "3 files were tried in the place of first today: the best of several looks" in told(
        result
    )
