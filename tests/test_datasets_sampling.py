from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.datasets import fingerprint, sample_questions
from pytest_raq.records import Question

SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=8)
"""Questions of each passage."""


def make(sizes):
    return [
        Question(f"q{passage}-{number}", "", f"passage {passage}", f"question {number}?", ("x",))
        for passage, size in enumerate(sizes)
        for number in range(size)
    ]


def ids(questions):
    return [question.id for question in questions]


@given(SIZES, st.integers(1, 50), st.integers(-5, 5))
def test_a_sample_touches_as_many_passages_as_it_can(sizes, size, seed):
    drawn = sample_questions(make(sizes), size, seed)
    assert len(drawn) == min(size, sum(sizes))
    assert len({question.passage for question in drawn}) == min(size, len(sizes))


@given(SIZES, st.integers(1, 50), st.integers(0, 5))
def test_no_passage_gives_two_more_than_another_that_has_some_left(sizes, size, seed):
    given_by = Counter(question.passage for question in sample_questions(make(sizes), size, seed))
    left = [given_by[f"passage {i}"] for i, n in enumerate(sizes) if given_by[f"passage {i}"] < n]
    assert max(given_by.values()) <= min(left, default=99) + 1


@given(SIZES, st.integers(1, 20), st.integers(0, 5), st.randoms())
def test_what_is_drawn_does_not_depend_on_the_order_of_the_file(sizes, size, seed, random):
    questions = make(sizes)
    shuffled = list(questions)
    random.shuffle(shuffled)
    assert set(sample_questions(questions, size, seed)) == set(
        sample_questions(shuffled, size, seed)
    )


@given(SIZES, st.integers(1, 20), st.integers(0, 5))
def test_a_larger_sample_holds_the_smaller_one(sizes, size, seed):
    smaller = ids(sample_questions(make(sizes), size, seed))
    assert set(smaller) <= set(ids(sample_questions(make(sizes), size + 1, seed)))


@given(SIZES, st.integers(1, 20), st.integers(0, 5))
def test_a_sample_keeps_the_order_of_the_file(sizes, size, seed):
    questions = make(sizes)
    drawn = ids(sample_questions(questions, size, seed))
    assert drawn == [name for name in ids(questions) if name in set(drawn)]


def test_questions_of_one_passage_come_together():
    questions = make([2, 2])
    mixed = [questions[0], questions[2], questions[1], questions[3]]
    assert ids(sample_questions(mixed, None, 0)) == ["q0-0", "q0-1", "q1-0", "q1-1"]


def test_seeds_differ_and_the_draw_is_the_same_everywhere():
    questions = make([3] * 10)
    assert ids(sample_questions(questions, 3, 0)) == ["q0-1", "q8-2", "q9-0"]
    assert ids(sample_questions(questions, 3, 1)) == ["q1-2", "q5-2", "q7-0"]


def test_the_fingerprint_knows_content_and_not_order():
    questions = make([2, 2])
    known = fingerprint(questions)
    assert len(known) == 64
    assert fingerprint(reversed(questions)) == known
    assert fingerprint(questions[:3]) != known
    for change in (
        {"question": "other?"},
        {"passage": "other"},
        {"references": ("x", "y")},
        {"answerable": False},
        {"id": "other"},
    ):
        changed = Question(**{**fields(questions[0]), **change})
        assert fingerprint([changed, *questions[1:]]) != known
    renamed = Question(**{**fields(questions[0]), "title": "other"})
    assert fingerprint([renamed, *questions[1:]]) == known


def fields(question):
    return {name: getattr(question, name) for name in Question.__slots__}
