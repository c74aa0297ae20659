from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import load_questions
from pytest_raq.datasets.squad import read_squad_json
from pytest_raq.errors import DatasetError
from pytest_raq.records import UNANSWERABLE, Question

ABSENT = object()

SQUAD = {
    "version": "1.1",
    "data": [
        {
            "title": "Rivers",
            "paragraphs": [
                {
                    "context": "The Oder flows north.",
                    "qas": [
                        {
                            "id": "r1",
                            "question": "Which river flows north?",
                            "answers": [
                                {"text": "The Oder", "answer_start": 0},
                                {"text": "Oder", "answer_start": 4},
                                {"text": "The Oder", "answer_start": 0},
                            ],
                        },
                        {
                            "id": "r2",
                            "question": "Where to?",
                            "answers": [{"text": "north", "answer_start": 999}],
                        },
                    ],
                },
                {
                    "context": "The Nile is long.",
                    "qas": [
                        {"id": "r3", "question": "What is long?", "answers": [{"text": "The Nile"}]}
                    ],
                },
            ],
        }
    ],
}


def changed(*steps, to=ABSENT, document=SQUAD):
    """Return the document with the value at a path replaced, or removed."""
    document = copy.deepcopy(document)
    if not steps:
        return to
    place = document
    for step in steps[:-1]:
        place = place[step]
    if to is ABSENT:
        del place[steps[-1]]
    else:
        place[steps[-1]] = to
    return document


def qa(number=0):
    return ("data", 0, "paragraphs", 0, "qas", number)


def load(folder, document, **settings):
    (folder / "mini.json").write_text(json.dumps(document), encoding="utf-8")
    return load_questions(DatasetSettings(source="mini.json", **settings), folder)


def message_of(folder, source="mini.json"):
    with pytest.raises(DatasetError) as caught:
        load_questions(DatasetSettings(source=source), folder)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(folder), "FOLDER")


def test_reads_questions_with_all_their_references(tmp_path):
    found = load(tmp_path, SQUAD)
    passage = "The Oder flows north."
    assert found.questions[0] == Question(
        "r1", "Rivers", passage, "Which river flows north?", ("The Oder", "Oder")
    )
    assert [question.id for question in found.questions] == ["r1", "r2", "r3"]
    assert (found.source, found.total, found.revision) == ("mini.json", 3, "")


def test_a_sample_knows_how_many_there_were(tmp_path):
    found = load(tmp_path, SQUAD, sample=2, seed=1)
    assert (len(found), found.total) == (2, 3)
    assert len({question.cluster for question in found.questions}) == 2
    assert len(load(tmp_path, SQUAD, sample=100)) == 3


def test_the_same_questions_under_another_name_are_known(tmp_path):
    first = load(tmp_path, SQUAD)
    (tmp_path / "mini.json").rename(tmp_path / "Other.JSON")
    second = load_questions(DatasetSettings(source="Other.JSON"), tmp_path)
    assert second.fingerprint == first.fingerprint
    assert second.source == "Other.JSON"


def test_paths_are_relative_absolute_or_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    load(tmp_path, SQUAD)
    (tmp_path / "suites").mkdir()
    for source in ("../mini.json", str(tmp_path / "mini.json"), "~/mini.json"):
        assert len(load_questions(DatasetSettings(source=source), tmp_path / "suites")) == 3


def test_a_byte_order_mark_is_no_matter(tmp_path):
    (tmp_path / "mini.json").write_text(json.dumps(SQUAD), encoding="utf-8-sig")
    assert len(load_questions(DatasetSettings(source="mini.json"), tmp_path)) == 3


@pytest.mark.parametrize("title", [ABSENT, None, ""])
def test_a_title_may_be_missing(tmp_path, title):
    found = load(tmp_path, changed("data", 0, "title", to=title))
    assert {question.title for question in found.questions} == {""}


def test_a_missing_id_comes_from_the_texts(tmp_path):
    without = changed(*qa(), "id")
    (first,) = [item for item in load(tmp_path, without).questions if item.id not in ("r2", "r3")]
    moved = changed("data", 0, "title", to="Other", document=without)
    assert first.id in {question.id for question in load(tmp_path, moved).questions}
    other = changed(*qa(), "question", to="Which one?", document=without)
    assert first.id not in {question.id for question in load(tmp_path, other).questions}


def test_a_number_is_an_id(tmp_path):
    assert load(tmp_path, changed(*qa(), "id", to=0)).questions[0].id == "0"


@pytest.mark.parametrize("version", ["v2.0", "2.0", 2.0, "V2.0"])
def test_questions_without_an_answer(tmp_path, version):
    document = changed("version", to=version)
    document = changed(*qa(0), "answers", to=[], document=document)
    first, second, _ = load(tmp_path, document).questions
    assert (first.references, first.answerable) == ((UNANSWERABLE,), False)
    assert (second.references, second.answerable) == (("north",), True)


@pytest.mark.parametrize("answers", [ABSENT, [], [{"text": "", "answer_start": -1}]])
def test_is_impossible_decides(tmp_path, answers):
    document = changed(*qa(), "is_impossible", to=True)
    first = load(tmp_path, changed(*qa(), "answers", to=answers, document=document)).questions[0]
    assert (first.references, first.answerable) == ((UNANSWERABLE,), False)


@pytest.mark.parametrize(
    ("steps", "to", "message"),
    [
        ((), [], "holds no questions: the list is empty"),
        ((), "text", "the document: expected an object, found the text 'text'"),
        (("data",), ABSENT, "the document: expected the key 'data', found only version"),
        (("data",), {}, "data: expected a list, found an object"),
        (("data",), [], "holds no questions: expected some in data[].paragraphs[].qas"),
        (("data", 0), None, "data[0]: expected an object, found null"),
        (
            ("data", 0, "paragraphs"),
            ABSENT,
            "data[0]: expected the key 'paragraphs', found only title",
        ),
        (("data", 0, "title"), 7, "data[0].title: expected a text, found 7"),
        (
            ("data", 0, "paragraphs", 1, "context"),
            " ",
            "data[0].paragraphs[1].context: expected a text that is not empty, found an empty text",
        ),
        (
            (*qa(), "question"),
            "\ud800?",
            (
                "data[0].paragraphs[0].qas[0].question: expected Unicode text,"
                " found half of a surrogate pair"
            ),
        ),
        ((*qa(1), "id"), True, "data[0].paragraphs[0].qas[1].id: expected a text, found true"),
        (
            (*qa(1), "answers"),
            ABSENT,
            "data[0].paragraphs[0].qas[1]: expected the key 'answers', found only id, question",
        ),
        (
            (*qa(1), "answers"),
            [],
            (
                "data[0].paragraphs[0].qas[1].answers: expected an answer,"
                ' or "is_impossible": true next to it, found an empty list'
            ),
        ),
        (
            (*qa(1), "answers", 0, "text"),
            5,
            "data[0].paragraphs[0].qas[1].answers[0].text: expected a text, found 5",
        ),
        (
            (*qa(1), "answers", 0),
            {},
            (
                "data[0].paragraphs[0].qas[1].answers[0]: expected the key 'text',"
                " found an empty object"
            ),
        ),
        (
            (*qa(1), "is_impossible"),
            "no",
            (
                "data[0].paragraphs[0].qas[1].is_impossible: expected true or false,"
                " found the text 'no'"
            ),
        ),
    ],
)
def test_a_malformed_file_is_told_with_the_place(tmp_path, steps, to, message):
    (tmp_path / "mini.json").write_text(json.dumps(changed(*steps, to=to)), encoding="utf-8")
    assert message_of(tmp_path) == f"FOLDER/mini.json: {message}"


def test_is_impossible_must_fit_the_answers(tmp_path):
    document = changed(*qa(), "is_impossible", to=False)
    document = changed(*qa(), "answers", to=[], document=document)
    (tmp_path / "mini.json").write_text(json.dumps(document), encoding="utf-8")
    assert message_of(tmp_path) == (
        "FOLDER/mini.json: data[0].paragraphs[0].qas[0].answers:"
        " expected an answer, because is_impossible is false, found an empty list"
    )


def test_an_id_that_stands_twice_is_told_with_both_places(tmp_path):
    (tmp_path / "mini.json").write_text(json.dumps(changed(*qa(1), "id", to="r3")))
    assert message_of(tmp_path) == (
        "FOLDER/mini.json: data[0].paragraphs[0].qas[1] and data[0].paragraphs[1].qas[0]"
        " have the same id 'r3'; give each question a different id"
    )


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is empty; expected a SQuAD file"),
        (b"\xef\xbb\xbf\n", "is empty; expected a SQuAD file"),
        (
            b'{"data": [\n  {"title" "x"}]}',
            "is not JSON: line 2, column 12: Expecting ':' delimiter",
        ),
        (b'{"data": []}\n{"data": []}', "is not JSON: line 2, column 1: Extra data"),
        (
            '{"data": []}'.encode("utf-16"),
            'is UTF-16; set dataset.encoding = "utf-16", or save it as UTF-8',
        ),
        (
            '{\n"data": "the café"}'.encode("latin-1"),
            (
                "is not UTF-8 in line 2; it looks like cp1252 ('café'):"
                ' set dataset.encoding = "cp1252", or save it as UTF-8'
            ),
        ),
        (b"[" * 100_000, "is nested too deeply to be a SQuAD file"),
    ],
)
def test_a_file_that_is_not_json_is_told_with_the_place(tmp_path, raw, message):
    (tmp_path / "mini.json").write_bytes(raw)
    assert message_of(tmp_path) == f"FOLDER/mini.json: {message}"


def test_a_number_without_end_is_told(tmp_path):
    (tmp_path / "mini.json").write_text('{"data": ' + "1" * 5000 + "}")
    assert message_of(tmp_path).startswith("FOLDER/mini.json: cannot be read: Exceeds the limit")


def test_a_file_that_is_not_there_is_told(tmp_path):
    for source in ("none.json", "./none", "~/none-at-all", "none.jsonl", "NONE.PARQUET"):
        assert "does not exist" in message_of(tmp_path, source)
    assert message_of(tmp_path, "none.json") == (
        "FOLDER/none.json: does not exist; a source is a file or a folder, relative to FOLDER,"
        " or a hub id"
    )


def test_a_home_that_is_not_there_is_told(tmp_path):
    assert message_of(tmp_path, "~nobody-of-that-name/x.json").startswith(
        "'~nobody-of-that-name/x.json': is not a path: "
    )


@pytest.mark.parametrize(("name", "told"), [("q.txt", ".txt"), ("q", "a file without suffix")])
def test_other_formats_are_refused_by_name(tmp_path, name, told):
    (tmp_path / name).touch()
    assert message_of(tmp_path, name) == (
        f"FOLDER/{name}: {told} cannot be read; a source is a file"
        " (.json, .jsonl, .ndjson, .csv, .tsv, .parquet, text files also with .gz, .zst, .bz2,"
        " .xz), a folder made by save_to_disk, or a hub id"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "paragraphs", "context", "qas", "question", "answers", "text", "id"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def assert_nothing_but_ours(path, read):
    message = ""
    try:
        read()
    except DatasetError as exc:
        message = str(exc)
    assert not message or message.startswith(f"{path}: ")
    assert "\n" not in message


@given(st.one_of(JSON.map(json.dumps).map(str.encode), st.binary(max_size=50)))
def test_the_reader_raises_nothing_but_ours(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "hostile.json"
    path.write_bytes(raw)
    assert_nothing_but_ours(path, lambda: read_squad_json(path))


@given(st.integers(0, 9), JSON)
def test_a_value_of_another_kind_raises_nothing_but_ours(tmp_path_factory, number, value):
    places = [
        ("version",),
        ("data", 0),
        ("data", 0, "title"),
        ("data", 0, "paragraphs", 0),
        ("data", 0, "paragraphs", 0, "context"),
        ("data", 0, "paragraphs", 0, "qas"),
        qa(),
        (*qa(), "id"),
        (*qa(), "answers"),
        (*qa(), "answers", 0, "text"),
    ]
    path = tmp_path_factory.getbasetemp() / "mini.json"
    path.write_text(json.dumps(changed(*places[number], to=value)), encoding="utf-8")
    settings = DatasetSettings(source="mini.json")
    assert_nothing_but_ours(path, lambda: load_questions(settings, path.parent))
