"""Judges in a run: tested before they are trusted, in panels, their verdicts kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from projects import CONFTEST, Project, squad

from pytest_raq.cli import main

PATCH = """

import sys

sys.path.insert(0, {tests!r})
from judges import all_level, always_first, good, reading_judge, silent

from pytest_raq.judging import ReferenceJudge
from pytest_raq.running import build

JUDGES = {{
    "reference": ReferenceJudge,
    "good": good,
    "twice": lambda: good("twice", orders=2),
    "first": always_first,
    "first twice": lambda: always_first("first twice", orders=2),
    "level": lambda: reading_judge(all_level, "level"),
    "silent": silent,
}}


def noted(name, *_, **__):
    judge = JUDGES[name]()
    if not judge.is_free:
        ask = judge._verdict

        def verdict(case):
            with (ROOT / "judged.txt").open("a", encoding="utf-8") as log:
                log.write(json.dumps([name, case.question.id, case.texts]) + "\\n")
            return ask(case)

        judge._verdict = verdict
    return judge


_configure = pytest_configure


def pytest_configure(config):
    _configure(config)
    config.raq_patch.setattr(build, "open_judge", noted)
"""
ANSWERS = {f"q{number}": f"the right {number}" for number in range(8)}
"""Right for SQuAD, but another text: the judge has to be asked."""


@pytest.fixture
def project(pytester):
    made = Project(pytester)
    made.write("conftest.py", CONFTEST + PATCH.format(tests=str(Path(__file__).parent)))
    made.write("suites/small.json", json.dumps(squad(4, 2)))
    made.replies({"second": ANSWERS})
    return made


def judged(project):
    """Return what the judges were asked since the last call: judge, question, texts."""
    path = project.root / "judged.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [json.loads(line) for line in lines]


def run(project, *options):
    """Run without speed and with the store."""
    return project.pytester.runpytest_inprocess("suites", "-k", "not speed", *options)


def results(project, *options):
    run(project, "--raq-json", "run.json", *options)
    return json.loads((project.root / "run.json").read_text(encoding="utf-8"))["suites"]["small"]


def judge_of_suite(project, text):
    path = project.root / "suites/small.toml"
    path.write_text(f"judge = {text}\n" + path.read_text(encoding="utf-8"), encoding="utf-8")


def test_a_good_judge_is_tested_once_and_asked_nothing_twice(project):
    judge_of_suite(project, '"good"')
    result = run(project, "--raq-update")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["judge good: 24 of 24 (100 %, interval 86 % to 100 %) pairs of known order ranked*"]
    )
    asked = [question for _, question, _ in judged(project)]
    assert len([name for name in asked if "sentinel" in name]) == 12
    assert len(asked) == 12 + 8
    assert all("sentinel" in name for name in asked[:12])
    assert run(project).ret == 0
    assert judged(project) == []


def test_a_judge_is_not_asked_at_collection_nor_where_nothing_needs_it(project):
    judge_of_suite(project, '"good"')
    run(project, "--collect-only")
    project.replies({})
    run(project)
    assert judged(project) == []


def test_a_judge_that_prefers_what_it_reads_first_is_refused(project):
    run(project, "--raq-update")
    result = run(project, "--raq-judge", "first", "--raq-json", "run.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "judge first: * pairs of known order ranked correctly, place in the prompt tau 1.00, *",
            "NOT MEASURED first: judge 'first' is not trusted: it ranked * of 24 *it prefers*",
        ]
    )
    small = json.loads((project.root / "run.json").read_text(encoding="utf-8"))["suites"]["small"]
    assert {item["verdict"] for item in small["verdicts"].values()} == {"not measured"}
    assert small["judge"]["problems"][0].startswith("judge 'first' is not trusted")
    assert small["judge"]["check"]["first"]["position"]["tau"] == 1.0
    assert small["judge"]["habits"]["first"]["position"]["tau"] == 1.0
    assert small["judge"]["habits"]["first"]["ranked"] == 8


def test_in_two_orders_it_makes_no_model_win_and_is_refused(project):
    small = results(project, "--raq-judge", "first twice")
    assert {item["verdict"] for item in small["verdicts"].values()} == {"not measured"}
    assert all(set(item["ranks"].values()) == {1.5} for item in small["questions"].values())
    assert small["models"]["first"]["mean_rank"] == small["models"]["second"]["mean_rank"] == 1.5
    assert "0 of 24 pairs" in small["judge"]["problems"][0]
    assert small["judge"]["habits"]["first twice"]["orders_agreed"]["count"] == 0
    assert set(small["judge"]["orders_agreed"].values()) == {False}


def test_a_refused_judge_makes_no_baseline(project):
    judge_of_suite(project, '"level"')
    result = run(project, "--raq-update")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["ERROR: *baselines/small.json is not updated: judge 'level' is not trusted:*0 of 24*"]
    )
    assert not (project.root / "baselines").exists()


def test_a_judge_is_trusted_unchecked_where_the_suite_says_so(project):
    judge_of_suite(project, '"first"')
    path = project.root / "suites/small.toml"
    path.write_text(path.read_text() + "[gate]\nmin_judge_accuracy = 0\n", encoding="utf-8")
    result = run(project, "--raq-update")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: the judge is not checked: min_judge_accuracy is 0"])
    assert not any("sentinel" in question for _, question, _ in judged(project))


def test_a_panel_is_told_with_its_agreement(project):
    judge_of_suite(project, '["good", "reference", "twice"]')
    project.replies({"second": {f"q{n}": f"right {n} or so" for n in range(8)}})
    result = run(project, "--raq-update", "--raq-json", "run.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "small: 8 questions in 4 passages, judges good, reference, twice",
            "judges good, *8 questions: Kendall's W 1.00 (by chance 0.33), Krippendorff's α 1.00",
            "  good – reference: tau 1.00, 8 of 8 pairs alike",
        ]
    )
    small = json.loads((project.root / "run.json").read_text(encoding="utf-8"))["suites"]["small"]
    agreement = small["judge"]["agreement"]
    assert agreement["kendall_w"] == agreement["kendall_w_by_question"]["q3"] == 1.0
    assert [pair["second"] for pair in agreement["pairs"]] == ["reference", "twice", "twice"]
    assert small["judge"]["ranks"]["q3"] == {
        judge: {"first": 1.0, "second": 2.0} for judge in ("good", "reference", "twice")
    }
    assert list(small["judge"]["check"]) == ["good", "twice"]
    assert small["provenance"]["judge"]["name"] == "good, reference, twice"
    assert run(project).ret == 0


def test_one_bad_judge_of_a_panel_refuses_the_gate(project):
    small = results(project, "--raq-judge", "good,first,reference")
    assert len(small["judge"]["problems"]) == 1
    assert {item["verdict"] for item in small["verdicts"].values()} == {"not measured"}


def test_a_judge_of_a_panel_does_not_see_answers_of_its_own_family(project):
    project.write("models/first.toml", (project.root / "models/first.toml").read_text()
                  + 'family = "Llama"\n')  # fmt: skip
    project.write("models/good.toml", 'family = "llama"\nfile = "x.gguf"\n')
    run(project, "--raq-judge", "good,twice,reference")
    asked = [item for item in judged(project) if "sentinel" not in item[1]]
    assert {name for name, _, _ in asked} == {"twice"}
    result = run(project, "--raq-judge", "good,silent")
    result.stdout.fnmatch_lines(["*0 of 1 judges gave a ranking; silent: the reply is no ranking*"])


def test_a_single_judge_of_the_family_of_a_model_is_told(project):
    project.write("models/first.toml", (project.root / "models/first.toml").read_text()
                  + 'family = "llama"\n')  # fmt: skip
    project.write("models/good.toml", 'family = "llama"\nfile = "x.gguf"\n')
    result = run(project, "--raq-judge", "good")
    result.stdout.fnmatch_lines(
        [
            "note: judge good is of the family llama, as is first: it may prefer their answers*",
        ]
    )


def test_processes_of_a_run_test_a_judge_once_and_end_in_the_same_figures(project):
    options = ("--raq-judge", "good,first", "--raq-fresh")
    alone = results(project, *options)
    judged(project)
    project.pytester.runpytest_subprocess(
        "suites", "-n", "2", "-k", "not speed", *options, "--raq-json", "run.json"
    )
    text = (project.root / "run.json").read_text(encoding="utf-8")
    shared = json.loads(text)["suites"]["small"]
    for part in ("judge", "verdicts", "questions"):
        assert shared[part] == alone[part]
    assert len(judged(project)) == 2 * (12 + 8)


def test_names_of_people_may_be_models_whose_answers_are_accepted(project, capsys, monkeypatch):
    project.replies({"second": {f"q{n}": "wrong" for n in range(8)}})
    run(project, "--raq-update")
    monkeypatch.chdir(project.root)
    lines = [{"id": f"q{n}", "order": ["first", "second"]} for n in range(4)]
    Path("h.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    capsys.readouterr()
    assert main(["judge", "check", "--human", "h.jsonl"]) == 0
    assert "people       4 rankings: tau 1.00, 4 of 4" in capsys.readouterr().out


def test_a_judge_option_without_a_name_is_told(project):
    result = run(project, "--raq-judge", ",")
    result.stdout.fnmatch_lines(["*--raq-judge ',': name a judge, or several as A,B,C"])
    assert result.ret == 2
