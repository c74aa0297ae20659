"""A reference stands in an answer as whole words, whatever surrounds it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.records import UNANSWERABLE, Question, Score
from pytest_raq.records.reasoning import UNFINISHED
from pytest_raq.stats.contains import contains
from pytest_raq.stats.model_summary import score, score_answer


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("**Paris**", "Paris"),
        ("Answer: Paris", "Paris"),
        ("```\nParis\n```", "Paris"),
        ("The answer is Paris.", "paris"),
        ("_Paris_", "Paris"),
        ("Paris’s mayor", "Paris"),
        ("1,066", "1066"),
        ("1066", "1,066"),
        ("10,00,000 rupees", "1000000"),
        ("1\u202f066", "1066"),
        ("Zu\u0308rich", "Zürich"),
        ("STRASSE", "Straße"),
        ("Es ist 314年。", "314"),
        ("東京都です", "東京"),
        ("黒猫です", "猫"),
        ("กรุงเทพมหานคร", "กรุงเทพ"),
        ("यह नई दिल्ली है", "नई दिल्ली"),
        ("\uff11\uff14", "14"),
        ("from 1914-1918.", "1918"),
        ("1,2,3", "2"),
        ("14.07.1789", "1789"),
        ("14.", "14"),
        ("it costs $5 million", "$5 million"),
        ("50%", "50"),
        ("in `C++`", "C++"),
        ("Jean-Paul Sartre", "Jean Paul"),
        ("the Eiffel Tower", "Eiffel Tower"),
        ("Eiffel Tower", "the Eiffel Tower"),
        ("(B) Rome", "B"),
        ("Answer: +", "+"),
    ],
)
def test_a_format_around_the_reference_does_not_matter(text, reference):
    assert contains(text, [reference])


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("314", "14"),
        ("3.14", "14"),
        ("14.5", "14"),
        ("3,14", "14"),
        ("-14", "14"),
        ("−14 °C", "14"),
        ("1,014", "14"),
        ("1\u202f014", "14"),
        ("14th", "14"),
        ("twenty-one", "one"),
        ("twenty-one", "twenty"),
        ("anti-war", "war"),
        ("Parisian", "Paris"),
        ("a dog", "B"),
        ("b", "B"),
        ("C", "C++"),
        ("C#", "C"),
        ("5", "$5"),
        ("Rome", "Paris"),
        ("", "Paris"),
        ("Paris", ""),
    ],
)
def test_a_part_of_a_word_or_number_is_not_the_reference(text, reference):
    assert not contains(text, [reference])


@given(st.text(max_size=30), st.text(min_size=1, max_size=12))
def test_any_text_is_read_and_a_text_contains_itself(text, reference):
    assert contains(text, [reference]) in (True, False)
    if any(char.isalnum() for char in reference):
        assert contains(f" {reference} ", [reference])


def test_exact_match_implies_contains():
    assert score("3.14", ["314"]) == Score(1.0, 1.0, 1.0)  # SQuAD leaves out punctuation
    assert score("314", ["14"]).contains == 0.0
    assert score("The answer is Paris.", ["Paris"]) == Score(0.0, 0.5, 1.0)


def test_an_answer_that_never_began_has_nothing_even_where_there_is_no_answer():
    question = Question("q", "", "p", "?", (UNANSWERABLE,), answerable=False)
    assert score_answer("", question) == Score(1.0, 1.0, 1.0)
    assert score_answer(UNFINISHED, question) == Score(0.0, 0.0, 0.0)
    assert score_answer("It is unanswerable.", question) == Score(0.0, 0.0, 1.0)
