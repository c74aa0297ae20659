"""Values as pandas writes them: whole numbers as floats, objects as Python text."""

from __future__ import annotations

import csv

import pytest
from parquet_files import write_parquet

from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import load_questions
from pytest_raq.datasets.python_text import LONGEST, python_value
from pytest_raq.errors import DatasetError


def references(path, count):
    found = load_questions(DatasetSettings(source=path.name), path.parent).questions
    assert len(found) == count
    return [question.references for question in found]


def write_csv(folder, answers):
    path = folder / "q.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["question", "answers"])
        rows.writerows([f"Question {n}?", text] for n, text in enumerate(answers))
    return path


def test_whole_numbers_of_a_column_with_gaps_have_no_decimals(tmp_path):
    years = [1066.0, None, -2.0, 0.5, 1e300]
    rows = [
        {"id": float(n), "question": f"Question {n}?", "answer": year}
        for n, year in enumerate(years)
    ]
    path = write_parquet(tmp_path, rows)
    assert references(path, 5) == [("1066",), (), ("-2",), ("0.5",), ("1e+300",)]
    questions = load_questions(DatasetSettings(source=path.name), tmp_path).questions
    assert [question.id for question in questions] == ["0", "1", "2", "3", "4"]


def test_references_that_pandas_wrote_as_python_text_are_read(tmp_path):
    answers = [
        "{'text': array(['Oslo', \"the O'Neill\"], dtype=object), 'answer_start': array([5, 7])}",
        "{'text': ['Oslo'], 'answer_start': [5]}",
        "['Oslo', 'Bergen']",
        "{'text': array([], dtype=object), 'answer_start': array([], dtype=int32)}",
        "[{'text': np.str_('Oslo'), 'answer_start': np.int64(5)}]",
        "{'text': nan}",
    ]
    assert references(write_csv(tmp_path, answers), 6) == [
        ("Oslo", "the O'Neill"),
        ("Oslo",),
        ("Oslo", "Bergen"),
        (),
        ("Oslo",),
        (),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[__import__('os').system('exit')]",
        "['a' + 'b']",
        "[open('x')]",
        "{1: 'a'}",
        "{**{}}",
        "[lambda: 1]",
        "['a', ..., 'b']",
        "[b'a']",
        "[" * 5000 + "]" * 5000,
        "['" + "a" * LONGEST + "']",
        "[f'{1}']",
    ],
)
def test_nothing_in_such_a_text_is_run(tmp_path, text):
    with pytest.raises(ValueError, match=r"is |has "):
        python_value(text)
    if len(text) < 100:
        with pytest.raises(DatasetError, match="line 2: answers: expected a JSON list of texts"):
            references(write_csv(tmp_path, [text]), 1)
