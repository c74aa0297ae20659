"""``raq power``: from a run, from stated figures, and from neither."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from accepted import row, rows_of, write_rows
from projects import SUITE, Project, squad

from pytest_raq.cli import main
from pytest_raq.planning.power import ASSUMED_CHANGED, read_last_run
from pytest_raq.stats.power import Spread, detectable_effect, questions_needed
from pytest_raq.store import Store


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def suite():
    """A suite of twenty questions in ten passages, two models."""
    folder = Path("suites")
    folder.mkdir()
    (folder / "small.toml").write_text(SUITE, encoding="utf-8")
    (folder / "small.json").write_text(json.dumps(squad()), encoding="utf-8")


def power(capsys, *arguments):
    code = main(["power", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def plan(capsys, *arguments):
    code, out, err = power(capsys, *arguments, "--json", "-")
    assert (code, err) == (0, "")
    return json.loads(out)


def refused(capsys, *arguments):
    code, out, err = power(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def write_run(capsys, rows):
    write_rows(Path("a.jsonl"), rows)
    main(["rank", "a.jsonl", "--baseline", "alpha", "--json", "run.json"])
    capsys.readouterr()
    return "run.json"


def random_rows(seed=1):
    picks = random.Random(seed)  # noqa: S311 - seeded
    return [
        row(n, model, f"right {n}" if picks.random() < 0.7 else "wrong")
        for n in range(100)
        for model in ("alpha", "beta", "gamma")
    ]


@pytest.mark.usefixtures("suite")
def test_a_suite_that_never_ran_is_planned_with_cautious_figures(capsys):
    code, out, err = power(capsys, "--suite", "small", "--effect", "0.2")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [
        (
            "small: 20 questions in 10 passages, 2 models tested, alpha 0.05, min_effect 0.05,"
            " margin 0.1"
        ),
        "spread: assumed, because no run has measured it; state it with --changed and --correlation",  # noqa: E501
    ]
    assert lines[3].split()[:4] == ["any", "50", "%", "0.30"]
    assert lines[4].startswith("A net preference of −0.")
    assert "or worse is found in 80 % of runs: of 100 answers, " in lines[4]
    assert lines[5].startswith("A model that did not change passes in ")
    assert lines[6].startswith("To find −0.20 in 80 % of runs: ")
    assert lines[6].endswith(" passages (2 a passage).")
    assert lines[8:10] == [
        "runs of other sizes:",
        "questions  passages  finds  unchanged passes",
    ]
    assert [line.split()[:2] for line in lines[10:]] == [
        ["10", "5"], ["20", "10"], ["40", "20"], ["80", "40"], ["160", "80"],
    ]  # fmt: skip


@pytest.mark.usefixtures("suite")
def test_the_figures_are_those_of_the_statistics(capsys):
    table = plan(capsys, "--suite", "small", "--effect", "0.2")
    given = Spread(ASSUMED_CHANGED)
    expected = detectable_effect(20, 10, given, models=2, min_effect=0.05)
    assert table["detectable"] == pytest.approx(expected)
    questions = questions_needed(0.2, 2, given, models=2, min_effect=0.05)
    assert (table["questions_needed"], table["passages_needed"]) == (questions, questions // 2)
    assert (table["questions"], table["passages"], table["models"]) == (20, 10, 2)


def test_stated_figures_need_no_file(capsys):
    table = plan(
        capsys, "--questions", "60", "--passages", "12", "--changed", "0.2", "--correlation", "0.1",
        "--models", "3", "--alpha", "0.1", "--min-effect", "0", "--power", "0.9",
    )  # fmt: skip
    expected = detectable_effect(60, 12, Spread(0.2, 0.1), alpha=0.1, power=0.9, models=3)
    assert table["detectable"] == pytest.approx(expected)
    assert table["spread"]["source"] == "as stated"
    assert table["questions_needed"] is None


def test_more_questions_find_less(capsys):
    stated = ("--changed", "0.3")
    few = plan(capsys, "--questions", "60", "--passages", "12", *stated)
    many = plan(capsys, "--questions", "600", "--passages", "120", *stated)
    assert many["detectable"] < few["detectable"]
    assert few["spread"]["source"] == "as stated; the correlation within passages is assumed"


def test_the_spread_of_a_run_is_read_by_model(capsys):
    run = write_run(capsys, random_rows())
    table = plan(capsys, "--run", run)
    assert (table["name"], table["questions"], table["passages"]) == ("answers", 100, 20)
    assert table["spread"]["source"] == "run.json"
    by_model = {item["model"]: item for item in table["spread"]["by_model"]}
    assert set(by_model) == {"beta", "gamma"}
    questions = json.loads(Path(run).read_text())["suites"]["answers"]["questions"]
    changed = sum(item["preferences"]["beta"] != 0 for item in questions.values())
    assert by_model["beta"]["changed"] == pytest.approx(changed / 100)
    assert table["detectable"] == max(item["detectable"] for item in by_model.values())


def test_the_detectable_effect_is_the_one_of_the_summary(capsys):
    run = write_run(capsys, random_rows())
    verdicts = json.loads(Path(run).read_text())["suites"]["answers"]["verdicts"]
    for item in plan(capsys, "--run", run)["spread"]["by_model"]:
        told = verdicts[item["model"]]["quality"]["detectable"]
        assert item["detectable"] == pytest.approx(told, abs=1e-3)


def test_the_size_of_a_run_can_be_changed(capsys):
    run = write_run(capsys, random_rows())
    assert plan(capsys, "--run", run, "--questions", "200")["passages"] == 40
    assert plan(capsys, "--run", run, "--passages", "10")["questions"] == 50
    stated = plan(capsys, "--run", run, "--correlation", "0.9")
    assert {item["correlation"] for item in stated["spread"]["by_model"]} == {0.9}
    assert stated["spread"]["source"] == "run.json; the correlation within passages as stated"


def test_a_run_that_changed_nothing_tells_nothing(capsys):
    run = write_run(capsys, rows_of({"alpha": 3, "beta": 3}))
    table = plan(capsys, "--run", run)
    assert table["spread"]["source"].startswith("assumed, because run.json changed no ranking")
    assert table["spread"]["by_model"][0]["changed"] == ASSUMED_CHANGED


def test_too_few_passages_find_nothing_and_say_how_many_would(capsys):
    sizes = ("--questions", "40", "--passages", "4", "--models", "3")
    code, out, _ = power(capsys, *sizes)
    assert code == 0
    assert (
        "No loss can be found: 4 passages cannot be significant at alpha 0.05; ask about 6 or more"
    ) in out
    assert plan(capsys, *sizes)["detectable"] is None


def test_an_effect_may_be_typed_as_the_net_preference_that_it_is(capsys):
    sizes = ("--questions", "60", "--passages", "12")
    assert plan(capsys, *sizes, "--effect", "-0.2") == plan(capsys, *sizes, "--effect", "0.2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "how large is the run? give --suite, --run, or both --questions and --passages"),
        (("--questions", "60"), "how large is the run?"),
        (("--questions", "0", "--passages", "1"), "--questions 0: give 1 or more"),
        (("--questions", "5", "--passages", "6"), "--passages 6: is more than the 5 questions"),
        (("--questions", "6", "--passages", "6", "--models", "0"), "--models 0: give 1 or more"),
        (
            ("--questions", "6", "--passages", "6", "--power", "1"),
            "--power 1: give a share between",
        ),
        (
            ("--questions", "6", "--passages", "6", "--changed", "2"),
            "--changed 2: give a share from",
        ),
        (
            ("--questions", "6", "--passages", "6", "--changed", "nan"),
            "--changed nan: give a share",
        ),
        (
            ("--questions", "60", "--passages", "12", "--effect", "0.01"),
            "a loss of 0.01 is never found: give a loss above min_effect (0.05) and up to 1",
        ),
        (("--suite", "none"), "no suite 'none': suites/none.toml does not exist"),
        (("--run", "none.json"), "none.json: cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_plan_is_told(capsys, arguments, message):
    assert refused(capsys, *arguments).startswith(f"raq: {message}")


RUNS = [
    ("", "run.json: is not JSON: "),
    ("[]", "run.json: suites: is missing; expected a file of --raq-json"),
    ('{"suites": {}}', "run.json: format is None, this version reads 1"),
    ('{"format": 1, "suites": {"a": {}, "b": {}}}', "run.json: name a --suite; it has a, b"),
    ('{"format": 1, "suites": {"a": {}}}', "run.json: suites.a.questions: field required"),
    (
        json.dumps(
            {
                "format": 1,
                "suites": {"a": {"questions": {"q": {"preferences": {"m": 3}, "passage": ""}}}},
            }
        ),
        "run.json: suites.a.questions.q.preferences.m: input should be -1, 0 or 1",
    ),
    (
        '{"format": 1, "suites": {"a": {"questions": {}}}}',
        "run.json: a was not compared with accepted answers; give a run with a baseline,",
    ),
]


@pytest.mark.parametrize(("text", "message"), RUNS)
def test_a_file_that_is_no_run_is_told(capsys, text, message):
    Path("run.json").write_text(text, encoding="utf-8")
    assert message in refused(capsys, "--run", "run.json")


def test_a_suite_that_a_run_lacks_is_told(capsys):
    run = write_run(capsys, random_rows())
    assert "run.json: has no suite 'mini'; it has answers" in refused(
        capsys, "--run", run, "--suite", "mini"
    )


def test_the_last_run_of_a_suite_is_remembered(capsys, pytester, monkeypatch):
    project = Project(pytester)
    monkeypatch.chdir(project.root)
    project.accept()
    store = project.root / ".raq/store.db"
    assert read_last_run(store, "small") is None
    project.worse("second", 12)
    project.run()
    kept = read_last_run(store, "small")
    assert (kept.questions, kept.passages) == (20, 10)
    assert kept.spreads["second"].changed == pytest.approx(0.6)
    project.run("-k", "q1 or q2")
    capsys.readouterr()
    table = plan(capsys, "--suite", "small")
    assert table["spread"]["source"] == "the last run (.raq/store.db)"
    assert [item["changed"] for item in table["spread"]["by_model"]] == pytest.approx([0.0, 0.6])


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize("text", ["x", "SQLite format 3\0" + "x" * 9000])
def test_a_damaged_memory_is_told_and_left_as_it_is(capsys, text):
    Path(".raq").mkdir()
    Path(".raq/store.db").write_text(text, encoding="utf-8")
    assert ".raq/store.db: is damaged (" in refused(capsys, "--suite", "small")
    assert [item.name for item in Path(".raq").iterdir()] == ["store.db"]


@pytest.mark.usefixtures("suite")
def test_a_store_without_a_run_of_the_suite_tells_nothing(capsys):
    Store(Path(".raq/store.db")).close()
    table = plan(capsys, "--suite", "small")
    assert table["spread"]["source"].startswith("assumed, because no run has measured it")
