"""The questions in English that are bundled: each can be checked, and no two are alike."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import load_questions
from pytest_raq.scaffold.starter import draw_starter
from pytest_raq.stats.model_summary import normalize_answer

ROOT = Path(__file__).parent.parent
FILE = ROOT / "suites/english.json"
PACKAGED = ROOT / "pytest_raq/scaffold/templates/english.json"

ARTICLES = json.loads(FILE.read_text(encoding="utf-8"))["data"]
PARAGRAPHS = [paragraph for article in ARTICLES for paragraph in article["paragraphs"]]
QUESTIONS = [(paragraph["context"], qa) for paragraph in PARAGRAPHS for qa in paragraph["qas"]]
ANSWERABLE = [(passage, qa) for passage, qa in QUESTIONS if not qa["is_impossible"]]

IDS = "afa57116"
"""The first digits of the SHA-256 of all ids and what they ask, sorted."""
SAME_WORDS = 7
"""No sequence of so many words stands in two passages."""
NUMBER = (
    r"(?:\d[\d.,:]*|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen"
    r"|fifteen|eighteen|nineteen|twenty(?:-five)?|thirty|forty|fifty|sixty|hundred|thousand)"
)
DAY = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?|[12]\d{3}|\d+:\d\d)"
)
KINDS = {
    "number": (NUMBER, 15),
    "amount with a unit": (rf".*\b{NUMBER} [a-z].*", 30),
    "date or time": (rf".*\b{DAY}\b.*", 15),
    "name": (r"[A-Z][\w.'-]*(?: [A-Z][\w.'-]*)*", 30),
    "phrase of five words or more": (r"(?:\S+ ){4,}\S+", 30),
}
"""The kinds of first references: a pattern of the whole text, and how many there are at least."""


def words(text):
    return re.findall(r"\w+", text.lower())


def test_the_file_reads_like_any_other():
    found = load_questions(DatasetSettings(source=FILE.name), FILE.parent)
    assert found.total == len(found.questions) == len(QUESTIONS) >= 260
    assert len({question.cluster for question in found.questions}) == len(PARAGRAPHS) >= 60
    assert not found.notes
    for (passage, qa), question in zip(QUESTIONS, found.questions, strict=True):
        assert (question.id, question.passage) == (qa["id"], passage)
        assert question.answerable is not qa["is_impossible"]


def test_the_suite_and_the_package_have_the_same_file():
    same = FILE.read_bytes() == PACKAGED.read_bytes()
    assert same, f"copy {PACKAGED.relative_to(ROOT)} to {FILE.relative_to(ROOT)}"


def test_the_docs_give_their_numbers():
    lengths = [len(paragraph["context"].split()) for paragraph in PARAGRAPHS]
    told = (
        f"{len(QUESTIONS)} questions about {len(PARAGRAPHS)} passages of {min(lengths)} to"
        f" {max(lengths)} words"
    )
    assert told in (ROOT / "docs/questions.md").read_text(encoding="utf-8")
    _, starter = draw_starter()
    drawn = len({question.cluster for question in starter})
    for page in ("commands.md", "first-gate.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert re.search(rf"\b{len(starter)}\b.*about {drawn} passages", text), page


def test_references_stand_in_their_passages():
    for passage, qa in QUESTIONS:
        for answer in [*qa["answers"], *qa.get("plausible_answers", [])]:
            text, start = answer["text"], answer["answer_start"]
            end = start + len(text)
            assert text == text.strip() and passage[start:end] == text, qa["id"]
            assert not re.match(r"\w\w", passage[start - 1 : start + 1] if start else ""), qa["id"]
            assert not re.match(r"\w\w", passage[end - 1 : end + 1]), qa["id"]


def test_an_answerable_question_has_two_to_four_different_references():
    for _, qa in ANSWERABLE:
        normal = [normalize_answer(answer["text"]) for answer in qa["answers"]]
        assert 2 <= len(normal) <= 4 and len(set(normal)) == len(normal), qa["id"]
        assert "plausible_answers" not in qa, qa["id"]


def test_a_question_does_not_say_its_answer():
    for _, qa in ANSWERABLE:
        asked = f" {normalize_answer(qa['question'])} "
        for answer in qa["answers"]:
            assert f" {normalize_answer(answer['text'])} " not in asked, qa["id"]


def test_a_tenth_is_unanswerable_with_a_wrong_answer_at_hand():
    unanswerable = [qa for _, qa in QUESTIONS if qa["is_impossible"]]
    assert 0.08 <= len(unanswerable) / len(QUESTIONS) <= 0.14
    for qa in unanswerable:
        assert qa["answers"] == [] and len(qa["plausible_answers"]) == 1, qa["id"]
    places = Counter(
        [qa["is_impossible"] for qa in paragraph["qas"]].index(True)
        for paragraph in PARAGRAPHS
        if any(qa["is_impossible"] for qa in paragraph["qas"])
    )
    assert len(places) == 5  # the place of a question does not say that it has no answer


def test_passages_are_of_the_length_of_squad():
    lengths = [len(paragraph["context"].split()) for paragraph in PARAGRAPHS]
    assert min(lengths) >= 90 and max(lengths) <= 200
    assert max(lengths) - min(lengths) > 60
    assert {len(paragraph["qas"]) for paragraph in PARAGRAPHS} == {4, 5}


def test_no_two_passages_or_questions_are_alike():
    titles = Counter(normalize_answer(article["title"]) for article in ARTICLES)
    asked = Counter(normalize_answer(qa["question"]) for _, qa in QUESTIONS)
    assert max(titles.values()) == max(asked.values()) == 1
    seen = {}
    for number, paragraph in enumerate(PARAGRAPHS):
        text = words(paragraph["context"])
        for start in range(len(text) - SAME_WORDS + 1):
            run = tuple(text[start : start + SAME_WORDS])
            assert seen.setdefault(run, number) == number, " ".join(run)


def test_questions_do_not_copy_their_passage():
    for passage, qa in QUESTIONS:
        asked, text = words(qa["question"]), f" {' '.join(words(passage))} "
        runs = [" ".join(asked[start : start + 6]) for start in range(len(asked) - 5)]
        copied = [run for run in runs if f" {run} " in text]
        assert not copied, (qa["id"], copied)


def test_questions_begin_in_many_ways():
    first = Counter(words(qa["question"])[0] for _, qa in QUESTIONS)
    assert len(first) >= 15
    assert max(first.values()) < len(QUESTIONS) / 3
    assert all(qa["question"].endswith("?") for _, qa in QUESTIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_of_many_kinds(kind):
    pattern, least = KINDS[kind]
    found = [qa["id"] for _, qa in ANSWERABLE if re.fullmatch(pattern, qa["answers"][0]["text"])]
    assert least <= len(found) < len(ANSWERABLE) / 2, found


def test_ids_stay_the_same():
    """Accepted answers are kept under them: a question that is asked differently needs a new id."""
    ids = [qa["id"] for _, qa in QUESTIONS]
    assert len(set(ids)) == len(ids)
    for paragraph in PARAGRAPHS:
        names = [qa["id"].rpartition("-") for qa in paragraph["qas"]]
        assert len({name for name, _, _ in names}) == 1
        assert [int(number) for _, _, number in names] == list(range(1, len(names) + 1))
    known = sorted(f"{qa['id']} {qa['question']}" for _, qa in QUESTIONS)
    assert hashlib.sha256("\n".join(known).encode()).hexdigest().startswith(IDS)
