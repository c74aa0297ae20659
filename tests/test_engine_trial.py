"""Another llama-cpp-python: found, refused, run, and held against today's."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from environments import CRASHES, WORSE, make_empty_environment, make_environment
from small_projects import write_small_project

from pytest_raq.answering.identity import AnswerIdentity, engine_version, same_engine
from pytest_raq.cli import main
from pytest_raq.config import ModelDefinition
from pytest_raq.engines import open_engine
from pytest_raq.engines.llamacpp.engine_build import pip_install
from pytest_raq.engines.llamacpp.environment import find_environment
from pytest_raq.errors import ConfigError
from pytest_raq.records import Prompt


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    """Make environments by name: each once, when a test first asks for it."""
    folder = tmp_path_factory.mktemp("environments")
    kinds = {
        "same": {},
        "new": {"version": "0.4.1"},
        "worse": {"version": "0.4.2", "patch": WORSE},
        "crashing": {"version": "0.4.3", "patch": CRASHES},
        "old": {"version": "0.2.90"},
    }

    def find(name):
        if not (folder / name).exists():
            if name == "empty":
                make_empty_environment(folder / name)
            else:
                make_environment(folder / name, **kinds[name])
        return folder / name

    return find


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A suite of twelve questions about six passages for the smallest bundled reader."""
    write_small_project(tmp_path, "reader-mistral", "reader-mistral-q8_0.gguf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "empty",
            "{python}: has no llama-cpp-python: "
            + pip_install("llama-cpp-python", pip="{python} -m pip"),
        ),
        ("old", "{python}: has llama-cpp-python 0.2.90; 0.3.30 or newer is needed"),
    ],
)
def test_environments_of_no_use(environments, name, told):
    folder = environments(name)
    with pytest.raises(ConfigError) as caught:
        find_environment(folder)
    assert str(caught.value) == told.format(python=folder / "bin" / "python")


def test_paths_that_are_no_environment(tmp_path):
    text = tmp_path / "text"
    text.write_text("hello")
    liar = tmp_path / "liar"
    liar.write_text("#!/bin/sh\necho no such thing >&2\n")
    liar.chmod(0o755)
    ancient = tmp_path / "ancient"
    ancient.write_text(
        "#!/bin/sh\n"
        """echo '{"python": [3, 9], "version": "0.3.36", "origin": "/x/__init__.py"}'\n"""
    )
    ancient.chmod(0o755)
    for path, told in (
        (tmp_path / "no", "does not exist: name a python, or the folder of a virtual environment"),
        (tmp_path, "is not a virtual environment: it has no bin/python"),
        (text, "cannot be run: Permission denied: name a python, or the folder of a virtual"),
        (liar, "is not a Python that lists what it has (no such thing)"),
        (ancient, "is Python 3.9; the worker needs 3.11 or newer"),
    ):
        with pytest.raises(ConfigError) as caught:
            find_environment(path)
        assert str(caught.value).startswith(f"{path}: {told}")
        assert "\n" not in str(caught.value)


def test_answers_of_another_engine_have_keys_of_their_own(environments, tmp_path):
    def define(python=None):
        return ModelDefinition(
            name="m",
            path=tmp_path / "m.toml",
            file="m.gguf",
            python=python and str(python),
            python_allowed=True,
        )

    prompt = Prompt("q", "What?")
    today = AnswerIdentity(define(), "a")
    same = AnswerIdentity(define(environments("same")), "a")
    new = AnswerIdentity(define(environments("new")), "a")
    assert same.key(prompt) == today.key(prompt)
    assert new.key(prompt) != today.key(prompt)
    assert (same.engine_version, new.engine_version) == (engine_version(), "0.4.1")
    assert same_engine(define(), define(environments("same")))
    assert not same_engine(define(), define(environments("new")))
    # What older versions kept was made by the engine of this environment.
    assert (new.former_key(prompt), new.former_engine_key) == ("", "")


def test_the_worker_runs_where_the_definition_says(environments, tiny_gguf, monkeypatch):
    file = tiny_gguf()
    monkeypatch.setenv("PYTHONPATH", str(Path(sys.prefix) / "nowhere"))
    model = ModelDefinition(
        name="tiny",
        path=file.with_name("tiny.toml"),
        file=file.name,
        prompt="{question}",
        python=str(environments("new")),
        python_allowed=True,
    )
    with open_engine(model) as engine:
        assert engine.info.build.startswith("0.4.1 (")


def engine(*options):
    return main(["engine", "--suite", "small", *map(str, options)])


def test_an_engine_that_changes_nothing_passes(project, environments, capsys):
    table = project / "trial.json"
    assert engine("--python", environments("new"), "--json", table) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"today: llama-cpp-python {engine_version()} (")
    assert lines[1].startswith("tried: llama-cpp-python 0.4.1 (")
    assert "reader: 0 of 12 answers differ" in lines
    assert any(line.startswith("  12 of 12 answers tied with") for line in lines)
    assert any("decode tokens per second" in line for line in lines)
    found = json.loads(table.read_text(encoding="utf-8"))
    assert found["engines"]["tried"]["reader"].startswith("0.4.1 (")
    verdict = found["suites"]["small"]["verdicts"]["reader"]
    assert (verdict["verdict"], verdict["net_preference"]) == ("pass", 0)
    assert verdict["speed"][0]["ratio"] > 0
    # Nothing is accepted, and today's own build is known as such.
    assert not (project / "baselines").exists()
    assert engine("--python", environments("same")) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"note: {environments('same')} has the same build of llama-cpp-python as this environment:"
        " there was nothing to compare"
    )


def test_an_engine_that_answers_worse_fails_side_by_side(project, environments, capsys):
    assert project
    assert engine("--python", environments("worse")) == 1
    out = capsys.readouterr().out
    assert "REGRESSION reader: answers worse than the accepted ones on " in out
    assert "\n    today      " in out
    assert "\n    tried      " in out


def test_an_engine_that_crashes_is_not_measured(project, environments, capsys):
    assert project
    assert engine("--python", environments("crashing")) == 3
    out = capsys.readouterr().out
    assert "reader: no answers to compare" in out
    assert "NOT MEASURED reader: none of 12 questions has an answer" in out
    assert "was killed by SIGSEGV" in out


def test_wrong_paths_are_one_line(project, capsys):
    assert engine("--python", "no/such") == 2
    assert capsys.readouterr().err == (
        f"raq: {project}/no/such: does not exist: name a python, or the folder of a virtual"
        " environment\n"
    )


def test_pytest_gates_another_engine(project, environments, pytester):
    def run(*options):
        return pytester.runpytest_inprocess(
            project / "suites", "--raq-suite", "small", "-k", "gate", "--rootdir", project, *options
        )

    assert run("--raq-update").ret == 0
    worse = run("--raq-python", environments("worse"))
    assert worse.ret == 1
    worse.stdout.fnmatch_lines(["*REGRESSION reader: answers worse than the accepted ones on*"])
    worse.stdout.fnmatch_lines(["note: differs from the baseline: reader: build * → 0.4.2 (*"])
    wrong = run("--raq-python", "nowhere")
    wrong.stdout.fnmatch_lines(["*nowhere: does not exist: name a python, or the folder*"])
    refused = run("--raq-python", environments("new"), "--raq-update")
    refused.stdout.fnmatch_lines(["*cannot be used with --raq-python: write the change*"])
