"""``--raq-report`` and ``raq report``: which run is shown, and what is said when none can be."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest
from projects import CONFTEST, Project

from pytest_raq.cli import main
from pytest_raq.store import Store

STORE = Path(".raq/store.db")


@pytest.fixture
def project(pytester, monkeypatch):
    monkeypatch.chdir(pytester.path)
    return Project(pytester)


def report(capsys, *arguments, code=0):
    capsys.readouterr()
    assert main(["report", *arguments]) == code
    out, err = capsys.readouterr()
    assert (out if code else err) == ""
    return (err if code else out).rstrip("\n")


def read(name="raq-report.html"):
    return Path(name).read_text(encoding="utf-8")


def conclusion(html):
    return re.search(r'<p class="conclusion \w+">(.*?)</p>', html)[1]


def run_ids():
    with Store(STORE) as store:
        return [run.id for run in store.runs.latest()]


def test_a_run_writes_its_page(project):
    project.accept()
    project.worse("second")
    result = project.run("--raq-report", "out/page.html")
    result.stdout.fnmatch_lines(["report written to *page.html"])
    html = read("out/page.html")
    assert conclusion(html) == "Regression: second is worse than accepted. 1 other: 1 unchanged."
    assert "<dt>Run</dt><dd>20" in html
    assert "<dt>Options</dt><dd>--raq-fresh yes</dd>" in html
    assert [path.name for path in Path("out").iterdir()] == ["page.html"]


def test_a_run_without_a_baseline_says_so(project):
    project.run("--raq-report", "page.html")
    assert conclusion(read("page.html")) == (
        "No baseline: nothing accepted to compare first and second with."
    )


def test_a_folder_is_refused_before_anything_runs(project):
    result = project.run("--raq-report", "suites")
    result.stdout.fnmatch_lines([f"*--raq-report {project.root}/suites: is a folder; give a file"])
    assert project.asked() == []


def test_a_place_that_cannot_be_written_is_one_line(project):
    result = project.run("--raq-report", "replies.json/page.html")
    result.stdout.fnmatch_lines(["ERROR: *replies.json/page.html: cannot be written: *"])
    assert result.ret == 1
    assert len(run_ids()) == 1


def test_a_stopped_run_has_a_page_that_says_so(project):
    stop = "\n\ndef pytest_runtest_logreport(report):\n    if 'q3' in report.nodeid:\n"
    project.write("conftest.py", f"{CONFTEST}{stop}        raise KeyboardInterrupt\n")
    project.pytester.runpytest_inprocess(
        "suites", "--raq-report", "page.html", no_reraise_ctrlc=True
    )
    html = read("page.html")
    assert "<dt>State</dt><dd>interrupted</dd>" in html
    assert conclusion(html).startswith("No")


def test_the_last_run_is_shown_as_it_was(project, capsys):
    project.accept()
    project.worse("first")
    project.run("--raq-report", "then.html")
    latest = run_ids()[0]
    assert report(capsys) == f"report of {latest} written to raq-report.html"
    assert read() == read("then.html")
    told = report(capsys, latest[:-2], "--out", "deep/er/page.html")
    assert told == f"report of {latest} written to deep/er/page.html"
    assert read("deep/er/page.html") == read()


def test_half_of_a_character_in_an_answer_stops_nothing(project, capsys):
    project.replies({"first": {"q0": "half \ud83d of it"}})
    project.run("--raq-json", "run.json", "--raq-report", "page.html")
    answers = json.loads(read("run.json"))["suites"]["small"]["questions"]["q0"]["answers"]
    assert answers["first"] == "half \ufffd of it"
    report(capsys, "run.json")
    report(capsys)
    assert read() == read("page.html")
    assert r"half \ufffd of it" in read()


def test_runs_are_listed_the_latest_first(project, capsys):
    project.accept()
    project.worse("first")
    project.run()
    latest, first = report(capsys, "--list").splitlines()
    assert re.fullmatch(r"\S+  20\S+Z  small \(1 regression, 1 unchanged\)", latest)
    assert first.endswith("small (2 no baseline)")
    assert not Path("raq-report.html").exists()


def test_an_earlier_run_is_shown_by_its_id(project, capsys):
    project.accept()
    project.run()
    earlier = run_ids()[1]
    report(capsys, earlier)
    assert "<dt>Accepted</dt><dd>as the baseline</dd>" in read()


def test_which_run_is_meant_must_be_clear(project, capsys):
    project.run()
    project.run()
    latest = run_ids()[0]
    assert report(capsys, "20", code=2) == (
        f"raq: 20: matches 2 runs, the latest is {latest}; give more of the id"
    )
    assert report(capsys, "nothing", code=2) == (
        "raq: nothing: is not a file or run of .raq/store.db; raq report --list names the runs"
    )
    other = sqlite3.connect(STORE)
    other.execute("DELETE FROM results WHERE run = ?", (latest,))
    other.commit()
    other.close()
    assert report(capsys, latest, code=2) == (
        f"raq: {latest}: .raq/store.db has the figures of that run, but not its answers any"
        " more; raq report --list names the runs that can be shown"
    )


def test_files_of_results_are_shown(project, capsys):
    project.accept()
    project.worse("second")
    project.run("--raq-json", "run.json", "--raq-report", "then.html")
    assert report(capsys, "run.json") == "report of run.json written to raq-report.html"
    facts = re.compile(r'<dl class="facts">.*?</dl>', re.DOTALL)
    assert facts.sub("", read()) == facts.sub("", read("then.html"))
    report(capsys, "run.json", str(project.root / "run.json"))
    names = re.findall(r'<h2 id="suite-\d">(.*?)</h2>', read())
    assert names == ["small (run.json)"] * 2


def test_what_is_wrong_with_a_file_is_one_line(project, capsys):
    project.run("--raq-json", "run.json")
    table = json.loads(read("run.json"))

    def told(change, name="bad.json"):
        copy = json.loads(json.dumps(table))
        change(copy["suites"]["small"])
        Path(name).write_text(json.dumps(copy), encoding="utf-8")
        return report(capsys, name, code=2)

    again = "; write the file again with --raq-json"
    assert told(lambda suite: suite.pop("questions")) == (
        f"raq: bad.json: suites.small.questions: is missing{again}"
    )
    assert told(lambda suite: suite["questions"]["q3"].update(answers=["x"])).startswith(
        "raq: bad.json: suites.small.questions.3.answers: input should be a valid"
    )
    assert told(lambda suite: suite["models"]["first"].update(f1="good")).startswith(
        "raq: bad.json: suites.small.models.first.f1: input should be a valid number"
    )
    assert told(lambda suite: suite["questions"].update(q3=None)).startswith(
        "raq: bad.json: suites.small.questions.3: input should be"
    )
    Path("bad.json").write_text("{", encoding="utf-8")
    assert report(capsys, "bad.json", code=2).startswith("raq: bad.json: is not JSON: ")
    Path("bad.json").write_text("", encoding="utf-8")
    assert report(capsys, "bad.json", code=2).startswith("raq: bad.json: is not JSON: ")
    Path("bad.json").write_text('{"format": 1, "suites": {}}', encoding="utf-8")
    assert report(capsys, "bad.json", code=2) == "raq: bad.json: holds no suite"
    assert report(capsys, "no.json", code=2) == (
        "raq: no.json: cannot be read: No such file or directory"
    )
    assert report(capsys, "suites", code=2) == "raq: suites: cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "raq: .raq/store.db: does not exist; the first run creates it"),
        (("--list",), "raq: .raq/store.db: does not exist; the first run creates it"),
        (("--list", "20"), "raq: --list lists all runs; leave out 20"),
        (("--out", "."), "raq: --out .: is a folder; give a file"),
    ],
)
def test_a_mistake_is_one_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert report(capsys, *arguments, code=2) == message


def test_a_store_without_results_says_where_they_come_from(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Store(STORE).close()
    assert report(capsys, code=2) == (
        "raq: .raq/store.db: no run is kept; the next run of pytest keeps its results"
    )
    assert report(capsys, "--list") == ".raq/store.db: no run is kept"


def test_ranked_answers_have_a_page_too(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": f"q{n}", "model": m, "answer": "right" if m == "old" or n < 3 else "no",
         "references": ["right"], "passage": f"p{n // 2}", "question": "What?"}
        for n in range(20) for m in ("old", "new")
    ]  # fmt: skip
    Path("answers.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    code = main(["rank", "answers.jsonl", "--baseline", "old", "--report", "page.html"])
    assert code == 1
    assert conclusion(read("page.html")) == "Regression: new is worse than accepted."
    main(["rank", "answers.jsonl", "--json", "answers.json"])
    report(capsys, "answers.json")
    assert conclusion(read()) == "No verdict: nothing was compared with accepted answers."
