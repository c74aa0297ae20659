"""Nothing that a model, a question or a file says is a command to the system that keeps the log."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import Project, squad

from pytest_raq.cli import main
from pytest_raq.text import log_text, message_text

COMMANDS = (
    "::error::x",
    "##[error]x",
    "##vso[task.setvariable variable=a]b",
    " ::stop-commands::x",
)
_OBEYED = re.compile(r"##[A-Za-z]*\[|^\s*::", re.MULTILINE)


@given(st.lists(st.sampled_from([*COMMANDS, ":", "#", "[", "\n", " ", "a", "VSO"])).map("".join))
def test_no_line_is_a_command(text):
    assert not _OBEYED.search(log_text(text))
    assert re.sub(r"\s", "", log_text(text)) == re.sub(r"\s", "", text)


def test_ordinary_text_stays_as_it_is():
    for text in ("a::b", "see [1] ## heading", "tests/x.py::test_y[a]", "10:30", ": a"):
        assert log_text(text) == text == message_text(text)


def test_a_message_is_one_line_without_escapes():
    said = "\x1b[31mred\x1b[0m\n::error::x\r\tb\u202e\ud800\x00c"
    assert message_text(said) == "red ::error::x  b���c"
    assert message_text("\n::error::x") == " : :error::x"
    assert message_text("x" * 5_000) == "x" * 3_999 + "…"


def test_the_log_of_a_run_obeys_only_the_gate(pytester, monkeypatch):
    project = Project(pytester)
    questions = (
        json.dumps(squad())
        .replace('"q0"', '"::stop-commands::x"')
        .replace('"q1"', '"##[add-mask]q1"')
    )
    project.write("suites/small.json", questions)
    project.replies({})
    project.accept()
    hostile = dict(zip(("q2", "q3", "q4", "q5"), COMMANDS, strict=True))
    hostile |= {"::stop-commands::x": "##[error]y", "##[add-mask]q1": "##vso[z]"}
    wrong = {f"q{number}": "wrong" for number in range(6, 20)}
    project.replies({"first": {**hostile, **wrong}})
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = project.run("-v")
    text = result.stdout.str()
    assert "# #[error]y" in text
    assert "[small-first-# #[add-mask]q1]" in text
    obeyed = [line for line in result.outlines if _OBEYED.search(line)]
    stop, resume, *others = obeyed
    token = stop.removeprefix("::stop-commands::")
    assert re.fullmatch(r"[0-9a-f]{32}", token)
    assert resume == f"::{token}::"
    assert {line.split(" ")[0] for line in others} <= {"::error", "::warning"}
    start, end = result.outlines.index(stop), result.outlines.index(resume)
    assert any("# #[error]y" in line for line in result.outlines[start:end])
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert not any(_OBEYED.search(line) for line in project.run().outlines)


def test_names_of_keys_reach_no_terminal_as_they_are(tmp_path, capsys):
    (tmp_path / "models").mkdir()
    hostile = '"\\u001b[31m\\n::error::x\\n##[error]" = 1\nfile = "x.gguf"\n'
    (tmp_path / "models" / "m.toml").write_text(hostile)
    assert main(["models", "list", "--folder", str(tmp_path / "models")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "\x1b" not in error
    assert not _OBEYED.search(error)


@pytest.mark.parametrize("command", ["list", "verify"])
def test_names_of_files_are_no_commands(tmp_path, capsys, command):
    (tmp_path / "##[error]m.toml").write_text('file = "::x.gguf"\n')
    main(["models", command, "--folder", str(tmp_path)])
    said = capsys.readouterr()
    assert "# #[error]m" in said.out
    assert not _OBEYED.search(said.out + said.err)
