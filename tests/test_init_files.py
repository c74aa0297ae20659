"""raq init: what it does with files that are there."""

from __future__ import annotations

import errno
import tempfile
import tomllib
from pathlib import Path

import pytest
from init_project import files_of

from pytest_raq.config import load_model, load_suite
from pytest_raq.scaffold import plan as writing

ROOT = Path(__file__).parent.parent
READER = ROOT / "models/reader-llama-f16.gguf"
MINI = ROOT / "suites/mini.json"


def test_nothing_is_overwritten_without_force(folder, init):
    assert init("--model", READER, "--suite", "s")[0] == 0
    written = {name: (folder / name).read_bytes() for name in files_of(folder)}
    (folder / "suites/s.toml").write_text("mine")
    code, lines, error = init("--model", READER, "--suite", "s")
    assert (code, lines) == (2, [])
    assert error == (
        "raq: suites/s.toml exists already: nothing was written;"
        " --suite NAME writes another suite, --force replaces existing files\n"
    )
    assert (folder / "suites/s.toml").read_text() == "mine"
    code, lines, _ = init("--model", READER, "--suite", "s", "--force")
    assert code == 0
    assert [line for line in lines if line.startswith("wrote")] == ["wrote suites/s.toml"]
    assert {name: (folder / name).read_bytes() for name in files_of(folder)} == written


def test_what_the_user_has_changed_is_kept(folder, init):
    assert init("--model", READER)[0] == 0
    for name in ("suites/test_suites.py", ".gitignore", "suites/requirements.txt"):
        (folder / name).write_text("# mine\n")
    workflow = folder / ".github/workflows/raq.yml"
    workflow.write_text(workflow.read_text() + "# mine\n")
    code, lines, _ = init("--model", "reader-llama", "--suite", "second")
    assert code == 0
    assert "wrote suites/second.toml" in lines
    assert "kept  .github/workflows/raq.yml" in lines
    assert "note: .gitignore is not changed: add .raq/, where answers are kept" in lines
    assert (folder / "suites/test_suites.py").read_text() == "# mine\n"
    assert workflow.read_text().endswith("# mine\n")


def test_a_foreign_workflow_is_left_alone(folder, init):
    (folder / ".gitlab-ci.yml").write_text("stages: [build]\n")
    code, _, error = init("--model", READER)
    assert code == 2
    assert ".gitlab-ci.yml exists already: nothing was written; --ci none writes" in error
    assert files_of(folder) == [".gitlab-ci.yml"]
    assert init("--model", READER, "--ci", "none")[0] == 0
    assert (folder / ".gitlab-ci.yml").read_text() == "stages: [build]\n"


@pytest.mark.parametrize("broken", [KeyboardInterrupt, OSError])
def test_a_stop_while_writing_leaves_the_folder_as_it_was(folder, init, monkeypatch, broken):
    (folder / "suites").mkdir()
    (folder / "suites/s.toml").write_text("mine")
    write, calls = writing.write_atomically, []

    def fail_later(path, content):
        calls.append(path)
        if len(calls) == 5:
            raise broken
        write(path, content)

    monkeypatch.setattr(writing, "write_atomically", fail_later)
    code, _, error = init("--model", READER, "--suite", "s", "--force")
    if broken is OSError:
        assert code == 3  # 1 would mean a regression
        assert "Traceback" in error
    else:
        assert code == 2
        assert error == "raq: init: stopped; nothing was written\n"
    assert files_of(folder) == ["suites/s.toml"]
    assert (folder / "suites/s.toml").read_text() == "mine"
    assert not (folder / "models").exists()


def test_a_folder_that_cannot_be_written_is_told(folder, init, monkeypatch):
    def deny(**_given):  # root may write anywhere
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", deny)
    code, _, error = init("--model", READER)
    assert code == 2
    assert files_of(folder) == []
    assert "cannot be written: Permission denied" in error


def test_a_judge_may_be_a_definition_or_a_server_but_no_contestant(folder, init):
    assert init("--model", READER, "--judge", "http://127.0.0.1:9/v1#big/Judge-70B")[0] == 0
    assert load_suite(folder / "suites", "first").judge == "judge"
    assert load_model(folder / "models", "judge").openai.model == "big/Judge-70B"
    assert init("--model", "reader-llama", "--judge", "judge", "--suite", "second")[0] == 0
    code, _, error = init("--model", "judge", "--judge", "judge", "--suite", "third")
    assert code == 2
    assert error == "raq: --judge judge: is also asked in this suite; use another judge\n"


def test_another_folder_is_told_to_be_entered(folder, init):
    code, lines, _ = init("new place", "--model", READER)
    assert code == 0
    assert "  cd 'new place'" in lines[lines.index("next:") + 1]
    assert (folder / "new place/suites/first.toml").is_file()


def test_what_belongs_into_git_is_told_inside_of_it(folder, init):
    (folder / ".git").mkdir()
    (folder / "mini.json").write_bytes(MINI.read_bytes())
    _, lines, _ = init("--model", READER, "--questions", "mini.json")
    assert "  git add suites models .github .gitignore baselines mini.json" in lines[-1]


def test_texts_of_a_file_cannot_break_out_of_their_quotes(folder, init):
    path = folder / 'odd"\n[gate]x.gguf'
    path.write_bytes(READER.read_bytes())
    assert init("--model", f"odd={path}")[0] == 0
    table = tomllib.loads((folder / "models/odd.toml").read_text(encoding="utf-8"))
    assert table["file"] == '../odd"\n[gate]x.gguf'


def test_questions_in_another_encoding_get_the_key(folder, init):
    (folder / "fragen.csv").write_bytes("question,answer\nWo liegt Zürich?,CH\n".encode("cp1252"))
    code, lines, _ = init("--model", READER, "--questions", "fragen.csv")
    assert code == 0
    assert load_suite(folder / "suites", "fragen").dataset.encoding == "cp1252"
    assert (
        "note: fragen.csv is not UTF-8 and is read as cp1252, as in 'Zürich':"
        " if that is wrong, change encoding in suites/fragen.toml"
    ) in lines
