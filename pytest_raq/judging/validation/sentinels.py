"""Cases of known order, made from questions of the suite or from built-in ones."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_raq.judging.protocol import Case
from pytest_raq.judging.validation.perturbations import (
    buried,
    find_filler,
    in_a_sentence,
    is_apart,
    kind_of,
    order_to_the_judge,
    otherwise_written,
    shortened,
)
from pytest_raq.records import UNANSWERABLE, Question
from pytest_raq.stats.model_summary import exact_match, f1

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


PREFLIGHT_QUESTIONS = 4
"""Questions of the check before a run: 12 cases, 24 pairs."""

CANDIDATES = 60
"""Other questions searched for a wrong answer or for sentences."""

LONGEST_REFERENCE = 600
"""Maximum length of a reference for sentinels, in characters: a judge sees answers cut."""


def _ask(question: str, reference: str, *passage: str) -> Question:
    name = "spare-" + "-".join(question.lower().rstrip("?").split()[:3])
    return Question(name, "", " ".join(passage), question, (reference,))


SPARE_QUESTIONS = (
    _ask(
        "Which planet is closest to the Sun?",
        "Mercury",
        "Mercury is the planet closest to the Sun and the smallest one of all.",
        "It goes around the Sun once in 88 days.",
        "By day its ground is hot enough to melt lead, and its nights are very cold.",
        "It has no moon and hardly any air.",
    ),
    _ask(
        "How many players of one team are on the field in a football match?",
        "eleven",
        "In football each team has eleven players on the field, of whom one keeps the goal.",
        "A match lasts for ninety minutes with a break in the middle.",
        "The ball may be played with every part of the body but the arms and hands.",
        "A team may exchange some players during a match.",
    ),
    _ask(
        "In which year did people first walk on the Moon?",
        "1969",
        "People first walked on the Moon in 1969.",
        "Two men spent some hours outside while a third one waited in orbit.",
        "They brought back stones and dust and left some instruments behind.",
        "Five more landings followed within a few years.",
    ),
    _ask(
        "Who painted the Mona Lisa?",
        "Leonardo da Vinci",
        "The Mona Lisa was painted by Leonardo da Vinci on a thin board of poplar.",
        "Nobody can say for certain how long the work on it took.",
        "It hangs in a museum behind thick glass, where millions of visitors see it every year.",
        "It was stolen once and found again two years later.",
    ),
    _ask(
        "What is the capital of Japan?",
        "Tokyo",
        "The capital of Japan is Tokyo, a city on a wide bay.",
        "Its old name was Edo, and it was a village of fishermen once.",
        "Trains carry more people there than in any other city.",
        "A large earthquake destroyed much of it a hundred years ago.",
    ),
    _ask(
        "At what temperature does water boil at sea level, in degrees Celsius?",
        "100",
        "At sea level water boils at 100 degrees Celsius.",
        "On a high mountain it boils earlier, since the air presses on it with less force.",
        "That is why potatoes take longer to cook there.",
        "Salt in the water has only a small effect.",
    ),
    _ask(
        "What do bees collect from flowers to make honey?",
        "nectar",
        "Bees make honey from nectar, which they collect from flowers.",
        "They carry it home in a stomach of its own and pass it on from mouth to mouth.",
        "Wings fan the open cells until enough of the water has gone.",
        "Then each cell is closed with a lid of wax.",
    ),
    _ask(
        "Who wrote Romeo and Juliet?",
        "William Shakespeare",
        "Romeo and Juliet is a play by William Shakespeare about two families who hate each other.",
        "It is set in a town in the north of Italy.",
        "The story itself was older and had been told in a long poem.",
        "It has been made into operas, ballets and many films.",
    ),
)


@dataclass(frozen=True, slots=True)
class KnownPair:
    """Two texts of a case, by index, the better one first; and what the pair tests."""

    kind: str
    better: int
    worse: int


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A case with what is known about its texts, by index.

    ``level`` are two right wordings; ``lengths`` pairs of texts with the same
    meaning, the longer first.
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
    another question that is surely wrong, make none; if none can be made,
    built-in questions of common knowledge are used, see `are_spare`.
    """
    return _make(questions, seed, limit) or _make(SPARE_QUESTIONS, seed, limit)


def are_spare(sentinels: Sequence[Sentinel]) -> bool:
    """Whether sentinels are made from built-in questions, not from the suite."""
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
    """Return another question's answer: of the same kind, as far from the right one as possible."""
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
    """Return a sentinel from texts by role; its question gets a new id."""
    ordered = tuple(sorted(set(texts.values())))
    place = {role: ordered.index(text) for role, text in texts.items()}
    return Sentinel(
        case=Case(replace(question, id=f"{question.id} (sentinel: {name})"), ordered),
        pairs=tuple(KnownPair(kind, place[one], place[two]) for kind, one, two in pairs),
        level=tuple((place[one], place[two]) for one, two in level),
        lengths=tuple((place[one], place[two]) for one, two in lengths),
    )


def once_more(sentinel: Sentinel) -> Sentinel:
    """Return the same case under another id, so that a judge draws another order."""
    question = sentinel.case.question
    again = replace(question, id=f"{question.id} again")
    return replace(sentinel, case=Case(again, sentinel.case.texts))
