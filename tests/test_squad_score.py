from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.records import UNANSWERABLE, Score
from pytest_raq.stats.model_summary import exact_match, f1, normalize_answer, score

WORDS = st.sampled_from(
    ["the", "a", "An", "The", "Norman", "norman's", "U.S.", "1,066", "été", "—"]
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.lists(WORDS, max_size=6).map(" ".join),
    st.sampled_from(["", "a", "The.", "İstanbul", "ß", "\u00a0the\u2003", "한국어"]),
)
REFERENCES = st.lists(TEXTS, min_size=1, max_size=4)


def official_normal_form(text):
    """What the evaluation script of SQuAD v1.1 does, written again from its description."""
    text = text.lower()
    text = "".join(character for character in text if character not in string.punctuation)
    text = re.sub(r"\b(?:a|an|the)\b", " ", text, flags=re.UNICODE)
    return " ".join(word for word in re.split(r"\s+", text) if word)


def official_f1(text, reference):
    words, expected = official_normal_form(text).split(), official_normal_form(reference).split()
    left, shared = list(expected), 0
    for word in words:
        if word in left:
            left.remove(word)
            shared += 1
    if not shared:
        return 0.0
    return 2 * shared / (len(words) + len(expected))


def test_known_values():
    assert score("in France", ["France"]) == Score(0.0, pytest.approx(2 / 3), 1.0)
    assert score("The France!", ["in France", "france"]) == Score(1.0, 1.0, 1.0)
    assert score("Paris", ["France"]) == Score(0.0, 0.0)
    assert score("x x y", ["x y y"]) == Score(0.0, pytest.approx(2 / 3))


@given(TEXTS)
def test_normal_form_is_the_official_one(text):
    assert normalize_answer(text) == official_normal_form(text)


@given(TEXTS)
def test_normal_form_is_final(text):
    once = normalize_answer(text)
    assert normalize_answer(once) == once


@given(TEXTS, REFERENCES)
def test_scores_are_the_official_ones(text, references):
    expected = float(
        any(official_normal_form(text) == official_normal_form(item) for item in references)
    )
    assert exact_match(text, references) == expected
    assert f1(text, references) == pytest.approx(max(official_f1(text, r) for r in references))


@given(TEXTS, REFERENCES)
def test_score_is_both_and_lies_between_0_and_1(text, references):
    both = score(text, references)
    assert (both.exact_match, both.f1) == (exact_match(text, references), f1(text, references))
    assert 0.0 <= both.f1 <= 1.0


@given(TEXTS, REFERENCES, st.randoms())
def test_the_order_of_references_does_not_matter(text, references, random):
    shuffled = list(references)
    random.shuffle(shuffled)
    assert score(text, shuffled) == score(text, references)


def test_without_references_nothing_scores():
    assert score("anything", []) == Score(0.0, 0.0)


def test_references_may_be_an_iterator():
    assert score("b", iter(["a b", "b"])) == Score(1.0, 1.0, 1.0)


@pytest.mark.parametrize("text", ["unanswerable", "Unanswerable.", " UNANSWERABLE ", "", "  ", "."])
def test_abstaining_is_right_where_there_is_no_answer(text):
    assert score(text, (UNANSWERABLE,)) == Score(1.0, 1.0, 1.0)


@pytest.mark.parametrize("text", ["unanswerable", "", "."])
def test_abstaining_is_wrong_where_there_is_an_answer(text):
    assert score(text, ("France", "in France")) == Score(0.0, 0.0)


def test_an_answer_is_wrong_where_there_is_none():
    assert score("France", (UNANSWERABLE,)) == Score(0.0, 0.0)
