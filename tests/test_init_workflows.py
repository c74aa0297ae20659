"""The workflows of raq init: well-formed, least rights, and their shell does what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_raq.report.markdown.suite import MARKER
from pytest_raq.scaffold import Contestant
from pytest_raq.scaffold.workflows import OWN_WORKFLOW, PLACES, requirements_text, workflow

ROOT = Path(__file__).parent.parent
TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
KNOWN_ACTIONS = {
    "actions/checkout": "v4.2.2",
    "actions/setup-python": "v5.6.0",
    "actions/cache": "v4.2.3",
    "actions/upload-artifact": "v4.6.2",
    "actions/download-artifact": "v4.3.0",
}
COMMIT = re.compile(r"uses: (\S+)@([0-9a-f]{40})  # (v\d+\.\d+\.\d+)$", re.MULTILINE)


def load(system, *, pulls=True):
    return yaml.safe_load(workflow(system, pulls=pulls)[1])


def steps(*, pulls=True):
    return [step for job in load("github", pulls=pulls)["jobs"].values() for step in job["steps"]]


def test_github_actions_are_known_ones_pinned_by_their_commits():
    text = workflow("github", pulls=True)[1]
    pins = set(COMMIT.findall(text))
    assert {name: version for name, _, version in pins} == KNOWN_ACTIONS
    assert len(pins) == len(KNOWN_ACTIONS)  # one commit each
    assert text.count("uses: ") == len(COMMIT.findall(text))


def test_only_jobs_that_run_no_model_may_write():
    table = load("github")
    assert table["permissions"] == {}
    rights = {name: job["permissions"] for name, job in table["jobs"].items()}
    assert rights == {
        "gate": {"contents": "read"},
        "comment": {"pull-requests": "write"},
        "answers": {"contents": "read"},
        "accept": {"contents": "write", "pull-requests": "write"},
    }
    for name in ("comment", "accept"):
        said = " ".join(step.get("run", "") for step in table["jobs"][name]["steps"])
        assert not re.search(r"\b(pytest suites|raq [a-z]+|pip (install|wheel))\b", said)
    for job in table["jobs"].values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_each_night_the_anchor_is_watched():
    table = load("github")
    assert table[True]["schedule"] == [{"cron": "17 3 * * *"}]  # YAML 1.1 reads "on" as true
    (run,) = [s for s in table["jobs"]["gate"]["steps"] if "pytest" in s.get("run", "")]
    assert run["run"].endswith(" $FRESH")
    assert "github.event_name == 'schedule' && '--raq-fresh'" in run["env"]["FRESH"]
    rules = load("gitlab")["answer quality"]["rules"]
    assert {
        "if": '$CI_PIPELINE_SOURCE == "schedule"',
        "variables": {"RAQ_FRESH": "--raq-fresh"},
    } in rules


def comment(tmp_path, known):
    """Run the step that comments, with a ``gh`` that writes down what it is asked for."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "gh").write_text(
        '#!/bin/sh\nprintf "%s\\n" "$*" >> gh.txt\n'
        f'case "$*" in *--paginate*) printf "{known}" ;; esac\n'
    )
    (tools / "gh").chmod(0o755)
    (tmp_path / "raq-run.md").write_text("<!-- pytest-raq -->\nall is well\n")
    (step,) = [s for s in load("github")["jobs"]["comment"]["steps"] if "run" in s]
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "REPOSITORY": "org/it", "NUMBER": "7"}
    command = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    return (tmp_path / "gh.txt").read_text().splitlines()[-1]


def test_a_pull_request_has_one_comment_that_is_written_anew(tmp_path):
    for folder in ("first", "later"):
        (tmp_path / folder).mkdir()
    first = comment(tmp_path / "first", "")
    assert first == "api repos/org/it/issues/7/comments --field body=@short.md"
    later = comment(tmp_path / "later", "41\\n42\\n")
    assert later == "api --method PATCH repos/org/it/issues/comments/41 --field body=@short.md"
    assert MARKER == "<!-- pytest-raq -->"  # by which the step knows its comment
    assert f'startswith("{MARKER}")' in workflow("github", pulls=True)[1]


@pytest.mark.parametrize("pulls", [True, False])
def test_a_linter_of_workflows_finds_nothing(tmp_path, pulls):
    zizmor = shutil.which("zizmor", path=TOOLS)
    if zizmor is None:
        pytest.skip("needs zizmor: pip install zizmor")
    path = tmp_path / ".github/workflows/raq.yml"
    path.parent.mkdir(parents=True)
    path.write_text(workflow("github", pulls=pulls)[1])
    found = subprocess.run(
        [zizmor, "--offline", "--no-progress", str(path)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("system", "schema"), [("github", "vendor.github-workflows"), ("gitlab", "vendor.gitlab-ci")]
)
def test_a_workflow_fits_the_schema_of_its_system(tmp_path, system, schema):
    tool = shutil.which("check-jsonschema", path=TOOLS)
    if tool is None:
        pytest.skip("needs check-jsonschema: pip install check-jsonschema")
    path = tmp_path / "workflow.yml"
    path.write_text(workflow(system, pulls=True)[1])
    command = [tool, "--builtin-schema", schema, str(path)]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_what_a_user_types_reaches_no_shell_as_text():
    for step in steps():
        assert "${{" not in step.get("run", "")


def test_gitlab_has_a_gate_and_an_update():
    table = load("gitlab")
    gate, accept = table["answer quality"], table["accept answers"]
    assert gate["script"] == [
        "pytest suites/ --raq-json raq-run.json --junitxml raq-junit.xml $RAQ_FRESH"
    ]
    assert gate["artifacts"]["reports"] == {"junit": "raq-junit.xml"}
    assert accept["rules"] == [{"if": "$RAQ_ACCEPT"}]
    assert table[".raq"]["before_script"][-1] == "raq models pull --all"
    assert [cache["paths"] for cache in table[".raq"]["cache"]] == [
        [".cache/engine"],
        [".cache/pip"],
        ["models/*.gguf"],
        [".raq/"],
    ]


@pytest.mark.parametrize("system", PLACES)
def test_what_is_accepted_was_answered_by_that_job(system):
    text = workflow(system, pulls=True)[1]
    (line,) = [line for line in text.splitlines() if "--raq-update" in line]
    assert "--raq-fresh" in line


def test_no_branch_reads_what_another_one_wrote():
    github = load("github")["jobs"]
    paths = [step.get("with", {}).get("path") for step in github["answers"]["steps"]]
    assert ".raq" not in paths
    (store,) = [
        s["with"] for s in github["gate"]["steps"] if s.get("with", {}).get("path") == ".raq"
    ]
    assert store["key"].startswith("raq-store-${{ github.ref }}-")
    assert store["restore-keys"].split() == [
        "raq-store-${{", "github.ref", "}}-", "raq-store-refs/heads/main-"
    ]  # fmt: skip
    for cache in load("gitlab")[".raq"]["cache"]:
        key = cache["key"]
        assert (key["prefix"] if isinstance(key, dict) else key).endswith("$CI_COMMIT_REF_SLUG")
        assert all(key.endswith("$CI_DEFAULT_BRANCH") for key in cache.get("fallback_keys", ()))


def test_a_jenkinsfile_is_balanced():
    text = re.sub(r"//.*|'''.*?'''|'[^'\n]*'|\"[^\"\n]*\"", "", workflow("jenkins", pulls=True)[1])
    opened = []
    for sign in re.findall(r"[{}()]", text):
        if sign in "{(":
            opened.append(sign)
        else:
            assert opened.pop() + sign in {"{}", "()"}
    assert not opened


@pytest.mark.parametrize("system", PLACES)
def test_models_that_are_there_are_not_fetched(system):
    text = workflow(system, pulls=False)[1]
    assert "raq models pull" in workflow(system, pulls=True)[1]
    assert "raq models pull" not in text
    assert "raq-models" not in text
    assert text.count("suites/") >= 3
    assert text.startswith(("# ", "// "))
    assert OWN_WORKFLOW in text.encode().partition(b"\n")[0]
    if system != "jenkins":
        yaml.safe_load(text)
    if system == "github":
        assert len(steps()) - len(steps(pulls=False)) == 4


def test_requirements_pin_the_engine():
    lines = requirements_text([Contestant("a")]).splitlines()
    assert re.fullmatch(r"pytest-raq\[llama\]==\S+", lines[1])
    assert re.fullmatch(r"llama-cpp-python==\S+", lines[2])


def test_a_server_needs_no_engine():
    lines = requirements_text([Contestant("a", url="http://h/v1", served_as="a")]).splitlines()
    assert len(lines) == 2
    assert "llama" not in lines[1]
    assert lines[1].startswith("pytest-raq")


def git(folder, *arguments):
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path):
    """A clone with an accepted baseline that this run has changed, and the remote."""
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(tmp_path, "init", "--quiet", str(clone))
    (clone / "baselines").mkdir()
    shutil.copy(ROOT / "baselines/mini.json", clone / "baselines/mini.json")
    git(clone, "add", "baselines")
    git(clone, "commit", "--quiet", "--message", "first")
    git(clone, "remote", "add", "origin", str(remote))
    return remote, clone


def open_pull_request(clone, tmp_path):
    """Run the steps that describe and that open, with a ``gh`` that writes down its arguments."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "gh").write_text(
        '#!/bin/sh\ntest "$1" = auth || printf "%s\\n" "$@" > "$RUNNER_TEMP/gh.txt"\n'
    )
    (tools / "raq").write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "'
        'import sys; from pytest_raq.cli import main; sys.exit(main())" "$@"\n'
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    jobs = load("github")["jobs"]
    (describe,) = [
        s["run"] for s in jobs["answers"]["steps"] if "accepted/body.md" in s.get("run", "")
    ]
    # The artifact goes from one job to the other.
    script = f'{describe}mv accepted "$RUNNER_TEMP/accepted"\ngit checkout --quiet baselines\n'
    script += jobs["accept"]["steps"][-1]["run"]
    environment = {
        "PATH": f"{tools}:/usr/bin:/bin:/usr/local/bin",
        "HOME": str(tmp_path),
        "RUNNER_TEMP": str(tmp_path),
        "BRANCH": "raq/baseline-1-1",
        "BASE": "main",
        "REASON": "smaller `$(touch owned)` file",
    }
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=clone,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git: install it")
def test_an_accepted_state_becomes_a_pull_request(repository, tmp_path):
    remote, clone = repository
    text = (clone / "baselines/mini.json").read_text(encoding="utf-8")
    (clone / "baselines/mini.json").write_text(text.replace('"silver"', '"gold"', 1))
    shutil.copy(ROOT / "baselines/mini.json", clone / "baselines/new.json")
    result = open_pull_request(clone, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    said = (tmp_path / "gh.txt").read_text().splitlines()
    assert said[:6] == ["pr", "create", "--base", "main", "--head", "raq/baseline-1-1"]
    body = (tmp_path / "short.md").read_text(encoding="utf-8")
    assert body.startswith("smaller `$(touch owned)` file\n\n")
    assert "gold" in body
    assert not (clone / "owned").exists()
    changed = git(remote, "diff", "--name-only", "raq/baseline-1-1~1", "raq/baseline-1-1")
    assert changed.split() == ["baselines/mini.json", "baselines/new.json"]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git: install it")
def test_an_unchanged_state_opens_nothing(repository, tmp_path):
    _, clone = repository
    result = open_pull_request(clone, tmp_path)
    assert (result.returncode, result.stdout) == (0, "nothing to accept\n")
    assert not (tmp_path / "gh.txt").exists()
