"""Which questions of a source are asked: filters, strata, and what says that there is no answer."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.config import DatasetSettings, FilterSettings, load_suite
from pytest_raq.datasets import load_questions, sample_questions
from pytest_raq.errors import ConfigError, DatasetError
from pytest_raq.judging import Case, Order, ReferenceJudge
from pytest_raq.records import UNANSWERABLE, Question, Score
from pytest_raq.stats.model_summary import score_answer

ROWS = [
    {
        "id": f"{title}{n}",
        "title": title,
        "passage": f"{title} {n // 2} " + "x" * n,
        "question": f"What is {n}?",
        "references": [f"r{k}" for k in range(n % 3 + 1)],
        "answerable": n % 4 != 3,
        "language": "de" if n % 2 else "en",
        "level": n % 3,
    }
    for title in ("Rivers", "Towns")
    for n in range(12)
]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    return path


def load(source, **settings):
    if isinstance(settings.get("filter"), dict):
        settings["filter"] = FilterSettings(**settings["filter"])
    return load_questions(DatasetSettings(source=source.name, **settings), source.parent)


def ids(found):
    return {question.id for question in found.questions}


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ({"title": "Rivers"}, lambda row: row["title"] == "Rivers"),
        ({"title": ["Rivers", "Towns"]}, lambda _: True),
        ({"answerable": False}, lambda row: not row["answerable"]),
        ({"min_passage_length": 14}, lambda row: len(row["passage"]) >= 14),
        ({"max_passage_length": 14}, lambda row: len(row["passage"]) <= 14),
        ({"min_references": 2}, lambda row: row["answerable"] and len(row["references"]) > 1),
        ({"columns": {"language": "de"}}, lambda row: row["language"] == "de"),
        ({"columns": {"level": [0, 2]}}, lambda row: row["level"] in (0, 2)),
        ({"columns": {"answerable": True}}, lambda row: row["answerable"]),
        (
            {"columns": {"language": "de"}, "title": "Towns"},
            lambda row: row["language"] == "de" and row["title"] == "Towns",
        ),
    ],
)
def test_a_filter_keeps_what_it_names(source, kept, expected):
    found = load(source, filter=kept)
    assert ids(found) == {row["id"] for row in ROWS if expected(row)}
    assert found.total == len(found)


def test_numbers_and_truths_of_a_csv_file_are_texts_and_are_found_all_the_same(tmp_path):
    path = tmp_path / "q.csv"
    path.write_text("id,question,level,easy\na,A?,1,true\nb,B?,2,false\n", encoding="utf-8")
    assert ids(load(path, filter={"columns": {"level": 1}})) == {"a"}
    assert ids(load(path, filter={"columns": {"easy": False}})) == {"b"}


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (
            {"title": "River"},
            ("no question has the title 'River' of dataset.filter.title; did you mean 'Rivers'?"),
        ),
        (
            {"columns": {"lang": "de"}},
            (
                "has no column 'lang' (set in dataset.filter.columns); there are id, title,"
                " passage, question, references, answerable, language, level;"
                " did you mean 'language'?"
            ),
        ),
        (
            {"min_passage_length": 999, "answerable": True},
            (
                "none of 24 questions passes dataset.filter"
                " (answerable = True, min_passage_length = 999)"
            ),
        ),
        (
            {"columns": {"language": "fr"}},
            "no row passes dataset.filter.columns: language = 'fr'",
        ),
    ],
)
def test_a_filter_that_keeps_nothing_is_told(source, kept, message):
    with pytest.raises(DatasetError) as caught:
        load(source, filter=kept)
    assert str(caught.value) == f"{source}: {message}"


@pytest.mark.parametrize("by", ["title", "answerable", "language", "level"])
def test_every_stratum_has_its_share(source, by):
    drawn = Counter(
        next(row[by] for row in ROWS if row["id"] == question.id)
        for question in load(source, sample=12, stratify=by).questions
    )
    whole = Counter(row[by] for row in ROWS)
    assert all(abs(drawn[value] - whole[value] / 2) <= 1 for value in whole)


STRATA = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=40)
"""Stratum and passage of each question."""


def make(pairs):
    questions = [
        Question(f"q{n}", "", f"passage {passage}", f"{n}?", ("x",))
        for n, (_, passage) in enumerate(pairs)
    ]
    return questions, {f"q{n}": str(stratum) for n, (stratum, _) in enumerate(pairs)}


@given(STRATA, st.integers(1, 40), st.integers(0, 3))
def test_shares_are_kept_within_one_question_and_samples_nest(pairs, size, seed):
    questions, strata = make(pairs)
    drawn = sample_questions(questions, size, seed, strata)
    assert len(drawn) == min(size, len(questions))
    whole, found = Counter(strata.values()), Counter(strata[item.id] for item in drawn)
    for stratum, count in whole.items():
        # All strata share one limit, which strays by less than a question for each of them.
        stray = len(whole) * count / len(pairs)
        assert abs(found[stratum] - len(drawn) * count / len(pairs)) < 1 + stray
    smaller = sample_questions(questions, max(1, size - 1), seed, strata)
    assert set(smaller) <= set(drawn)


@given(STRATA, st.integers(1, 40), st.randoms())
def test_a_stratified_sample_does_not_depend_on_the_order_of_the_file(pairs, size, random):
    questions, strata = make(pairs)
    shuffled = list(questions)
    random.shuffle(shuffled)
    first = sample_questions(questions, size, 0, strata)
    assert set(first) == set(sample_questions(shuffled, size, 0, strata))


def test_strata_that_are_too_small_for_a_question_have_their_chance():
    sizes = range(1, 41)
    pairs = [(size, n) for size in sizes for n in range(size)]
    questions, strata = make(pairs)
    drawn = Counter()
    for seed in range(100):
        sample = sample_questions(questions, 10, seed, strata)
        assert max(Counter(strata[item.id] for item in sample).values()) == 1
        drawn.update(strata[item.id] for item in sample)
    small = sum(count for stratum, count in drawn.items() if int(stratum) <= 20)
    expected = 1000 * sum(range(1, 21)) / sum(sizes)
    assert abs(small - expected) < 50


def test_a_stratified_sample_spreads_over_passages_that_lie_in_several_strata():
    pairs = [(stratum, passage) for passage in range(10) for stratum in (0, 1)]
    questions, strata = make(pairs)
    drawn = sample_questions(questions, 6, 0, strata)
    assert Counter(strata[item.id] for item in drawn) == {"0": 3, "1": 3}
    assert len({item.passage for item in drawn}) == 6


SQUAD_2 = {
    "version": "v2.0",
    "data": [
        {
            "title": "T",
            "paragraphs": [
                {
                    "context": "p",
                    "qas": [
                        {"id": "a", "question": "A?", "answers": [{"text": "no answer"}]},
                        {"id": "b", "question": "B?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}


@pytest.mark.parametrize(
    ("no_answer", "references"),
    [
        (None, (UNANSWERABLE,)),
        (["unanswerable"], (UNANSWERABLE,)),
        (["unanswerable", ""], (UNANSWERABLE,)),
        (["I don't know", "no answer", ""], ("I don't know", "no answer")),
        ([""], ("",)),
        ([], ("",)),
    ],
)
def test_a_suite_says_how_its_models_say_that_there_is_no_answer(tmp_path, no_answer, references):
    (tmp_path / "q.json").write_text(json.dumps(SQUAD_2), encoding="utf-8")
    said = "" if no_answer is None else f"no_answer = {json.dumps(no_answer)}\n"
    text = f'models = ["m"]\n[dataset]\nsource = "q.json"\n{said}'
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    first, second = load_questions(load_suite(tmp_path, "s").dataset, tmp_path).questions
    assert (first.references, first.answerable) == (("no answer",), True)
    assert (second.references, second.answerable) == (references, False)


CHOSEN = Question("b", "", "p", "B?", ("I don't know", "no answer"), answerable=False)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("No answer.", 1.0),
        ("i dont know", 1.0),
        ("", 1.0),
        ("The.", 1.0),
        ("unanswerable", 0.0),
        ("the answer is 5", 0.0),
        ("no", 0.0),
    ],
)
def test_to_abstain_is_all_or_nothing(text, right):
    assert score_answer(text, CHOSEN) == Score(right, right, right)


def test_an_empty_answer_is_wrong_where_there_is_one():
    question = Question("a", "", "p", "A?", ("no answer",))
    assert score_answer("", question) == Score(0.0, 0.0)
    assert score_answer("answer", question) == Score(0.0, pytest.approx(2 / 3))


def test_the_reference_judge_ranks_by_what_the_suite_says():
    case = Case(CHOSEN, ("", "no", "no answer", "the answer is 5"))
    (order,) = ReferenceJudge().order([case])
    assert order == Order(((0, 2), (1, 3)))


def test_settings_of_a_filter_are_checked(tmp_path):
    text = (
        'models = ["m"]\n[dataset]\nsource = "q.json"\n[dataset.columns]\nquestoin = "x"\n'
        '[dataset.filter]\nmin_references = -1\ntitel = "x"\n[dataset.filter.columns]\nx = 1.5\n'
    )
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_suite(tmp_path, "s")
    told = str(caught.value)
    assert "unknown key dataset.columns.questoin; did you mean 'question'?" in told
    assert "dataset.filter.min_references: should be greater than or equal to 0" in told
    assert "unknown key dataset.filter.titel; did you mean 'title'?" in told
    assert "dataset.filter.columns.x: " in told
