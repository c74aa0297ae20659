"""`raq doctor`: the machine, and what lies in the project."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from doctor_project import doctor, write_server

from pytest_raq.config import load_model
from pytest_raq.doctor import context, environment, repository
from pytest_raq.doctor import environment as container
from pytest_raq.engines.llamacpp import engine_build, instruction_sets
from pytest_raq.store import Store
from pytest_raq.store import maintenance as inspection
from pytest_raq.text import size_text

_WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("DELETE FROM runs")
connection.execute("PRAGMA cache_spill")
print("writes", flush=True)
sys.stdin.readline()
"""


@pytest.mark.usefixtures("without_engine")
def test_files_that_are_not_what_they_must_be(home, capsys):
    (home / "models/broken.toml").write_text("fil = 'x.gguf'\n")
    (home / "models/empty.gguf").touch()
    (home / "models/empty.toml").write_text("file = 'empty.gguf'\n")
    text = (home / "models/reader.toml").read_text()
    changed = text.replace("d9df12e2bd8c", "000000000000")
    (home / "models/reader.toml").write_text(changed)
    (home / "suites/other.toml").write_text(
        "models = ['nobody']\n[dataset]\nsource = 'small.json'\n"
    )
    code, _, found = doctor(capsys)
    assert code == 3
    assert found["project", "model broken"]["health"] == "failure"
    assert found["project", "model broken"]["text"] == (
        "models/broken.toml: unknown key fil; did you mean 'file'?"
    )
    assert found["project", "model broken"]["next_step"] == "correct models/broken.toml"
    assert found["project", "model empty"]["health"] == "warning"  # no default suite needs it
    assert found["project", "model reader"]["health"] == "failure"
    assert "its SHA-256 starts with d9df12e2bd8c" in found["project", "model reader"]["text"]
    assert found["project", "suite other"]["text"] == (
        "names nobody, but models has no such definition"
    )


@pytest.mark.usefixtures("without_engine")
def test_names_that_no_file_has(home, capsys):
    for number, name in enumerate(("\\u0000.gguf", "a" * 5000, "..", "\\ud7ff\\n")):
        (home / f"models/odd-{number}.toml").write_text(f'file = "{name}"\n')
    (home / "models/folder.toml").mkdir()
    (home / "models/link.toml").symlink_to("nowhere")
    os.mkfifo(home / "models/pipe.toml")
    code, _, found = doctor(capsys)
    assert code == 3
    assert not [each for each in found.values() if "could not be checked" in each["text"]]
    assert found["project", "model pipe"]["text"].startswith(
        "models/pipe.toml: is not a regular file"
    )
    assert found["project", "model odd-2"]["health"] == "warning"


@pytest.mark.usefixtures("without_engine")
def test_one_definition_that_breaks_the_reader_costs_no_other(home, monkeypatch, capsys):
    def broken(folder, name):
        if name == "odd":
            raise RuntimeError("no luck")
        return load_model(folder, name)

    (home / "models/odd.toml").touch()
    monkeypatch.setattr(context, "load_model", broken)
    code, _, found = doctor(capsys)
    assert code == 3
    assert found["project", "model odd"]["text"] == (
        "odd.toml cannot be read: RuntimeError: no luck"
    )
    assert found["project", "model reader"]["health"] == "ok"


@pytest.mark.usefixtures("without_engine")
def test_questions_and_baselines_that_cannot_be_read(home, capsys):
    (home / "baselines").mkdir()
    (home / "baselines/small.json").write_text("<<<<<<< HEAD\n")
    code, _, found = doctor(capsys)
    assert code == 3
    assert found["project", "suite small"]["text"].startswith("baselines/small.json:1: ")
    (home / "baselines/small.json").unlink()
    (home / "suites/small.json").unlink()
    code, _, found = doctor(capsys)
    assert code == 3
    assert "small.json: does not exist" in found["project", "suite small"]["text"]


@pytest.mark.usefixtures("without_engine")
def test_a_folder_that_cannot_be_written(home, monkeypatch, capsys):
    with Store(home / ".raq/store.db"):
        pass
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
    code, _, found = doctor(capsys)
    assert code == 0
    assert found["project", "store"]["text"] == (
        f".raq/store.db, {size_text((home / '.raq/store.db').stat().st_size)}, 0 answers, 0 runs,"
        " format 6; it cannot be written"
    )
    assert found["machine", "room for store"]["text"] == f"{home}/.raq cannot be written"
    assert found["machine", "room for store"]["next_step"] == (
        f"check the owner and the permissions of {home}/.raq"
    )


@pytest.mark.usefixtures("home", "without_engine")
def test_folders_that_cannot_be_read(monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda path, _: path != Path("models"))
    code, _, found = doctor(capsys)
    assert code == 3
    assert found["project", "models"]["text"] == "models cannot be read"
    assert found["project", "models"]["next_step"] == (
        "check the owner and the permissions of models"
    )


@pytest.mark.usefixtures("without_engine")
def test_a_full_disk(home, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3_000_000))
    _, _, found = doctor(capsys)
    assert found["machine", "room for models"]["text"] == f"3.0 MB free in {home}/models"
    assert found["machine", "room for models"]["next_step"] == "make space on this disk"


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 5\0" + b"x" * 2000])
@pytest.mark.usefixtures("without_engine")
def test_a_damaged_store(home, capsys, content):
    (home / ".raq").mkdir()
    (home / ".raq/store.db").write_bytes(content)
    code, _, found = doctor(capsys)
    assert code == 0  # the next run goes on
    assert found["project", "store"]["health"] == "warning"
    assert (
        "is damaged (file is not a database); the next run moves it away"
        in (found["project", "store"]["text"])
    )
    assert (home / ".raq/store.db").read_bytes() == content
    assert [path.name for path in (home / ".raq").iterdir()] == ["store.db"]


@pytest.mark.usefixtures("without_engine")
def test_a_page_of_noise_in_a_store(home, capsys):
    path = home / ".raq/store.db"
    with Store(path):
        pass
    data = bytearray(path.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    path.write_bytes(data)
    _, _, found = doctor(capsys)
    assert "is damaged (" in found["project", "store"]["text"]
    assert path.read_bytes() == data


@pytest.mark.usefixtures("without_engine")
def test_what_is_no_store(home, capsys):
    path = home / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (a)")
    _, _, found = doctor(capsys, "--store", path)
    assert found["project", "store"]["text"].startswith(
        f"{path}: it is the database of another program; it was not changed"
    )
    _, _, found = doctor(capsys, "--store", home)
    assert found["project", "store"]["text"] == f"{home}: is a folder"
    assert found["project", "store"]["next_step"] == "choose another with --raq-store"


@pytest.mark.usefixtures("without_engine")
def test_a_store_that_a_run_writes_is_left_alone(home, monkeypatch, capsys):
    monkeypatch.setattr(inspection, "_BUSY_SECONDS", 0.2)
    path = home / ".raq/store.db"
    with Store(path):
        pass
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with writer:
        assert writer.stdout.readline() == "writes\n"
        code, _, found = doctor(capsys)
        writer.communicate("end\n")
    assert code == 0
    assert found["project", "store"]["text"].endswith("format 6; locked by another process")
    assert found["project", "store"]["next_step"] == "wait for that process, or end it"
    before = path.read_bytes()
    _, _, found = doctor(capsys)
    assert found["project", "store"]["health"] == "ok"
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["store.db"]


@pytest.mark.usefixtures("without_engine")
def test_git_and_baselines_that_are_not_committed(home, monkeypatch, capsys):
    _, _, found = doctor(capsys)
    assert found["project", "git"]["next_step"] == "git init"
    subprocess.run(["git", "init", "-q"], check=True)
    (home / "baselines").mkdir()
    (home / "baselines/small.json").write_text("{}")
    _, _, found = doctor(capsys)
    assert "baselines that are not committed: baselines/" in found["project", "git"]["text"]
    (home / ".gitignore").write_text("baselines\n")
    _, _, found = doctor(capsys)
    assert found["project", "git"]["text"].endswith(
        "it ignores the folder baselines, which belongs in the repository"
    )
    (home / ".git/config").write_text("[broken\n")
    _, _, found = doctor(capsys)
    assert "bad config line 1" in found["project", "git"]["text"]
    monkeypatch.setenv("PATH", str(home))
    _, _, found = doctor(capsys)
    assert found["project", "git"]["text"] == "is not installed"
    assert found["project", "git"]["next_step"] == "install git"


@pytest.mark.usefixtures("home", "without_engine")
def test_a_git_that_hangs_is_not_waited_for(tmp_path, monkeypatch, capsys):
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(repository, "_SECONDS", 0.2)
    _, _, found = doctor(capsys)
    assert found["project", "git"]["text"] == "did not answer within 0.2 s"


@pytest.mark.usefixtures("home", "without_engine")
def test_plugins_that_pytest_does_not_load(monkeypatch, capsys):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    _, _, found = doctor(capsys)
    assert found["versions", "pytest plugins"]["health"] == "warning"
    assert found["versions", "pytest plugins"]["next_step"] == (
        "unset PYTEST_DISABLE_PLUGIN_AUTOLOAD, or run pytest -p pytest_raq.plugin"
    )


@pytest.mark.usefixtures("without_engine")
def test_an_extra_that_is_missing_names_its_command(home, monkeypatch, capsys):
    absent = {"openai", "sqlalchemy"}
    monkeypatch.setattr(environment, "find_spec", lambda name: None if name in absent else name)
    write_server(home, "http://127.0.0.1:9/v1")
    _, _, found = doctor(capsys, "--offline")
    assert found["extras", "openai"]["text"] == "not installed, but served needs it"
    assert found["extras", "openai"]["next_step"] == "pip install 'pytest-raq[openai]'"
    assert found["extras", "history"]["health"] == "ok"
    assert found["extras", "history"]["text"].startswith("not installed; only needed for ")
    assert found["extras", "history"]["next_step"] == "pip install 'pytest-raq[history]'"


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Stand-ins for the folder of cgroups and for the list of those that hold this process."""
    monkeypatch.setattr(container, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(container, "_OWN_GROUPS", tmp_path / "own")

    def write(own, files):
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


@pytest.mark.usefixtures("home", "without_engine")
def test_a_container_has_less_than_its_machine(groups, capsys):
    groups(
        "0::/pod/run\n",
        {
            "pod/memory.max": "8000000\n",
            "pod/memory.current": "5000000\n",
            "pod/memory.stat": "anon 1\ninactive_file 2000000\n",
            "pod/run/memory.max": "max\n",
            "pod/run/cpu.max": "max 100000\n",
            "pod/cpu.max": "50000 100000\n",
        },
    )
    _, _, found = doctor(capsys)
    assert found["machine", "cores"]["text"].startswith("0.5 of ")
    assert found["machine", "memory"]["health"] == "warning"
    text = found["machine", "memory"]["text"]
    assert text.startswith("5.0 MB free of 8.0 MB (the limit here; the machine has ")
    assert text.endswith("; the file of reader has 7.1 MB")
    assert found["machine", "memory"]["next_step"] == (
        "end other programs, or choose a smaller quantization (raq quantize)"
    )


@pytest.mark.usefixtures("home", "without_engine")
def test_a_container_of_cgroup_version_1(groups, capsys):
    groups(
        "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n",  # as the machine names them
        {
            "memory/memory.limit_in_bytes": "9000000\n",
            "memory/memory.usage_in_bytes": "1000000\n",
            "cpu/cpu.cfs_quota_us": "25000\n",
            "cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    _, _, found = doctor(capsys)
    assert found["machine", "cores"]["text"].startswith("0.25 of ")
    assert found["machine", "memory"]["text"].startswith("8.0 MB free of 9.0 MB")


@pytest.mark.usefixtures("home", "without_engine")
def test_a_container_without_limits(groups, capsys):
    groups(
        "4:memory:/\n0::/\n",
        {"memory/memory.limit_in_bytes": f"{2**63 - 4096}\n", "cpu/cpu.cfs_quota_us": "-1\n"},
    )
    _, _, found = doctor(capsys)
    assert found["machine", "memory"]["health"] == "ok"
    assert "the limit here" not in found["machine", "memory"]["text"]


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
