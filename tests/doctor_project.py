"""What `raq doctor` is tested on: a project of one suite, and its output as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_projects import write_small_project

from pytest_raq.cli import main
from pytest_raq.doctor import examination

SECRET = "sk-planted-5e1f0c"  # noqa: S105


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project of one suite that runs by default, with its model: the working folder."""
    write_small_project(tmp_path, "reader-llama", "reader-llama-f16.gguf")
    suite = tmp_path / "suites/small.toml"
    suite.write_text(f"default = true\n{suite.read_text()}")
    monkeypatch.chdir(tmp_path)
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def without_engine(monkeypatch):
    """Leave out what takes seconds and is tested apart."""
    looks = tuple(look for look in examination._LOOKS if look[0] != "llama.cpp")
    monkeypatch.setattr(examination, "_LOOKS", looks)


def doctor(capsys, *options):
    """Return the exit code, the text, and the findings by section and name."""
    file = Path.cwd().parent / "doctor.json"
    code = main(["doctor", *map(str, options), "--json", str(file)])
    found = json.loads(file.read_text())
    assert all(f["next_step"] for f in found["findings"] if f["health"] != "ok")
    return code, capsys.readouterr().out, {(f["section"], f["name"]): f for f in found["findings"]}


def write_server(folder, url, *, name="served", judge=False):
    """Write a definition of a server, as one of the suite's models or as its judge."""
    (folder / f"models/{name}.toml").write_text(
        f'engine = "openai"\n[openai]\nbase_url = "{url}"\nmodel = "m"\napi_key_env = "MY_WORD"\n'
    )
    suite = folder / "suites/small.toml"
    text = suite.read_text()
    if judge:
        text = text.replace("default = true", f'default = true\njudge = "{name}"')
    else:
        text = text.replace('"reader"', f'"reader", "{name}"')
    suite.write_text(text)
