"""What a change does to the files that the gate rests on, and judging by another revision."""

from __future__ import annotations

import json
import subprocess

import pytest
from accepted import make_baseline
from projects import SUITE, Project, squad

from pytest_raq.baselines.file import save_anchor, save_baseline
from pytest_raq.config import GateSettings, load_suite
from pytest_raq.errors import ConfigError
from pytest_raq.gate.strictness import gate_table
from pytest_raq.git import find_repository
from pytest_raq.records.plain import plain
from pytest_raq.running import Session, SessionOptions
from pytest_raq.running.base_revision import open_base
from pytest_raq.running.change import TARGETS, describe_change, target_of_change


def git(folder, *arguments):
    settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    wrong = {"first": 0, "second": 0}
    return make_baseline(tmp_path_factory.mktemp("made"), wrong, gate=gate_table(GateSettings()))


@pytest.fixture
def project(pytester, baseline):
    """Return a project whose branch main has an accepted state; its change is not committed."""
    project = Project(pytester)
    for save in (save_baseline, save_anchor):
        save(project.root / "baselines", baseline)
    project.write(".gitignore", ".raq\nloaded.txt\nasked.txt\nreplies.json\nrun.*\n")
    git(project.root, "init", "-q", "-b", "main")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "accepted")
    git(project.root, "switch", "-qc", "change")
    return project


def options(project, **more):
    root = project.root
    return SessionOptions(
        root / "suites", root / "models", root / "baselines", root / ".raq/store.db", **more
    )


def described(project, **more):
    return describe_change(options(project, **more), load_suite(project.root / "suites", "small"))


def turn_off(project):
    """Lower the bar in every way that a change can."""
    project.write("suites/small.toml", f"{SUITE}[gate]\nmargin = 0.5\nmin_effect = 0.2\n")
    document = squad()
    document["data"][0]["paragraphs"][0]["qas"][0]["answers"][0]["text"] = "wrong"
    project.write("suites/small.json", json.dumps(document))
    path = project.root / "baselines" / "small.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    table["gate"]["margin"] = 0.5
    path.write_text(json.dumps(table), encoding="utf-8")
    (project.root / "baselines" / "small.anchor.json").unlink()
    project.write("models/first.toml", 'file = "first.gguf"\nprompt_file = "ask.txt"\n')
    project.write("models/ask.txt", "{passage} {question}")
    project.write("suites/test_suites.py", "def test_nothing():\n    pass\n")


CHANGES = (
    "this change adds models/ask.txt (the prompt of a definition)",
    "this change deletes baselines/small.anchor.json (the anchor)",
    "this change modifies baselines/small.json (the accepted answers)",
    "this change modifies models/first.toml (a definition)",
    "this change modifies suites/small.json (the questions)",
    "this change modifies suites/small.toml (the suite)",
    "this change modifies suites/test_suites.py (code of the tests)",
)


def test_a_change_is_compared_with_where_it_left_its_target(project, monkeypatch):
    assert described(project) == ()  # no CI names a target
    monkeypatch.setenv("CI_MERGE_REQUEST_DIFF_BASE_SHA", "main")
    assert described(project) == ()
    turn_off(project)
    *files, laxer = described(project)
    assert tuple(sorted(files)) == CHANGES
    assert laxer == (
        "this change makes the gate laxer than at main: margin 0.1 → 0.5, min_effect 0.05 → 0.2"
    )
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "change")
    assert len(described(project)) == 8
    # What happens on main afterwards is not of this change.
    git(project.root, "switch", "-q", "main")
    project.write("models/second.toml", "# other words\n" + SUITE)
    git(project.root, "commit", "-qam", "later")
    git(project.root, "switch", "-q", "change")
    assert len(described(project)) == 8


def test_a_target_that_is_not_there_is_not_silence(project, monkeypatch):
    monkeypatch.setenv("GITHUB_BASE_REF", "main")  # origin/main was not fetched
    (told,) = described(project)
    assert told == (
        "what this change does to baselines, settings and questions is not known: git does not"
        " find where it left origin/main: fetch the whole history (fetch-depth: 0)"
    )


@pytest.mark.parametrize("variable", [name for name, _ in TARGETS])
def test_each_ci_system_names_the_target(variable, monkeypatch):
    assert target_of_change() == ""
    monkeypatch.setenv(variable, "refs/heads/release/2")
    assert target_of_change().endswith("release/2")


def test_another_revision_decides(project):
    for name in ("small", "small.anchor"):
        (project.root / "baselines" / f"{name}.json").unlink()
    project.accept()
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "accepted")
    git(project.root, "branch", "-f", "main")
    turn_off(project)
    git(project.root, "checkout", "-q", "main", "--", "suites/test_suites.py")
    project.worse("first", 14)
    own = project.run("--raq-json", "run.json", "--raq-markdown", "run.md")
    assert own.ret == 1
    own.stdout.no_fnmatch_line("*REGRESSION*")
    result = project.run("--raq-base", "main", "--raq-json", "run.json", "--raq-markdown", "run.md")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "this change modifies suites/small.toml (the suite); not used: main decides",
            "REGRESSION first: *",
        ]
    )
    table = json.loads((project.root / "run.json").read_text(encoding="utf-8"))["suites"]["small"]
    assert table["gate"]["margin"] == 0.1
    assert table["verdicts"]["first"]["verdict"] == "regression"
    decides = "; not used: main decides"
    expected = [text + ("" if "definition" in text else decides) for text in CHANGES[:-1]]
    assert sorted(table["changes"]) == expected
    markdown = (project.root / "run.md").read_text(encoding="utf-8")
    assert f"- ⚠️ `{expected[0]}`" in markdown


def test_a_revision_that_cannot_decide_is_refused(project, tmp_path):
    result = project.run("--raq-base", "nowhere")
    assert result.ret == 2
    result.stdout.fnmatch_lines(
        ["*--raq-base nowhere: git does not know that revision: fetch it (fetch-depth: 0)"]
    )
    with pytest.raises(ConfigError, match=r"--raq-update .* cannot be used with --raq-base"):
        Session(options(project, base="main", update=True))
    project.write("suites/new.toml", SUITE)
    session = Session(options(project, base="main", suites=("new",)))
    with pytest.raises(ConfigError, match="--raq-base main: has no suite 'new'"):
        session.run("new")
    session.close()
    with pytest.raises(ConfigError, match="is in no git repository"):
        open_base(SessionOptions(tmp_path, tmp_path, tmp_path, tmp_path / "s", base="main"))
    assert find_repository(tmp_path) is None


def test_the_copy_of_a_revision_is_whole_and_is_removed(project):
    project.write("suites/small.toml", SUITE.replace("small.json", "../data/asked.json"))
    (project.root / "data").mkdir()
    project.write("data/asked.json", json.dumps(squad(passages=3)))
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "questions elsewhere")
    project.write("data/asked.json", "[]")
    session = Session(options(project, base="HEAD"))
    run = session.run("small")
    assert len(run.questions) == 6
    assert run.comparison.path == "HEAD:baselines/small.json"
    assert "was accepted for other questions" in run.comparison.problem
    assert plain(run.provenance)["source"] == "../data/asked.json"
    root = session.base.root
    assert root.is_dir()
    session.close()
    assert not root.exists()


def test_a_link_of_the_change_does_not_bring_another_file_in(project, tmp_path):
    outside = tmp_path.parent / "outside.json"
    outside.write_text(json.dumps(squad()), encoding="utf-8")
    project.write("suites/small.toml", SUITE.replace("small.json", "fetched.json"))
    git(project.root, "commit", "-qam", "questions that are fetched before a run")
    (project.root / "suites" / "fetched.json").symlink_to(outside)
    session = Session(options(project, base="HEAD"))
    with pytest.raises(ConfigError, match="is outside the project"):
        session.run("small")
    session.close()
