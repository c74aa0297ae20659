"""Answers from elsewhere that are damaged: told with file, line and field."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from accepted import row, rows_of, write_rows
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.cli import main
from pytest_raq.config import GateSettings
from pytest_raq.errors import DatasetError
from pytest_raq.judging import ReferenceJudge
from pytest_raq.trials.external_answers import rank_answers
from pytest_raq.trials.external_answers_file import read_answers


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(capsys, *arguments):
    code = main(["rank", *arguments])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def write(rows, name="a.jsonl"):
    write_rows(Path(name), rows)
    return name


WRONG = [
    (
        {"answer": None},
        "answer: expected a text (leave the line out if the model gave no answer), found null",
    ),
    (
        {"answer": 3.5},
        "answer: expected a text (leave the line out if the model gave no answer), found 3.5",
    ),
    ({"answer": math.nan}, "found NaN"),
    ({"answer": True}, "found true"),
    ({"answer": ["x"]}, "found a list"),
    ({"answer": "\ud800"}, "answer: expected Unicode text, found half of a surrogate pair"),
    ({"id": ""}, "id: expected a text that names the question, found an empty text"),
    ({"id": None}, "id: expected a text that names the question, found null"),
    ({"id": True}, "id: expected a text that names the question, found true"),
    ({"model": " "}, "model: expected the name of a model, found an empty text"),
    ({"model": 7}, "model: expected the name of a model, found 7"),
    ({"model": "a\x1b"}, "model: expected a name of printable characters, found the text 'a\\x1b'"),
    ({"references": "right 7"}, "references: expected a list of texts"),
    ({"references": []}, 'references: expected a list of texts (["unanswerable"] if'),
    ({"references": ["x", 1]}, "references[1]: expected a text that is not empty, found 1"),
    (
        {"references": [" "]},
        "references[0]: expected a text that is not empty, found an empty text",
    ),
    ({"passage": 5}, "passage: expected a text that names the passage, found 5"),
    ({"passage": ""}, "passage: expected a text that names the passage, found an empty text"),
    ({"question": None}, "question: expected the text of the question, found null"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_wrong_value_is_told_with_file_line_and_field(capsys, change, message):
    rows = rows_of({"alpha": 0}, questions=12)
    rows[7] |= change
    text = "".join(json.dumps(item) + "\n" for item in rows)
    Path("a.jsonl").write_text(text, encoding="utf-8")
    err = refused(capsys, "a.jsonl")
    assert err.startswith("raq: a.jsonl:8: ")
    assert message in err


@pytest.mark.parametrize("name", ["id", "model", "answer", "references", "passage"])
def test_a_missing_field_is_told(capsys, name):
    rows = rows_of({"alpha": 0}, questions=12)
    del rows[4][name]
    assert f"raq: a.jsonl:5: {name}: is missing; expected " in refused(capsys, write(rows))


def test_a_misspelt_field_is_guessed(capsys):
    rows = rows_of({"alpha": 0}, questions=3)
    rows[1]["reference"] = rows[1].pop("references")
    assert "(did you mean it by 'reference'?)" in refused(capsys, write(rows))


LINES = [
    (b"{", "is not JSON: Expecting property name"),
    (b"[1, 2]", "expected a JSON object, found a list"),
    (b'"x"', "expected a JSON object, found the text 'x'"),
    (b'{"id": 1, "id": 2}', "id: occurs twice in the line; keep one"),
    (b'{"id": "\xff"}', "is not UTF-8 (byte 9 of the line)"),
    (b"[" * 100_000, "cannot be read as JSON"),
    (b'{"id": ' + b"9" * 5000 + b"}", "cannot be read as JSON"),
]


@pytest.mark.parametrize(("line", "message"), LINES, ids=[message for _, message in LINES])
def test_a_broken_line_is_told(capsys, line, message):
    Path("a.jsonl").write_bytes(json.dumps(row(0, "a", "x")).encode() + b"\n" + line + b"\n")
    err = refused(capsys, "a.jsonl")
    assert err.startswith("raq: a.jsonl:2: ")
    assert message in err


def test_files_that_hold_nothing_are_told(capsys):
    Path("a.jsonl").write_bytes(b"\xef\xbb\xbf\r\n  \n")
    assert refused(capsys, "a.jsonl") == (
        "raq: a.jsonl: is empty; expected one JSON object per line\n"
    )
    assert "none.jsonl: cannot be read: No such file" in refused(capsys, "none.jsonl")
    assert "cannot be read: Is a directory" in refused(capsys, ".")
    Path("wide.jsonl").write_bytes("x".encode("utf-16"))
    assert "wide.jsonl: is UTF-16; save it as UTF-8" in refused(capsys, "wide.jsonl")


def test_a_second_answer_to_a_question_is_told(capsys):
    rows = rows_of({"alpha": 0}, questions=3)
    one = write(rows, "one.jsonl")
    assert refused(capsys, one, write(rows[1:], "two.jsonl")) == (
        "raq: two.jsonl:1: id: 'alpha' already answered 'q1' in one.jsonl:2;"
        " keep one of the two lines\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("references", ["another"]), ("passage", "another"), ("question", "another?")],
)
def test_lines_that_disagree_on_a_question_are_told(capsys, name, value):
    rows = rows_of({"alpha": 0, "beta": 0}, questions=3)
    rows[3][name] = value
    assert refused(capsys, write(rows)) == (
        f"raq: a.jsonl:4: {name}: differs from a.jsonl:3 for id 'q1';"
        f" give all lines of a question the same {name}\n"
    )


def test_references_may_stand_in_another_order():
    rows = [
        row(n, m, "x", references=["x", "y"][:: 1 if m == "a" else -1])
        for n in range(9)
        for m in "ab"
    ]
    assert main(["rank", write(rows)]) == 0


TEXT = st.text(max_size=5)
VALUE = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(), TEXT, st.lists(TEXT, max_size=2)
)
FIELD = st.sampled_from(["id", "model", "answer", "references", "passage", "question", "other"])
LINE = st.one_of(
    st.binary(max_size=12),
    st.dictionaries(FIELD, VALUE, max_size=7).map(lambda table: json.dumps(table).encode()),
)


@given(st.lists(LINE, max_size=4))
def test_whatever_a_file_holds_only_our_errors_come_out(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    try:
        table = read_answers([path])
    except DatasetError as exc:
        assert "\n" not in str(exc)  # noqa: PT017 - most files are refused, not all
    else:
        rank_answers(table, ReferenceJudge(), GateSettings())
