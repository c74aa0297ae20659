"""`raq doctor`: each kind of trouble, as a person and as a program read it."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest
from environments import ONLY_WITH_EXTRA, make_empty_environment, make_killing_environment
from openai_server import chat, error, serving, stream
from small_projects import write_small_project

from pytest_raq.cli import main
from pytest_raq.doctor import environment, examination, project, services
from pytest_raq.doctor.secrets import hide_secrets
from pytest_raq.engines.llamacpp import engine_build, instruction_sets
from pytest_raq.engines.llamacpp.instruction_sets import LibraryBuild

SECRET = "sk-planted-5e1f0c"  # noqa: S105


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A project of one suite that runs by default, with its model."""
    write_small_project(tmp_path, "reader-llama", "reader-llama-f16.gguf")
    suite = tmp_path / "suites/small.toml"
    suite.write_text(f"default = true\n{suite.read_text()}")
    monkeypatch.chdir(tmp_path)
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def without_engine(monkeypatch):
    """Leave out what takes seconds and is tested apart."""
    looks = tuple(look for look in examination._LOOKS if look[0] != "llama.cpp")
    monkeypatch.setattr(examination, "_LOOKS", looks)


def doctor(capsys, *options):
    """Return the exit code, the text, and the findings by section and name."""
    code = main(["doctor", *map(str, options)])
    text = capsys.readouterr().out
    main(["doctor", *map(str, options), "--json", "-"])
    found = json.loads(capsys.readouterr().out)
    return code, text, {(f["section"], f["name"]): f for f in found["findings"]}


def test_all_is_well(small, capsys):
    before = {path: path.stat().st_mtime_ns for path in small.rglob("*")}
    assert main(["doctor", "--json", "doctor.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads((small / "doctor.json").read_text())
    (small / "doctor.json").unlink()
    after = {path: path.stat().st_mtime_ns for path in small.rglob("*")}
    before.pop(small, None)
    assert {path: after[path] for path in before} == before  # nothing was changed
    assert found["format"] == 1
    assert found["counts"]["failure"] == 0
    assert len(found["findings"]) == sum(found["counts"].values())
    by_name = {finding["name"]: finding for finding in found["findings"]}
    for kind in ("F32", "F16", "Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "IQ4_XS"):
        assert by_name[kind]["health"] == "ok"
        assert by_name[kind]["text"].startswith("answers: ")
    assert by_name["suite small"]["text"] == "1 model, judge reference"
    assert by_name["store"]["text"] == ".raq/store.db does not exist; the first run makes it"
    assert "llama.cpp" in lines
    assert lines[-1].endswith(", 0 failures")
    assert all(len(line) <= 80 for line in lines if "→" not in line)


def test_a_build_with_kernels_that_kill_is_a_warning_with_one_command(small, capsys):
    python = make_killing_environment(small / "killing", batch=ONLY_WITH_EXTRA)
    code, text, found = doctor(capsys, "--python", python, "--offline")
    assert code == 0
    quantized = found["llama.cpp", "Q4_K_M"]
    assert quantized["health"] == "warning"
    assert quantized["text"].endswith(", with extra buffer types off")
    assert "was killed by SIGILL" in found["llama.cpp", "extra buffer types"]["text"]
    assert text.count("pip install --force-reinstall") == 1


def test_a_build_that_never_runs_fails(small, capsys):
    python = make_killing_environment(small / "killing", batch="True")
    code, text, found = doctor(capsys, "--python", python, "--offline")
    assert code == 3
    assert found["llama.cpp", "Q8_0"]["health"] == "failure"
    assert "also with extra buffer types off" in found["llama.cpp", "Q8_0"]["text"]
    assert "FAILURE" in text


@pytest.mark.usefixtures("small")
def test_a_build_for_another_processor_names_what_is_missing(monkeypatch, capsys):
    build = LibraryBuild("python3", "0.3.36", frozenset({"AVX2", "AMX_INT8"}))
    monkeypatch.setattr("pytest_raq.doctor.engine.library_build", lambda _: build)
    monkeypatch.setattr("pytest_raq.doctor.engine._kinds", lambda _: iter(()))
    monkeypatch.setattr(instruction_sets, "processor_features", lambda: frozenset({"AVX2"}))
    code, _, found = doctor(capsys, "--offline")
    assert code == 3
    assert found["llama.cpp", "compiled for"]["text"] == (
        "AVX2 AMX_INT8; this processor has no AMX_INT8"
    )
    assert "llama-cpp-python==0.3.36" in found["llama.cpp", "compiled for"]["next_step"]


def test_no_llama_cpp_python(small, capsys):
    python = make_empty_environment(small / "empty") / "bin/python"
    code, _, found = doctor(capsys, "--python", python, "--offline")
    assert code == 3
    assert found["llama.cpp", "python"]["text"] == f"{python}: has no llama-cpp-python"
    assert found["llama.cpp", "python"]["next_step"] == f"{python} -m pip install llama-cpp-python"


@pytest.mark.usefixtures("without_engine")
def test_files_that_are_not_what_they_must_be(small, capsys):
    (small / "models/broken.toml").write_text("fil = 'x.gguf'\n")
    (small / "models/empty.gguf").touch()
    (small / "models/empty.toml").write_text("file = 'empty.gguf'\n")
    text = (small / "models/reader.toml").read_text()
    changed = text.replace("d9df12e2bd8c", "000000000000")
    (small / "models/reader.toml").write_text(changed)
    (small / "suites/other.toml").write_text(
        "models = ['nobody']\n[dataset]\nsource = 'small.json'\n"
    )
    code, _, found = doctor(capsys)
    assert code == 3
    assert found["project", "model broken"]["health"] == "failure"
    assert "fil" in found["project", "model broken"]["text"]
    assert found["project", "model empty"]["health"] == "warning"  # no default suite needs it
    assert found["project", "model reader"]["health"] == "failure"
    assert "its SHA-256 starts with d9df12e2bd8c" in found["project", "model reader"]["text"]
    assert found["project", "suite other"]["text"] == (
        "names nobody, and models has no such definition"
    )


@pytest.mark.usefixtures("without_engine")
def test_outside_a_project(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, text, found = doctor(capsys)
    assert code == 0
    assert found["project", "suites"]["text"] == "there is no folder suites"
    assert "→ raq init starts a project here" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_engine")
def test_a_damaged_store_and_one_that_cannot_be_written(small, monkeypatch, capsys):
    (small / ".raq").mkdir()
    (small / ".raq/store.db").write_bytes(b"not a database" * 100)
    code, _, found = doctor(capsys)
    assert code == 0
    assert "is damaged" in found["project", "store"]["text"]
    (small / ".raq/store.db").unlink()
    from pytest_raq.store import Store

    Store(small / ".raq/store.db").close()
    monkeypatch.setattr(project.os, "access", lambda *_: False)
    _, _, found = doctor(capsys)
    assert found["project", "store"]["text"].endswith("; it cannot be written")
    assert found["machine", "room for store"]["health"] == "warning"


@pytest.mark.usefixtures("without_engine")
def test_git_and_baselines_that_are_not_committed(small, monkeypatch, capsys):
    _, _, found = doctor(capsys)
    assert found["project", "git"]["next_step"] == "git init"
    subprocess.run(["git", "init", "-q"], check=True)
    (small / "baselines").mkdir()
    (small / "baselines/small.json").write_text("{}")
    _, _, found = doctor(capsys)
    assert "baselines that are not committed: baselines/" in found["project", "git"]["text"]

    def missing(*_arguments):
        raise FileNotFoundError

    monkeypatch.setattr(project, "_git", missing)
    _, _, found = doctor(capsys)
    assert found["project", "git"]["next_step"] == "install git"


def server_project(folder, url, *, judge=False):
    (folder / "models/served.toml").write_text(
        f'engine = "openai"\n[openai]\nbase_url = "{url}"\nmodel = "m"\napi_key_env = "MY_WORD"\n'
    )
    suite = folder / "suites/small.toml"
    text = suite.read_text()
    text = (
        text.replace("default = true", 'default = true\njudge = "served"')
        if judge
        else text.replace('"reader"', '"reader", "served"')
    )
    suite.write_text(text)


@pytest.mark.usefixtures("without_engine")
def test_a_server_is_asked_once_and_its_key_is_not_shown(small, monkeypatch, capsys):
    monkeypatch.setenv("MY_WORD", SECRET)
    with serving(lambda _: stream(["yes"])) as server:
        server_project(small, server.url)
        code, text, found = doctor(capsys)
        assert len(server.requests) == 2  # once for the text, once for the JSON
    assert code == 0
    assert found["servers", "served"]["text"].startswith(f"m of {server.url} answered after ")
    assert SECRET not in text + json.dumps(list(found.values()))


@pytest.mark.usefixtures("without_engine")
def test_a_server_that_repeats_the_key_does_not_show_it(small, monkeypatch, capsys):
    monkeypatch.setenv("MY_WORD", SECRET)
    with serving(lambda _: error(401, f"Incorrect API key provided: {SECRET}")) as server:
        server_project(small, server.url)
        code, text, found = doctor(capsys)
    assert code == 3
    assert found["servers", "served"]["health"] == "failure"
    assert SECRET not in text + json.dumps(list(found.values()))


@pytest.mark.usefixtures("without_engine")
def test_a_server_that_hangs_is_not_waited_for(small, monkeypatch, capsys):
    monkeypatch.setattr(services, "ANSWER_SECONDS", 0.3)
    monkeypatch.setenv("MY_WORD", SECRET)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server_project(small, f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        code, _, found = doctor(capsys)
    assert code == 3
    assert found["servers", "served"]["health"] == "failure"


@pytest.mark.usefixtures("without_engine")
def test_a_key_that_is_not_set(small, monkeypatch, capsys):
    monkeypatch.delenv("MY_WORD", raising=False)
    server_project(small, "https://user:pass-of-mine@models.invalid/v1?token=query-of-mine")
    code, text, found = doctor(capsys)
    assert code == 3
    assert "MY_WORD is not set" in found["servers", "served"]["text"]
    assert "pass-of-mine" not in text
    assert "query-of-mine" not in text


@pytest.mark.usefixtures("without_engine")
def test_a_judge_is_asked_to_rank(small, monkeypatch, capsys):
    monkeypatch.setenv("MY_WORD", SECRET)
    with serving(lambda _: chat('{"ranking": [[2], [1]]}')) as server:
        server_project(small, server.url, judge=True)
        code, _, found = doctor(capsys)
        assert server.requests
    assert code == 0
    assert found["judges", "served"]["text"].startswith("ranked two answers after ")
    code, _, found = doctor(capsys)  # the server has gone
    assert code == 3
    assert found["judges", "served"]["health"] == "failure"
    _, _, found = doctor(capsys, "--offline")
    assert found["judges", "served"]["text"] == "not asked (--offline)"


@pytest.mark.usefixtures("without_engine")
def test_the_hub_is_asked_only_where_it_is_needed(small, monkeypatch, capsys):
    _, _, found = doctor(capsys)
    assert found["hub", "https://huggingface.co"]["text"] == (
        "not asked: no model here comes from a hub"
    )
    with (small / "models/reader.toml").open("a") as file:
        file.write('[source]\nrepo = "o/r"\nfilename = "f.gguf"\n')
    monkeypatch.setenv("HF_ENDPOINT", "http://user:pass-of-mine@127.0.0.1:9")
    code, text, found = doctor(capsys)
    assert code == 0  # the file is there
    hub = found["hub", "http://[hidden]@127.0.0.1:9"]
    assert hub["health"] == "warning"
    assert hub["text"].startswith("cannot be reached (")
    assert "pass-of-mine" not in text
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    _, _, found = doctor(capsys)
    assert found["hub", "offline"]["text"].startswith("HF_HUB_OFFLINE is set")


@pytest.mark.usefixtures("without_engine")
def test_an_extra_that_is_missing_names_its_command(small, monkeypatch, capsys):
    absent = {"openai", "sqlalchemy"}
    monkeypatch.setattr(environment, "find_spec", lambda name: None if name in absent else name)
    server_project(small, "http://127.0.0.1:9/v1")
    _, _, found = doctor(capsys, "--offline")
    assert found["extras", "openai"]["text"] == "not installed, and served needs it"
    assert found["extras", "openai"]["next_step"] == "pip install 'pytest-raq[openai]'"
    assert found["extras", "history"]["health"] == "ok"
    assert found["extras", "history"]["text"].endswith("pip install 'pytest-raq[history]'")


@pytest.mark.usefixtures("small", "without_engine")
def test_a_container_has_less_than_its_machine(tmp_path, monkeypatch, capsys):
    group = tmp_path / "cgroup"
    group.mkdir()
    (group / "memory.max").write_text("8000000\n")
    (group / "memory.current").write_text("3000000\n")
    (group / "cpu.max").write_text("50000 100000\n")
    monkeypatch.setattr(environment, "_CGROUP", group)
    _, _, found = doctor(capsys)
    assert found["machine", "cores"]["text"].startswith("0.5 of ")
    assert found["machine", "memory"]["health"] == "warning"
    assert found["machine", "memory"]["text"] == (
        "5.0 MB free of 8.0 MB; the file of reader has 7.1 MB"
    )
    for name in ("memory.max", "memory.current", "cpu.max"):
        (group / name).unlink()
    (group / "memory").mkdir()
    (group / "memory/memory.limit_in_bytes").write_text("9000000\n")
    (group / "memory/memory.usage_in_bytes").write_text("1000000\n")
    (group / "cpu").mkdir()
    (group / "cpu/cpu.cfs_quota_us").write_text("25000\n")
    (group / "cpu/cpu.cfs_period_us").write_text("100000\n")
    _, _, found = doctor(capsys)
    assert found["machine", "cores"]["text"].startswith("0.25 of ")
    assert found["machine", "memory"]["text"].startswith("8.0 MB free of 9.0 MB")


@pytest.mark.usefixtures("without_engine")
def test_what_cannot_be_looked_at_costs_nothing_else(small, monkeypatch, capsys):
    def broken(_path):
        raise RuntimeError(f"no luck with {SECRET}")

    monkeypatch.setenv("SOME_TOKEN", SECRET)
    monkeypatch.setattr(project, "describe_store", broken)
    (small / ".raq").mkdir()
    (small / ".raq/store.db").touch()
    code, _, found = doctor(capsys)
    assert code == 3
    assert found["project", "store"]["text"] == (
        "could not be looked at: RuntimeError: no luck with [hidden]"
    )
    assert ("project", "git") in found
    assert ("extras", "hub") in found


@pytest.mark.usefixtures("small", "without_engine")
def test_ctrl_c_ends_it(monkeypatch, capsys):
    def interrupt(_patient):
        raise KeyboardInterrupt

    monkeypatch.setattr(examination, "_LOOKS", (("versions", interrupt),))
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err.endswith("raq: interrupted\n")


def test_secrets_are_hidden_by_the_names_of_their_variables(monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_abcdefgh")
    monkeypatch.setenv("PLAIN", "plain-value")
    monkeypatch.setenv("OWN", "own-value")
    text = "ghs_abcdefgh plain-value own-value http://a:b@h/x?y=z"
    assert hide_secrets(text, ["OWN"]) == (
        "[hidden] plain-value [hidden] http://[hidden]@h/x?[hidden]"
    )


def test_the_processor_is_read_as_llama_cpp_names_it(tmp_path, monkeypatch):
    path = Path(tmp_path / "cpuinfo")
    monkeypatch.setattr(engine_build, "_CPUINFO", path)
    path.write_text("processor: 0\nflags\t\t: pni ssse3 avx avx2 fma f16c bmi2 amx_tile amx_int8\n")
    assert instruction_sets.processor_features() == {
        "SSE3", "SSSE3", "AVX", "AVX2", "FMA", "F16C", "BMI2", "AMX_INT8",
    }  # fmt: skip
    path.write_text("processor: 0\nFeatures\t: fp asimd asimddp i8mm\n")
    assert instruction_sets.processor_features() == {
        "NEON", "ARM_FMA", "DOTPROD", "MATMUL_INT8",
    }  # fmt: skip
    path.write_text("nothing\n")
    assert instruction_sets.processor_features() == frozenset()
