"""Questions in rows: CSV and TSV, JSON Lines, lists of objects, Parquet."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parquet_files import write_parquet

from pytest_raq.cli import main
from pytest_raq.config import ColumnSettings, DatasetSettings
from pytest_raq.datasets import load_questions
from pytest_raq.errors import DatasetError
from pytest_raq.records import UNANSWERABLE, Question

GERMAN = ColumnSettings(question="Frage", references="Antwort", passage="Text", title="Thema")


def load(path, **settings):
    return load_questions(DatasetSettings(source=path.name, **settings), path.parent)


def only(path, **settings):
    (question,) = load(path, **settings).questions
    return question


def message_of(path, **settings):
    with pytest.raises(DatasetError) as caught:
        load(path, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), path.name)


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


WINDOWS = (
    '\ufeffFrage,Antwort,Text,Thema\r\n"Wie heißt der ""Fluss""?",Die Oder|Oder,'
    '"Die Oder fließt\r\nnach Norden, lange.",Flüsse\r\n\r\n'
    '서울은 어디에 있습니까?,"[""한국"", ""대한민국""]",서울은 한국의 수도입니다.,도시\r\n'
)


def test_a_csv_file_of_windows_with_quotes_and_korean(tmp_path):
    path = write(tmp_path, "q.csv", WINDOWS)
    first, second = load(path, columns=GERMAN, separator="|").questions
    assert first == Question(
        first.id, "Flüsse", "Die Oder fließt\nnach Norden, lange.", 'Wie heißt der "Fluss"?',
        ("Die Oder", "Oder"),
    )  # fmt: skip
    assert (second.passage, second.question) == (
        "서울은 한국의 수도입니다.",
        "서울은 어디에 있습니까?",
    )
    assert (second.references, second.title) == (("한국", "대한민국"), "도시")


def test_line_ends_change_neither_ids_nor_the_fingerprint(tmp_path):
    windows = load(write(tmp_path, "w.csv", WINDOWS), columns=GERMAN)
    unix = load(write(tmp_path, "u.csv", WINDOWS.replace("\r\n", "\n")), columns=GERMAN)
    assert unix.fingerprint == windows.fingerprint
    assert unix.questions == windows.questions


@pytest.mark.parametrize(
    ("name", "delimiter", "settings"),
    [
        ("q.csv", ";", {}),
        ("q.csv", "\t", {}),
        ("q.csv", "|", {}),
        ("q.tsv", "\t", {}),
        ("q.csv", "^", {"delimiter": "^"}),
    ],
)
def test_cells_may_stand_apart_in_other_ways(tmp_path, name, delimiter, settings):
    text = delimiter.join(["id", "question", "answer"]) + "\n"
    text += delimiter.join(["7", "Who, where?", "me, here"]) + "\n"
    question = only(write(tmp_path, name, text), **settings)
    assert (question.id, question.question) == ("7", "Who, where?")
    assert question.references == ("me, here",)


def test_a_delimiter_in_the_quotes_of_the_first_line_is_none(tmp_path):
    path = write(tmp_path, "q.csv", '"question","answer, or; or; or"\nWho?,x\n')
    columns = ColumnSettings(references="answer, or; or; or")
    assert only(path, columns=columns).references == ("x",)


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r[{"), min_size=1)


@given(st.lists(st.tuples(CELL, CELL), min_size=1))
def test_what_a_csv_writer_writes_is_read(rows):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "q.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "passage", "question", "answer"])
            writer.writerows(
                [n, passage, f"Q{n}?", answer] for n, (passage, answer) in enumerate(rows)
            )
        found = {int(item.id): item for item in load(path).questions}
    for number, (passage, answer) in enumerate(rows):
        assert found[number].passage == (passage if passage.strip() else "")
        assert found[number].references == ((answer,) if answer.strip() else ())


LONG = "x" * 200_000


def test_a_cell_may_be_long_and_the_limit_of_the_csv_module_stays(tmp_path):
    before = csv.field_size_limit()
    path = write(tmp_path, "q.csv", f"question,passage\nWho?,{LONG}\n")
    assert only(path).passage == LONG
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "q.csv: is empty; expected a line that names the columns, then one question per line"),
        ("question,answer\n", "q.csv: holds no questions"),
        (
            "question,answer\nWho?,me\nWhere?\n",
            (
                "q.csv: line 3: expected 2 cells as in the first line, found 1;"
                " put a text with ',' or a quote in quotes"
            ),
        ),
        (
            "question,answer\nWho, where?,me\n",
            (
                "q.csv: line 2: expected 2 cells as in the first line, found 3;"
                " put a text with ',' or a quote in quotes"
            ),
        ),
        (
            'question,answer\n"a\nb?",x\n"Who?,me\nWhere?,here\n',
            "q.csv: line 4: a quote is opened here and never closed",
        ),
        (
            'question,answer\n"Who "x" y?",me\n',
            'q.csv: line 2: a quote is inside a text in quotes; write it twice: ""',
        ),
        (
            "question,answer\nWho?,me\n ,here\n",
            "q.csv: line 3: question: expected a text that is not empty, found an empty text",
        ),
        ("question,answer,answer\nWho?,x,y\n", "q.csv: has two columns 'answer'; rename one"),
        (
            "Frage,answer\nWho?,x\n",
            (
                "q.csv: has no column 'question'; name the column of the questions with"
                " dataset.columns.question: there are Frage, answer"
            ),
        ),
        (
            'question,answer\nWho?,"[me, I]"\n',
            (
                'q.csv: line 2: answer: expected a JSON list of texts, as in ["a", "b"],'
                " found the text '[me, I]'"
            ),
        ),
        (
            "question,answerable\nWho?,maybe\n",
            "q.csv: line 2: answerable: expected true or false, found the text 'maybe'",
        ),
        ("id,question\n1,Who?\n1,Where?\n", "q.csv: line 2 and line 3 have the same id '1'; "),
        (
            "question\nWho?\n".encode("utf-16"),
            'q.csv: is UTF-16; set dataset.encoding = "utf-16", or save it as UTF-8',
        ),
        (
            "question\n한국의 수도는 어디입니까?\n".encode("cp949"),
            (
                "q.csv: is not UTF-8 in line 2; it looks like cp949 ('한국의'):"
                ' set dataset.encoding = "cp949", or save it as UTF-8'
            ),
        ),
    ],
)
def test_a_csv_file_that_is_wrong_is_told_with_its_line(tmp_path, text, message):
    told = message_of(write(tmp_path, "q.csv", text))
    assert told == message or (message.endswith("; ") and told.startswith(message))


def test_a_column_that_is_not_there_is_told_with_the_nearest(tmp_path):
    path = write(tmp_path, "q.csv", "question,antwort,thema\nWho?,me,x\n")
    assert message_of(path, columns=ColumnSettings(references="antworten")) == (
        "q.csv: has no column 'antworten' (set in dataset.columns.references);"
        " there are question, antwort, thema; did you mean 'antwort'?"
    )
    assert message_of(path, stratify="theme").endswith("did you mean 'thema'?")
    assert "(set in dataset.stratify)" in message_of(path, stratify="zzz")


def test_json_lines_with_objects_in_objects(tmp_path):
    rows = [
        {"meta": {"id": 7}, "q": "Who?", "p": "It was me.", "a": {"gold": ["me", "I", "me"]}},
        {"meta": {"id": 8}, "q": "Where?", "p": "Here.", "a": {"gold": [1066, 2.5]}},
    ]
    path = write(tmp_path, "q.jsonl", "\ufeff" + "\n\n".join(map(json.dumps, rows)) + "\n")
    columns = ColumnSettings(id="meta.id", question="q", passage="p", references="a.gold")
    first, second = load(path, columns=columns).questions
    assert first == Question("7", "", "It was me.", "Who?", ("me", "I"))
    assert second.references == ("1066", "2.5")


SQUAD_ROW = {"id": "q1", "title": "T", "context": "It was me.", "question": "Who?"}


@pytest.mark.parametrize(
    "answers", [{"text": ["me"], "answer_start": [1]}, [{"text": "me", "answer_start": 1}], ["me"]]
)
def test_rows_as_squad_has_them_need_no_columns(tmp_path, answers):
    row = {**SQUAD_ROW, "answers": answers}
    expected = Question("q1", "T", "It was me.", "Who?", ("me",))
    assert only(write(tmp_path, "q.jsonl", json.dumps(row))) == expected
    assert only(write(tmp_path, "q.json", json.dumps([row]))) == expected
    assert only(write_parquet(tmp_path, [row])) == expected


@pytest.mark.parametrize(
    ("more", "references", "answerable"),
    [
        ({"answers": {"text": []}}, (UNANSWERABLE,), False),
        ({"answers": {"text": ["x"]}, "is_impossible": True}, (UNANSWERABLE,), False),
        ({"answers": {"text": ["x"]}, "is_impossible": None}, ("x",), True),
        ({"answers": {"text": []}, "is_impossible": False}, (), True),
        ({"answers": []}, (), True),
        ({"references": []}, (), True),
        ({"references": [], "answerable": "no"}, (UNANSWERABLE,), False),
        ({"answer": None}, (), True),
        ({}, (), True),
    ],
)
def test_only_squad_says_by_no_references_that_there_is_no_answer(
    tmp_path, more, references, answerable
):
    question = only(write(tmp_path, "q.jsonl", json.dumps({**SQUAD_ROW, **more})))
    assert (question.references, question.answerable) == (references, answerable)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "q.jsonl: is empty; expected one JSON object per line"),
        ('{"question": "Who?"}\n["x"]\n', "q.jsonl:2: expected a JSON object, found a list"),
        (
            '{"question": "Who?"}\n{"question": }\n',
            ("q.jsonl:2: is not JSON: Expecting value (column 14); expected one object per line"),
        ),
        (
            '{"question": "Who?"}\n\n{"passage": "x"}\n',
            "q.jsonl: line 3: question: expected a text that is not empty, found null",
        ),
        (
            '{"question": "Who?", "references": [["x"]]}',
            "q.jsonl: line 1: references: expected a text or a list of texts, found a list",
        ),
        (
            '{"question": "Who?", "references": ["\\ud800"]}',
            "q.jsonl: line 1: references: expected Unicode text, found half of a surrogate pair",
        ),
        (
            '{"question": "Who?", "passage": 5}',
            "q.jsonl: line 1: passage: expected a text, or nothing, found 5",
        ),
        (
            '{"question": "Who?", "id": 1.5}',
            "q.jsonl: line 1: id: expected a text or a whole number, found 1.5",
        ),
        (
            '{"question": "Who?", "question": "Where?"}',
            "q.jsonl:1: question: occurs twice in the line; keep one",
        ),
    ],
)
def test_json_lines_that_are_wrong_are_told_with_their_number(tmp_path, text, message):
    assert message_of(write(tmp_path, "q.jsonl", text)) == message


def test_a_list_in_a_json_file_is_told_by_index(tmp_path):
    path = write(tmp_path, "q.json", '[{"question": "Who?"}, 7]')
    assert message_of(path) == "q.json: [1]: expected an object, found 7"


def test_a_parquet_file_that_is_none_is_told(tmp_path):
    told = message_of(write(tmp_path, "q.parquet", "question,answer\n"))
    assert told.startswith("q.parquet: is not a Parquet file, or it is damaged: ")
    path = write_parquet(tmp_path, [SQUAD_ROW, {**SQUAD_ROW, "id": "q2", "question": None}])
    assert message_of(path) == (
        "q.parquet: row 1: question: expected a text that is not empty, found null"
    )


def test_a_parquet_file_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    path = write_parquet(tmp_path, [SQUAD_ROW])
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert message_of(path) == (
        "q.parquet: Parquet files need the datasets extra: pip install 'pytest-raq[datasets]'"
    )


def test_ids_of_questions_without_one_are_those_of_their_texts(tmp_path):
    rows = [{"question": f"What is {n}?", "passage": "p"} for n in range(3)]
    forward = load(write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))))
    backward = load(write(tmp_path, "b.jsonl", "\n".join(map(json.dumps, rows[::-1]))))
    assert {q.id: q.question for q in forward.questions} == {
        q.id: q.question for q in backward.questions
    }
    assert forward.fingerprint == backward.fingerprint


def test_a_row_that_repeats_another_is_left_out_and_told(tmp_path, capsys):
    row = json.dumps({"question": "Who?", "passage": "p", "answer": "me"})
    found = load(write(tmp_path, "q.jsonl", f"{row}\n{row}\n{row}\n"))
    assert len(found) == 1
    note = "q.jsonl: 2 rows repeat a question and are left out"
    assert found.notes == (note,)
    said = {"id": found.questions[0].id, "model": "m", "answer": "me"}
    file = write(tmp_path, "a.jsonl", json.dumps(said))
    assert main(["rank", str(file), "--dataset", str(tmp_path / "q.jsonl")]) == 0
    assert f"note: {tmp_path}/{note}" in capsys.readouterr().out.splitlines()
    other = row.replace("me", "you")
    assert message_of(write(tmp_path, "q.jsonl", f"{row}\n{other}\n")) == (
        "q.jsonl: line 1 and line 2 ask the same with other references;"
        " keep one, or give each an id"
    )


def test_the_columns_of_a_squad_file_have_no_names(tmp_path):
    path = write(tmp_path, "q.json", '{"data": []}')
    for settings in (
        {"columns": ColumnSettings(id="x")},
        {"stratify": "x"},
        {"filter": {"columns": {"x": ("y",)}}},
    ):
        assert message_of(path, **settings).startswith(
            "q.json: has the layout of SQuAD, which has no columns; "
        )


def test_questions_of_one_group_are_a_cluster_and_those_of_nothing_stand_alone(tmp_path):
    rows = [
        {"id": "a", "question": "A?", "passage": "p", "cluster": 1},
        {"id": "b", "question": "B?", "passage": "q", "cluster": 1},
        {"id": "c", "question": "C?", "passage": "p"},
        {"id": "d", "question": "D?"},
        {"id": "e", "question": "E?", "passage": " "},
    ]
    found = load(write(tmp_path, "q.jsonl", "\n".join(map(json.dumps, rows)))).questions
    by_id = {question.id: question.cluster for question in found}
    assert by_id["a"] == by_id["b"]
    assert len(set(by_id.values())) == 4
    assert found[-1].passage == ""


def test_columns_may_be_turned_off(tmp_path):
    path = write(tmp_path, "q.jsonl", json.dumps({**SQUAD_ROW, "answers": ["me"]}))
    question = only(path, columns=ColumnSettings(passage="", references="", id="", title=""))
    assert (question.passage, question.references, question.title) == ("", (), "")
    assert question.id != "q1"
    grouped = only(path, columns=ColumnSettings(passage="", cluster="context"))
    assert (grouped.passage, grouped.cluster) == ("", "It was me.")
