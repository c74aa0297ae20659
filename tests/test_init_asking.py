"""raq init on a terminal: what is asked, with which defaults, and how it is stopped."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path

import pytest

from pytest_raq.cli import main
from pytest_raq.config import load_model, load_suite
from pytest_raq.scaffold.workflows import workflow

ROOT = Path(__file__).parent.parent
READER = ROOT / "models/reader-mistral-q8_0.gguf"


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """Run ``raq init`` in an empty folder and answer what it asks, line by line."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)

    def run(*said, flags=()):
        asked, answers = [], iter(said)

        def answer(question):
            asked.append(question)
            reply = next(answers)
            if isinstance(reply, type):
                raise reply
            return reply

        monkeypatch.setattr("builtins.input", answer)
        code = main(["init", *flags])
        out, error = capsys.readouterr()
        assert not list(answers)
        return code, asked, out + error

    run.folder = folder
    return run


def test_every_question_has_a_default_but_the_model(ask):
    code, asked, _ = ask(str(READER), "", "", "", "", "")
    assert code == 0
    assert asked == [
        "Model: ",
        "Another model [none]: ",
        "Questions, a file [some to start from]: ",
        "Name of the suite [first]: ",
        "Judge [reference]: ",
        "CI: github, gitlab, jenkins, none [github]: ",
    ]
    assert load_suite(ask.folder / "suites", "first").models == ("reader-mistral",)
    assert (ask.folder / ".github/workflows/raq.yml").is_file()


def test_what_lies_there_is_offered(ask):
    (ask.folder / "models").mkdir()
    (ask.folder / "models/reader.gguf").write_bytes(READER.read_bytes())
    (ask.folder / "Jenkinsfile").write_text(workflow("jenkins", pulls=True)[1])
    mini = ROOT / "suites/mini.json"
    code, asked, _ = ask("", f"other={READER}", "", str(mini), "", "", "")
    assert code == 0
    assert asked[0] == "Model [models/reader.gguf]: "
    assert asked[4] == "Name of the suite [mini]: "
    assert asked[-1] == "CI: github, gitlab, jenkins, none [jenkins]: "
    assert load_suite(ask.folder / "suites", "mini").models == ("reader", "other")
    assert load_model(ask.folder / "models", "reader").file == "reader.gguf"


def test_a_wrong_answer_is_told_and_asked_again(ask):
    said = ("x.gguf", str(READER), "y.gguf", "", "q.json", "", "a/b", "s", "refrence", "", "gitlb")
    code, asked, out = ask(*said, "gitlab")
    assert code == 0
    assert len(asked) == len(said) + 1
    for told in (
        "  --model x.gguf: is not a file, a definition in ",
        "  --questions q.json: does not exist; give a JSON, JSONL, CSV or Parquet file\n",
        "  'a/b' is not a valid name of a suite: ",
        "  --judge refrence: no such judge; did you mean 'reference'?\n",
        "  'gitlb' is not a known CI; did you mean 'gitlab'?\n",
    ):
        assert told in out


def test_what_a_flag_says_is_not_asked(ask):
    flags = ("--suite", "s", "--judge", "reference", "--ci", "none")
    code, asked, _ = ask(str(READER), "", "", flags=flags)
    assert code == 0
    assert len(asked) == 3
    code, _, out = ask(str(READER), "", flags=("--questions", "no.json"))
    assert code == 2
    assert out.endswith(
        "raq: --questions no.json: does not exist; give a JSON, JSONL, CSV or Parquet file\n"
    )


@pytest.mark.parametrize("how", [KeyboardInterrupt, EOFError])
@pytest.mark.parametrize("when", [0, 2, 5])
def test_a_stop_leaves_nothing_written(ask, how, when):
    code, _, out = ask(*[str(READER), "", "", "", "", ""][:when], how)
    assert code == 2
    assert out.endswith("\nraq: init: stopped; nothing was written\n")
    assert list(ask.folder.iterdir()) == []


def read_until(terminal, text, seconds=20.0):
    """Return what a terminal shows, up to a text."""
    shown, end = b"", time.monotonic() + seconds
    while text not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # Linux says so when the other side has ended
                break
    return shown


def test_a_real_terminal_is_asked_and_ctrl_c_stops(tmp_path):
    program = "import sys; from pytest_raq.cli import main; sys.exit(main(['init']))"
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-c", program])  # noqa: S606
    assert b"A model: a GGUF file" in read_until(terminal, b"Model: ")
    os.write(terminal, f"{READER}\n".encode())
    read_until(terminal, b"Another model [none]: ")
    shown = b""
    while b"written" not in shown and len(shown) < 100:
        # Python may miss a signal just before it begins to read: a user would press again.
        os.write(terminal, b"\x03")
        shown += read_until(terminal, b"written", seconds=1.0)
    assert b"raq: init: stopped; nothing was written" in shown
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 2
    assert list(tmp_path.iterdir()) == []
