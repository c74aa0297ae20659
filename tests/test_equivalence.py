"""The grades of the reference judge: its table of cases, its laws, its measured orders."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.judging import ReferenceJudge, rank_contestants
from pytest_raq.judging.equivalence.forms import LONGEST
from pytest_raq.judging.equivalence.grading import Grade, Grader
from pytest_raq.records import UNANSWERABLE, Question

DATA = Path(__file__).parent / "data" / "equivalence.jsonl"

MUST = [
    # reference, tiers of answers, the best first: `=` ties them
    ("A", ["A", "the = ... = B"]),
    (
        UNANSWERABLE,
        ["unanswerable =  = Not stated in the passage. = The passage does not say", "The = Paris"],
    ),
    ("3.14", ["3.14 = (3.14) = 3,14", "314"]),
    ("-5", ["-5 = −5 = minus 5", "5"]),
    ("北京大学", ["北京大学 = 北京大学。", "在北京大学", "上海大学"]),
    ("1066", ["1066 = 1,066 = 1066.0", "in the year 1066", "1067"]),
    ("$5 million", ["$5 million = 5 million dollars = 5,000,000 dollars", "$5 billion"]),
    ("3 March 1999", ["3 March 1999 = March 3, 1999 = 1999-03-03", "1999", "4 March 1999"]),
    ("twenty", ["twenty = 20", "Twenty people", "thirty"]),
    ("10 km", ["10 km = 10km = 10 kilometres", "10", "10 miles = km"]),
    ("Paris", ["Paris", "It is Paris.", "Paris, Rome or London", "Rome = not Paris"]),
    ("Paris", ["Paris", "Paris Paris Paris", "Rome"]),
    ("café", ["café = cafe\u0301", "cafe", "coffee"]),
    ("O'Neill", ["O’Neill = O'Neill", "O'Neal"]),
    ("office", ["oﬃce = office", "officer"]),
    ("12", ["12 = \uff11\uff12", "21"]),
    (
        "problem instance",
        ["The input of a computational problem is called a problem instance.", "a problem"],
    ),
]


def question(*references, text=""):
    return Question("q", "", "", text, references, references != (UNANSWERABLE,))


@cache
def grader(*references):
    return Grader(question(*references))


def grade(text, *references):
    return grader(*references).grade(text)


@pytest.mark.parametrize(("reference", "tiers"), MUST, ids=[str(item[0]) for item in MUST])
def test_what_must_be_in_order_is(reference, tiers):
    place = {text: i for i, tier in enumerate(tiers) for text in tier.split(" = ")}
    names = {text: f"{i}" for i, text in enumerate(place)}
    texts = {names[text]: text for text in place}
    (ranking,) = rank_contestants(ReferenceJudge(), [(question(reference), texts)])
    for one, other in combinations(place, 2):
        found = ranking.ranks[names[one]] - ranking.ranks[names[other]]
        expected = place[one] - place[other]
        why = ranking.reasons[names[one]], ranking.reasons[names[other]]
        assert (found > 0) == (expected > 0) and (found < 0) == (expected < 0), (one, other, why)


@pytest.mark.parametrize(
    ("text", "references", "reason"),
    [
        ("1,066", ("1066",), "equal: same number"),
        ("March 3, 1999", ("3 March 1999",), "equal: same date"),
        ("10km", ("10 km",), "equal: same amount"),
        ("15:30", ("3.30 pm",), "equal: same time"),
        ("", (UNANSWERABLE,), "equal: abstains rightly"),
        ("It is Paris.", ("Paris",), "states: the reference"),
        ("and so " * 30 + "Paris", ("Paris",), "states at length: the reference, in a long text"),
        ("10", ("10 km",), "near: same number, without its unit"),
        ("200", ("about 200",), "near: same but for a word like about"),
        ("red and iron", ("red, green and blue",), "shares: 2 of 4 words"),
        ("Paris, Rome or London", ("Paris",), "lists: the reference is one of 3 candidates"),
        ("not Paris", ("Paris",), "wrong: denies the reference"),
        ("4 March 1999", ("3 March 1999",), "wrong: another date"),
        ("C", ("B",), "wrong: another choice"),
        ("", ("Paris",), "wrong: empty"),
        ("guilty", ("not guilty",), "wrong: leaves out the negation"),
        ("no", ("yes",), "wrong: says the opposite"),
        ("Paris", (UNANSWERABLE,), "wrong: answers where there is no answer"),
    ],
)  # fmt: skip
def test_each_grade_has_its_reason(text, references, reason):
    assert str(grade(text, *references)) == reason


def rows():
    return [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]


def test_the_file_of_orders_is_whole():
    table = rows()
    assert len(table) >= 400
    assert len({row["id"] for row in table}) == len(table)
    assert 0.3 < sum(row["held_out"] for row in table) / len(table) < 0.4
    assert min(Counter(row["kind"] for row in table).values()) >= 6
    for row in table:
        texts = [text for tier in row["order"] for text in tier]
        assert len(texts) == len(set(texts)) >= 2 and row["references"] and row["question"], row


def share_of_right_orders(*, held_out):
    right = total = 0
    for row in rows():
        if row["held_out"] is held_out:
            judge = Grader(question(*row["references"], text=row["question"]))
            ranked = [
                (judge.grade(text).rank, -place)
                for place, tier in enumerate(row["order"])
                for text in tier
            ]
            for (one, a), (other, b) in combinations(ranked, 2):
                right += (one > other) - (one < other) == (a > b) - (a < b)
                total += 1
    return right / total


def test_most_orders_are_right():
    assert share_of_right_orders(held_out=False) >= 0.95


MADE_UP = st.text("qxzjkv", min_size=4, max_size=7)
JUNK = st.lists(MADE_UP, min_size=1, max_size=4).map(" ".join)
KNOWN = (
    "Paris;the Thames;1066;10 km;$5 million;3 March 1999;twenty people;Emma Malden;salt and iron"
    ";not guilty;A;yes;東京;서울;-5;3rd"
)
REFERENCES = st.lists(st.sampled_from(KNOWN.split(";")), min_size=1, max_size=3, unique=True)
SAID = (
    "Paris Rome Thames 1066 1067 10 km miles $5 million 3 March 1999 twenty people Emma Malden salt"
    " iron not guilty A B yes no or and but , . the It is 東京 서울 -5 3rd isn't Not only"
)
PARTS = st.sampled_from(SAID.split())
ANSWERS = st.lists(PARTS, max_size=7).map(" ".join)


@given(REFERENCES, ANSWERS, JUNK, st.booleans())
def test_junk_never_helps(references, answer, junk, before):
    longer = f"{junk} {answer}" if before else f"{answer} {junk}"
    assert grade(longer, *references).rank <= grade(answer, *references).rank


@given(REFERENCES, ANSWERS)
def test_an_answer_equal_to_a_reference_is_never_below_another(references, answer):
    best = {grade(reference, *references).rank for reference in references}
    assert len(best) == 1 and grade(answer, *references).rank <= max(best)


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=3), st.text(max_size=20))
def test_the_same_holds_for_any_text(references, answer):
    judge = Grader(question(*references))
    assert all(judge.grade(text).grade is Grade.EQUAL for text in references)
    assert judge.grade(answer).rank <= judge.grade(references[0]).rank


@given(REFERENCES, ANSWERS, st.randoms())
def test_the_order_of_references_never_matters(references, answer, random):
    shuffled = list(references)
    random.shuffle(shuffled)
    assert grade(answer, *references) == grade(answer, *shuffled)


@given(ANSWERS)
def test_unicode_forms_and_case_do_not_matter(answer):
    for form in ("NFD", "NFKD"):
        changed = unicodedata.normalize(form, answer)
        assert grade(changed, "Paris", "서울").rank == grade(answer, "Paris", "서울").rank


def test_what_is_read_of_a_long_answer_is_bounded():
    answer = "Paris " + "and so on " * LONGEST
    assert grade(answer, "Paris") == grade(answer + "Paris " * 10**6, "Paris")
