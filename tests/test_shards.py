"""A run cut into shards, and put together again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import Project

from pytest_raq.cli import main
from pytest_raq.errors import ConfigError
from pytest_raq.records import Question
from pytest_raq.running import parse_shard
from pytest_raq.running.shards import Shard, slice_of

if TYPE_CHECKING:
    from pathlib import Path

SAME = ("models", "tests", "verdicts", "questions", "standing")


@pytest.fixture
def project(pytester):
    return Project(pytester)


def run_shard(project: Project, index: int, count: int, *options: str) -> Path:
    result = project.run("--raq-shard", f"{index}/{count}", *options)
    assert result.ret == 0, result.outlines
    return project.root / ".raq" / f"shard-{index}-of-{count}.json"


def run_shards(project: Project, count: int, *options: str) -> list[str]:
    return [str(run_shard(project, index, count, *options)) for index in range(1, count + 1)]


@given(
    st.lists(st.integers(1, 7), min_size=1, max_size=40),
    st.integers(1, 9),
)
def test_shards_make_the_suite_and_cut_no_passage(sizes, count):
    questions = [
        Question(f"{passage}-{number}", "", f"passage {passage}", "", ())
        for passage, size in enumerate(sizes)
        for number in range(size)
    ]
    slices = [slice_of(questions, Shard(index, count)) for index in range(1, count + 1)]
    assert [question for part in slices for question in part] == questions
    passages = [{question.passage for question in part} for part in slices]
    assert sum(map(len, passages)) == len(set().union(*passages))
    largest = max(sizes) if len(questions) < 64 * count else 32 + max(sizes)
    assert max(map(len, slices)) <= len(questions) / count + largest


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/5", "1 / 3"])
def test_what_is_no_shard_is_told(text):
    with pytest.raises(ConfigError, match=r"--raq-shard .*: write I/N, from 1/N to N/N"):
        parse_shard(text)


@pytest.mark.parametrize("count", [1, 3])
def test_shards_together_are_the_whole_run(project, capsys, monkeypatch, count):
    project.accept()
    project.worse("second")
    whole = project.results()
    project.asked()
    files = run_shards(project, count)
    timed = ("first (accepted)", "second (accepted)", "yardstick")
    asked = [line for line in project.asked() if not line.startswith(timed)]
    assert len(set(asked)) == 40
    monkeypatch.chdir(project.root)
    (project.root / "models/first.gguf").unlink()
    capsys.readouterr()
    assert main(["merge", *reversed(files), "--json", "merged.json"]) == 1
    out = capsys.readouterr().out
    assert "REGRESSION second: answers worse than the accepted ones on 14 of 20 questions" in out
    merged = json.loads((project.root / "merged.json").read_text("utf-8"))["suites"]["small"]
    for part in SAME:
        if part != "verdicts":
            assert merged[part] == whole[part], part
    told = {name: (item["verdict"], item["p_value"]) for name, item in merged["verdicts"].items()}
    assert told == {
        name: (item["verdict"], item["p_value"]) for name, item in whole["verdicts"].items()
    }
    told = [run["verdicts"]["first"]["speed_summary"] for run in (whole, merged)]
    assert told == ["speed unchanged"] * 2


def test_a_shard_asks_its_questions_decides_nothing_and_says_so(project):
    project.accept()
    project.asked()
    result = project.run("--raq-shard", "2/2")
    result.assert_outcomes(passed=30, skipped=4)
    result.stdout.fnmatch_lines(
        [
            "note: shard 2 of 2: 10 of 20 questions; raq merge decides",
            "shard 2 of 2 written to *shard-2-of-2.json: raq merge decides, from all shards",
        ]
    )
    assert "NOT MEASURED" not in result.stdout.str()
    assert len(project.asked()) == 20


def test_the_merged_run_becomes_the_baseline(project, capsys, monkeypatch):
    files = run_shards(project, 2)
    monkeypatch.chdir(project.root)
    assert main(["merge", *files, "--update", "--reason", "first state"]) == 0
    out = capsys.readouterr().out
    assert "accepted as baselines/small.json, because first state: 2 models, 20 questions" in out
    assert project.run().ret == 0


def test_a_shard_that_is_missing_or_stands_twice_is_told(project, capsys, monkeypatch):
    files = run_shards(project, 3)
    monkeypatch.chdir(project.root)
    assert main(["merge", files[0], files[2]]) == 3
    assert "shard 2 of 3 is missing: give the files of all shards" in capsys.readouterr().err
    assert main(["merge", *files, files[1]]) == 3
    assert "are both shard 2 of 3" in capsys.readouterr().err


def test_shards_of_different_runs_are_refused_by_field(project, capsys, monkeypatch):
    first = run_shard(project, 1, 2)
    project.write("models/second.gguf", "other weights")
    second = run_shard(project, 2, 2)
    monkeypatch.chdir(project.root)
    assert main(["merge", str(first), str(second)]) == 3
    assert "suite small: provenance.models.second.file_sha256 is " in capsys.readouterr().err
    other = run_shard(project, 2, 2, "--raq-models", "first")
    assert main(["merge", str(first), str(other)]) == 3
    assert "--raq-models was ['first'], in the other []" in capsys.readouterr().err


def test_a_shard_without_answers_is_not_measured(project, capsys, monkeypatch):
    project.accept()
    first = run_shard(project, 1, 2)
    result = project.run("--raq-shard", "2/2", "-k", "answer and q19")
    assert result.ret == 0
    monkeypatch.chdir(project.root)
    assert main(["merge", str(first), ".raq/shard-2-of-2.json"]) == 3
    out = capsys.readouterr().out
    assert "NOT MEASURED first: 9 of 20 questions have no answer" in out
    assert "no shard has an answer to this question" in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "x.json: cannot be read: No such file or directory"),
        ("", "x.json: is not JSON: "),
        ("{}", "x.json: is not a shard of a run; give a file of --raq-shard I/N"),
        ('{"shard": 1, "format": 9}', "x.json: format is 9, not 1: "),
        ('{"shard": {"index": 1}, "format": 1}', "x.json: is not a complete shard: "),
    ],
)
def test_a_file_that_is_no_shard_is_told(tmp_path, capsys, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "x.json").write_text(text, encoding="utf-8")
    assert main(["merge", "x.json"]) == 2
    assert message in capsys.readouterr().err


def test_an_update_of_one_shard_is_refused(project):
    result = project.run("--raq-update", "--raq-shard", "1/2")
    result.stdout.fnmatch_lines(["*--raq-update accepts a suite*cannot be used with --raq-shard*"])
