"""The recipes, requirements, documents and messages that install an engine: compiled for all."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from pytest_raq.engines.llamacpp.engine_build import LEVELS
from pytest_raq.scaffold import Contestant
from pytest_raq.scaffold.workflows import requirements_text, workflow

ROOT = Path(__file__).parent.parent


def test_the_recipes_compile_for_every_runner():
    github = yaml.safe_load(workflow("github", pulls=True)[1])
    assert github["env"]["CMAKE_ARGS"] == "-DGGML_NATIVE=OFF"
    for job in ("gate", "answers"):
        steps = github["jobs"][job]["steps"]
        python = next(s for s in steps if s.get("uses", "").startswith("actions/setup-python"))
        assert "cache" not in python["with"]  # its key knows no flags
        (cache,) = [s for s in steps if s.get("with", {}).get("path") == ".cache/engine"]
        assert "${{ env.CMAKE_ARGS }}" in cache["with"]["key"]
        assert "restore-keys" not in cache["with"]
    gitlab = yaml.safe_load(workflow("gitlab", pulls=True)[1])[".raq"]
    assert gitlab["variables"]["CMAKE_ARGS"] == "-DGGML_NATIVE=OFF"
    assert gitlab["cache"][0]["key"]["prefix"] == "raq-engine-portable-$CI_COMMIT_REF_SLUG"
    jenkins = workflow("jenkins", pulls=True)[1]
    assert "CMAKE_ARGS = '-DGGML_NATIVE=OFF'" in jenkins
    assert 'PIP_CACHE_DIR = "${WORKSPACE}/.cache/pip"' in jenkins


def shell_of(system):
    """Return the lines of a recipe that install."""
    text = workflow(system, pulls=False)[1]
    if system == "gitlab":
        return "\n".join(yaml.safe_load(text)[".raq"]["before_script"])
    return re.search(r"sh '''(.*?)'''", text, re.DOTALL)[1]


@pytest.mark.parametrize("system", ["gitlab", "jenkins"])
def test_an_engine_that_was_compiled_otherwise_is_not_kept(system, tmp_path):
    tools, work = tmp_path / "tools", tmp_path / "work"
    tools.mkdir()
    work.mkdir()
    for name, text in {
        "python3": 'mkdir -p .venv/bin && cp "$(dirname $0)/pip" .venv/bin/pip',
        "pip": "mkdir -p .cache/pip",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    kept = work / (".cache/engine/wheel" if system == "gitlab" else ".venv/engine")

    def run(arguments):
        subprocess.run(
            ["sh", "-xec", shell_of(system)],
            cwd=work,
            env={"PATH": f"{tools}:{os.environ['PATH']}", "CMAKE_ARGS": arguments},
            check=True,
        )
        is_kept = kept.exists()
        kept.touch()
        return is_kept

    kept.parent.mkdir(parents=True)
    kept.touch()  # by an older recipe, for the processor at hand
    assert not run("-DGGML_NATIVE=OFF")
    assert run("-DGGML_NATIVE=OFF")
    assert not run("-DGGML_NATIVE=OFF -DGGML_AVX2=OFF")
    assert run("-DGGML_NATIVE=OFF -DGGML_AVX2=OFF")


@pytest.mark.parametrize("system", ["github", "gitlab", "jenkins"])
@pytest.mark.parametrize("has_avx2", [True, False])
def test_a_runner_without_avx2_compiles_without(system, has_avx2, tmp_path):
    if system == "github":
        steps = yaml.safe_load(workflow(system, pulls=False)[1])["jobs"]["gate"]["steps"]
        (shell,) = [step["run"] for step in steps if "AVX2" in step.get("name", "")]
        # The next step has what the file says.
        shell += '\nwhile read -r line; do export "$line"; done < "$GITHUB_ENV"\npip'
    else:
        shell = shell_of(system)
    told = tmp_path / "told"
    for name, text in {
        "grep": f"exit {0 if has_avx2 else 1}",
        "uname": "echo x86_64",
        "python3": 'mkdir -p .venv/bin && cp "$(dirname $0)/pip" .venv/bin/pip',
        "pip": f'echo "$CMAKE_ARGS" > {told}',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    variables = tmp_path / "env"
    variables.touch()
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CMAKE_ARGS": "-DGGML_NATIVE=OFF",
        "GITHUB_ENV": str(variables),
    }
    subprocess.run(["sh", "-ec", shell], cwd=tmp_path, env=environment, check=True)
    expected = LEVELS["avx2" if has_avx2 else "sse42"]
    assert told.read_text().split() == list(expected)


def test_requirements_say_how_to_compile():
    assert "CMAKE_ARGS=-DGGML_NATIVE=OFF" in requirements_text([Contestant("a")])
    served = requirements_text([Contestant("a", url="http://h/v1", served_as="a")])
    assert "CMAKE_ARGS" not in served


def test_the_documents_that_install_an_engine_say_how():
    """Each command that brings an engine is told how, and takes none from pip's common cache."""
    brings = re.compile(r"^\$ .*pip install .*(?:llama|\[all\]|suites/requirements)")
    pages = ("README.md", "CONTRIBUTING.md", "models/README.md")
    found = []
    for path in (*map(ROOT.joinpath, pages), *ROOT.glob("docs/*.md")):
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for line in filter(brings.search, block.splitlines()):
                assert "CMAKE_ARGS=-DGGML_NATIVE=OFF" in block, path
                assert "--no-cache-dir" in line or "PIP_CACHE_DIR=" in block, path
                found.append(path.name)
    assert sorted(found) == ["README.md", "ci.md", "first-gate.md", "upgrades.md", "upgrades.md"]


def test_messages_tell_the_same_command():
    for path in ROOT.glob("pytest_raq/**/*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not re.search(r"pip install \S*(?:llama|requirements)", line), path
