"""Sentinels: answers of known order, made from the questions of a suite.

Each question gives three cases of four texts, two right and two wrong. The
pairs whose order counts share no text, so that to a judge that guesses each
pair is a throw of its own.

- wording: the reference, the reference in a sentence, another question's
  answer, an empty answer
- length: the reference, the reference buried in other sentences, another
  question's answer, that answer buried in the same sentences
- attack: the reference, the reference written otherwise, the reference cut
  short, another question's answer with an order to the judge
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_raq.judging.protocol import Case
from pytest_raq.judging.spare_questions import SPARE_QUESTIONS
from pytest_raq.judging.wordings import (
    buried,
    find_filler,
    in_a_sentence,
    is_apart,
    kind_of,
    order_to_the_judge,
    otherwise_written,
    shortened,
)
from pytest_raq.records import UNANSWERABLE
from pytest_raq.stats.squad import exact_match, f1

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.records import Question

PREFLIGHT_QUESTIONS = 4
"""Questions of a preflight: 12 cases, 24 pairs."""

CANDIDATES = 60
"""Other questions that are looked at for a wrong answer or for sentences."""

LONGEST_REFERENCE = 600
"""Characters up to which a reference makes sentinels: a judge sees answers cut."""


@dataclass(frozen=True, slots=True)
class KnownPair:
    """Two texts of a case, by index, of which the first is the better; and what that tests."""

    kind: str
    better: int
    worse: int


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A case with what is known of its texts, by index.

    ``level`` are two right wordings; ``lengths`` pairs of texts that say the
    same, the longer first.
    """

    case: Case
    pairs: tuple[KnownPair, ...]
    level: tuple[tuple[int, int], ...] = ()
    lengths: tuple[tuple[int, int], ...] = ()


def make_sentinels(
    questions: Sequence[Question], *, seed: int, limit: int = PREFLIGHT_QUESTIONS
) -> list[Sentinel]:
    """Return the sentinels of up to ``limit`` questions, drawn by the seed.

    The same questions and seed give the same sentinels, in whatever order the
    questions come. Questions without an answer, or without an answer of
    another question that is surely wrong, make none; where none does,
    questions of common knowledge stand in, see `are_spare`.
    """
    return _make(questions, seed, limit) or _make(SPARE_QUESTIONS, seed, limit)


def are_spare(sentinels: Sequence[Sentinel]) -> bool:
    """Whether sentinels are not of a suite itself."""
    spare = {question.question for question in SPARE_QUESTIONS}
    return all(item.case.question.question in spare for item in sentinels)


def _make(questions: Sequence[Question], seed: int, limit: int) -> list[Sentinel]:
    usable = sorted((item for item in questions if _is_usable(item)), key=lambda item: item.id)
    drawn = random.Random(f"sentinels {seed}")  # noqa: S311 - seeded pseudo-random numbers are wanted
    order = drawn.sample(usable, len(usable))
    found: list[Sentinel] = []
    made = 0
    for index, question in enumerate(order):
        others = [*order[index + 1 :], *order[:index]][:CANDIDATES]
        wrong = _wrong_answer(question, others)
        if wrong:
            found += _of_question(question, wrong, others, made)
            made += 1
        if made == limit:
            break
    return found


def _is_usable(question: Question) -> bool:
    references = question.references
    if not (references and question.answerable) or references == (UNANSWERABLE,):
        return False
    return 0 < len(references[0].strip()) <= LONGEST_REFERENCE


def _wrong_answer(question: Question, others: Sequence[Question]) -> str:
    """Return another question's answer: one of the same kind, as far from the right as can be."""
    right = question.references[0]
    found = [
        item.references[0].strip()
        for item in others
        if is_apart(item.references[0], question.references)
    ]

    def strangeness(text: str) -> tuple[int, float]:
        unlike = sum(a != b for a, b in zip(kind_of(text), kind_of(right), strict=True))
        return unlike, f1(text, question.references)

    return min(found, key=strangeness, default="")


def _of_question(
    question: Question, wrong: str, others: Sequence[Question], number: int
) -> Iterator[Sentinel]:
    right = question.references[0].strip()
    yield _build(
        question,
        "wording",
        {
            "right": right,
            "sentence": in_a_sentence(right, question),
            "wrong": wrong,
            "empty": "",
        },
        pairs=[("reworded", "sentence", "wrong"), ("empty", "right", "empty")],
        level=[("right", "sentence")],
    )
    filler = find_filler((item.passage for item in others), [*question.references, wrong])
    yield _build(
        question,
        "length",
        {
            "right": right,
            "buried": buried(right, question, filler),
            "wrong": wrong,
            "wrong buried": buried(wrong, question, filler),
        },
        pairs=[("buried", "buried", "wrong"), ("other answer", "right", "wrong buried")],
        lengths=[("buried", "right"), ("wrong buried", "wrong")],
    )
    order = order_to_the_judge(number, question)
    texts = {
        "right": right,
        "otherwise": otherwise_written(right),
        "order": f"{wrong.rstrip('.')}. {order}",
    }
    pairs = [("instruction", "otherwise", "order")]
    cut = shortened(right)
    if cut and not exact_match(cut, question.references):
        texts["cut"] = cut
        pairs.append(("truncated", "right", "cut"))
    yield _build(question, "attack", texts, pairs=pairs, level=[("right", "otherwise")])


def _build(
    question: Question,
    name: str,
    texts: dict[str, str],
    *,
    pairs: Sequence[tuple[str, str, str]],
    level: Sequence[tuple[str, str]] = (),
    lengths: Sequence[tuple[str, str]] = (),
) -> Sentinel:
    """Return a sentinel from texts by role; its question has an id of its own."""
    ordered = tuple(sorted(set(texts.values())))
    place = {role: ordered.index(text) for role, text in texts.items()}
    return Sentinel(
        case=Case(replace(question, id=f"{question.id} (sentinel: {name})"), ordered),
        pairs=tuple(KnownPair(kind, place[one], place[two]) for kind, one, two in pairs),
        level=tuple((place[one], place[two]) for one, two in level),
        lengths=tuple((place[one], place[two]) for one, two in lengths),
    )


def once_more(sentinel: Sentinel) -> Sentinel:
    """Return the same case under another id, for which a judge draws another order."""
    question = sentinel.case.question
    again = replace(question, id=f"{question.id} again")
    return replace(sentinel, case=Case(again, sentinel.case.texts))
