"""Input that is deep, huge or of another form ends with exit code 2 or 3: 1 means a regression."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_raq.cli import main
from pytest_raq.config import DatasetSettings, ModelDefinition, SourceSettings
from pytest_raq.datasets import arrow_rows, load_questions
from pytest_raq.errors import DatasetError
from pytest_raq.hub.remote import hub_library, shown_endpoint, tell

DEEP = "[" * 100_000


def parquet(folder, count, passage):
    """Write many rows of one passage: a dictionary keeps it once."""
    path = folder / "q.parquet"
    table = pa.table(
        {
            "id": [str(number) for number in range(count)],
            "passage": pa.array([passage] * count).dictionary_encode(),
            "question": [f"q{number}" for number in range(count)],
            "references": pa.array(["a"] * count).dictionary_encode(),
        }
    )
    pq.write_table(table, path)
    return DatasetSettings(source=path.name)


def test_a_parquet_file_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow_rows, "_MOST_PARQUET_LETTERS", 1_000_000)
    settings = parquet(tmp_path, 1_500, "x" * 1_000)
    assert (tmp_path / "q.parquet").stat().st_size < 100_000
    with pytest.raises(DatasetError) as caught:
        load_questions(settings, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/q.parquet: has more than 1,000,000 letters of text: keep only the"
        " questions that you ask"
    )
    monkeypatch.setattr(arrow_rows, "_MOST_PARQUET_ROWS", 1_000)
    with pytest.raises(DatasetError, match="has 1,500 rows, more than 1,000: keep only"):
        load_questions(settings, tmp_path)


def test_a_parquet_file_of_several_batches_is_read_whole(tmp_path):
    settings = parquet(tmp_path, 1_100, "passage")
    assert len(load_questions(settings, tmp_path).questions) == 1_100


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("suites", "models", "baselines"):
        (tmp_path / folder).mkdir()
    (tmp_path / "models" / "m.toml").write_text('file = "m.gguf"\n')
    (tmp_path / "suites" / "s.toml").write_text('models = ["m"]\n[dataset]\nsource = "q.json"\n')
    question = {"id": "q1", "question": "q", "answers": [{"text": "a", "answer_start": 0}]}
    paragraph = {"context": "c", "qas": [question]}
    document = {"version": "1.1", "data": [{"title": "t", "paragraphs": [paragraph]}]}
    (tmp_path / "suites" / "q.json").write_text(json.dumps(document))
    return tmp_path


SHARD = {"format": 1, "shard": {"index": 1, "count": 1}, "options": {}, "suites": {}}


@pytest.mark.parametrize(
    "text", [DEEP, "\n", "[]", "7", '{"shard": 1}', json.dumps(SHARD), "\udcff"]
)
@pytest.mark.parametrize(
    "command",
    [
        ("merge", "x.json"),
        ("report", "x.json"),
        ("rank", "x.json"),
        ("baseline", "show", "x.json"),
        ("score", "m", "--suite", "s", "--texts", "x.json"),
        ("judge", "check", "--human", "x.json"),
        ("history", "--store", "x.json"),
        ("store", "info", "--store", "x.json"),
    ],
)
@pytest.mark.usefixtures("project")
def test_no_bad_file_looks_like_a_regression(text, command, capsys, project):
    (project / "x.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    try:
        code = main(list(command))
    except SystemExit as exc:  # of argparse
        code = exc.code
    said = capsys.readouterr().err
    assert code in {2, 3}, said
    assert "Traceback" not in said


def test_a_shard_with_wrong_parts_is_told(project, capsys):
    table = {**SHARD, "suites": {"s": {"provenance": {}, "export": DEEP}}}
    (project / "x.json").write_text(json.dumps(table))
    assert main(["merge", "x.json"]) == 2
    assert "x.json: is not a complete shard: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (RecursionError(), 2, "raq: an input is too large or nested too deeply (RecursionError)"),
        (MemoryError(), 2, "raq: an input is too large or nested too deeply (MemoryError)"),
        (ZeroDivisionError("x"), 3, "raq: this is a mistake of pytest-raq, not of a model: report"),
    ],
)
def test_no_mistake_of_ours_looks_like_a_regression(monkeypatch, capsys, error, code, told):
    from pytest_raq.cli import schema

    def fails(_options):
        raise error

    monkeypatch.setattr(schema, "_schema", fails)
    assert main(["schema", "suite"]) == code
    said = capsys.readouterr().err
    assert told in said
    assert ("Traceback" in said) == (code == 3)


def test_a_format_that_cuts_is_still_a_template():
    model = ModelDefinition(
        name="m", path=Path("m.toml"), file="m.gguf", prompt="{passage:.5} {question!s:>8}"
    )
    assert model.render("a long passage", "q") == "a lon        q"


def test_a_password_of_the_hub_is_not_printed(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://me:pa55word@hub.example/x")
    assert shown_endpoint() == "https://hub.example/x"
    source = SourceSettings(repo="a/b", filename="c.gguf")
    exc = OSError("cannot reach https://me:pa55word@hub.example/x/a/b")
    told = str(tell(hub_library(), source, exc))
    assert "pa55word" not in told
    assert told.endswith(
        "https://hub.example/x cannot be reached (cannot reach https://hub.example/x/a/b)"
    )
