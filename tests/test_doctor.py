"""`raq doctor`: all of it, llama.cpp, and every end, as a person and as a program read it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile

import pytest
from doctor_project import SECRET, doctor, write_server
from environments import ONLY_WITH_EXTRA, make_empty_environment, make_killing_environment

from pytest_raq.cli import main
from pytest_raq.doctor import engine, environment, examination, project
from pytest_raq.doctor.context import install_command
from pytest_raq.engines.llamacpp import instruction_sets
from pytest_raq.engines.llamacpp.engine_build import pip_install
from pytest_raq.engines.llamacpp.instruction_sets import LibraryBuild

_RAQ = "import sys; from pytest_raq.cli import main; sys.exit(main())"


def fit(lines):
    """Return whether each line fits a terminal, but for a path or a command to be copied."""
    return all(len(line) <= 80 or " " not in line.strip() or "→ pip " in line for line in lines)


def test_all_is_well(home, capsys):
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    assert main(["doctor", "--json", "doctor.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads((home / "doctor.json").read_text())
    (home / "doctor.json").unlink()
    after = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    before.pop(home, None)
    assert {path: after[path] for path in before} == before  # nothing was changed
    assert found["format"] == 1
    assert found["counts"]["failure"] == 0
    assert len(found["findings"]) == sum(found["counts"].values())
    by_name = {finding["name"]: finding for finding in found["findings"]}
    for kind in ("F32", "F16", "Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "IQ4_XS"):
        assert by_name[kind]["health"] == "ok"
        assert by_name[kind]["text"].startswith("answers: ")
    assert by_name["suite small"]["text"] == (
        "1 model, judge reference, 12 questions of small.json, no baseline yet"
    )
    assert by_name["store"]["text"] == ".raq/store.db does not exist; the first run creates it"
    assert "llama.cpp" in lines
    assert lines[-1].endswith(", 0 failures")
    assert fit(lines)


def test_a_build_with_kernels_that_kill_is_a_warning_with_one_command(home, monkeypatch, capsys):
    monkeypatch.setattr(engine, "_KINDS", ("Q4_0", "Q4_K_M"))
    python = make_killing_environment(home / "killing", batch=ONLY_WITH_EXTRA)
    code, text, found = doctor(capsys, "--python", python, "--offline")
    assert code == 0
    quantized = found["llama.cpp", "Q4_K_M"]
    assert quantized["health"] == "warning"
    assert quantized["text"].endswith(", with extra buffer types off")
    assert "was killed by SIGILL" in found["llama.cpp", "extra buffer types"]["text"]
    assert text.count("pip install --force-reinstall") == 1


def test_a_build_that_never_runs_fails(home, monkeypatch, capsys):
    monkeypatch.setattr(engine, "_KINDS", ("Q8_0", "Q6_K"))
    python = make_killing_environment(home / "killing", batch="True")
    code, text, found = doctor(capsys, "--python", python, "--offline")
    assert code == 3
    assert found["llama.cpp", "Q8_0"]["health"] == "failure"
    assert found["llama.cpp", "Q8_0"]["text"].startswith(
        "the llama.cpp worker was killed by SIGILL while it loaded the model, also with extra"
        " buffer types off: llama.cpp was compiled for "
    )
    assert "FAILURE  F32, Q8_0, Q6_K: the llama.cpp worker was killed by SIGILL" in text
    assert text.count("pip install --force-reinstall") == 1


def test_a_build_that_dies_when_it_is_imported_fails(home, capsys):
    ends = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    python = make_killing_environment(home / "killing", imported=ends)
    code, _, found = doctor(capsys, "--python", python, "--offline")
    assert code == 3
    assert "was killed by SIGILL" in found["llama.cpp", "F32"]["text"]
    assert found["llama.cpp", "quantizer"]["text"].startswith(
        "llama.cpp's quantizer was killed by SIGILL on the way: llama.cpp was compiled for "
    )
    assert ("extras", "hub") in found


def test_a_build_for_another_processor_names_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # also where no model needs it
    build = LibraryBuild("python3", "0.3.36", frozenset({"AVX2", "AMX_INT8"}))
    monkeypatch.setattr("pytest_raq.doctor.engine.library_build", lambda _: build)
    monkeypatch.setattr(engine._Examination, "_kinds", lambda *_: iter(()))
    monkeypatch.setattr(instruction_sets, "processor_features", lambda: frozenset({"AVX2"}))
    code, _, found = doctor(capsys, "--offline")
    assert code == 3
    assert found["llama.cpp", "compiled for"]["text"] == (
        "AVX2 AMX_INT8; this processor has no AMX_INT8"
    )
    assert "llama-cpp-python==0.3.36" in found["llama.cpp", "compiled for"]["next_step"]


def test_no_llama_cpp_python(home, capsys):
    python = make_empty_environment(home / "empty") / "bin/python"
    code, _, found = doctor(capsys, "--python", python, "--offline")
    assert code == 3
    assert found["llama.cpp", "python"]["text"] == f"{python}: has no llama-cpp-python"
    step = pip_install("llama-cpp-python", pip=f"{python} -m pip")
    assert found["llama.cpp", "python"]["next_step"] == step


@pytest.mark.usefixtures("home")
def test_no_llama_cpp_python_here(monkeypatch, capsys):
    build = LibraryBuild("python3", problem="llama-cpp-python is not installed")
    monkeypatch.setattr(engine, "library_build", lambda _: build)
    monkeypatch.setattr(environment, "find_spec", lambda name: None if name == "llama_cpp" else 1)
    code, text, found = doctor(capsys, "--offline")
    assert code == 3
    assert found["llama.cpp", "llama-cpp-python"] == {
        "section": "llama.cpp",
        "name": "llama-cpp-python",
        "health": "failure",
        "text": "not installed",
        "next_step": install_command("llama"),
    }
    assert found["extras", "llama"]["text"] == "not installed, but reader needs it"
    assert f"→ {install_command('llama')}" in text
    assert install_command("llama").startswith('CMAKE_ARGS="-DGGML_NATIVE=OFF')
    assert install_command("llama").endswith(" pip install --no-cache-dir 'pytest-raq[llama]'")


def test_the_python_that_a_definition_names_is_looked_at(home, monkeypatch, capsys):
    monkeypatch.setattr(engine, "_KINDS", ("Q4_K_M",))
    make_empty_environment(home / "empty")
    definition = home / "models/reader.toml"
    definition.write_text(f'python = "../empty"\n{definition.read_text()}')
    code, text, found = doctor(capsys, "--offline")
    told = found["llama.cpp", "python of reader"]
    assert told["health"] == "warning"
    assert told["text"].endswith(
        "reader.toml names ../empty, which is not run without --allow-python"
    )
    code, text, found = doctor(capsys, "--offline", "--allow-python")
    section = "llama.cpp of models/../empty"
    assert code == 3
    assert found[section, "python"]["health"] == "failure"
    assert found[section, "python"]["text"].endswith("/bin/python: has no llama-cpp-python")
    assert found["llama.cpp", "Q4_K_M"]["health"] == "ok"
    assert section in text.splitlines()


@pytest.mark.usefixtures("home")
def test_nowhere_to_write_temporary_files(monkeypatch, capsys):
    def nowhere(*_, **_options):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", nowhere)
    code, _, found = doctor(capsys, "--offline")
    assert code == 3
    assert found["machine", "room for temporary files"]["text"] == "no folder can be written"
    assert found["llama.cpp", "temporary files"]["text"].startswith("no model for a test can be")
    assert found["llama.cpp", "temporary files"]["next_step"] == (
        "make space, or set TMPDIR to a folder that can be written"
    )


@pytest.mark.usefixtures("home")
def test_kinds_that_take_too_long_are_not_tried(monkeypatch, capsys):
    monkeypatch.setattr(engine, "_SECONDS", -1.0)
    assert main(["doctor", "--offline"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Q6_K, IQ4_XS: not tried: the other kinds took longer than -1 s" in text


@pytest.mark.usefixtures("without_engine")
def test_outside_a_project(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, text, found = doctor(capsys)
    assert code == 0
    assert found["project", "suites"]["text"] == "there is no folder suites"
    assert "→ raq init starts a project here" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_engine")
def test_what_cannot_be_looked_at_costs_nothing_else(home, monkeypatch, capsys):
    def broken(_path):
        raise RuntimeError(f"no luck with {SECRET}")

    monkeypatch.setenv("SOME_TOKEN", SECRET)
    monkeypatch.setattr(project, "inspect_store", broken)
    (home / ".raq").mkdir()
    (home / ".raq/store.db").touch()
    code, _, found = doctor(capsys)
    assert code == 3
    assert found["project", "store"]["text"] == (
        "could not be checked: RuntimeError: no luck with [hidden]"
    )
    assert ("project", "git") in found
    assert ("extras", "hub") in found


@pytest.mark.usefixtures("without_engine")
def test_steps_are_wrapped_and_commands_are_not(home, capsys):
    long = "a-model-with-a-name-that-nearly-fills-a-line"
    (home / f"models/{long}.toml").write_text(
        'file = "x.gguf"\n[source]\nrepo = "o/r"\nfilename = "x.gguf"\n'
    )
    assert main(["doctor", "--offline"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert fit(lines)
    place = next(at for at, line in enumerate(lines) if f"→ run raq models pull {long}" in line)
    assert lines[place + 1].startswith("             ")
    assert lines[place + 1].strip() == "or correct file = 'x.gguf' in"


def test_ctrl_c_leaves_nothing_behind(home):
    make_empty_environment(home / "empty")
    rest = home / "temporary"
    rest.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        write_server(home, f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        before = {path for path in home.rglob("*") if "empty" not in path.parts}
        process = subprocess.Popen(
            [sys.executable, "-c", _RAQ, "doctor", "--python", "empty"],
            env={**os.environ, "TMPDIR": str(rest), "MY_WORD": SECRET},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        silent.settimeout(60)
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == 130
    assert err.endswith("raq: interrupted\n")
    assert out == ""
    assert {path for path in home.rglob("*") if "empty" not in path.parts} == before


@pytest.mark.usefixtures("home", "without_engine")
def test_ctrl_c_ends_it(monkeypatch, capsys):
    def interrupt(_context):
        raise KeyboardInterrupt

    monkeypatch.setattr(examination, "_LOOKS", (("versions", interrupt),))
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err.endswith("raq: interrupted\n")
