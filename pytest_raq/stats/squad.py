"""Exact match and F1 as the official SQuAD evaluation counts them.

Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of
Text" (2016), evaluation script v1.1: texts are lower-cased, stripped of ASCII
punctuation, of the articles a, an, the, and of extra white space; the best of
all references counts.

A question without an answer (SQuAD 2.0, Rajpurkar et al., 2018) has references
that say so, ``unanswerable`` if nobody chose others. To say one of them abstains
and scores 1; so does an answer of which normalisation leaves nothing, the
no-answer of the official script v2.0. As there, it is all or nothing: to share
a word with "no answer" is no half of an abstention. Neither scores on a question
that has an answer.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING

from pytest_raq.records import UNANSWERABLE, Score

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_raq.records import Question

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Return a text as the official evaluation compares it."""
    plain = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def exact_match(text: str, references: Iterable[str]) -> float:
    """Return 1 when the text equals a reference after normalisation, else 0."""
    return score(text, references).exact_match


def f1(text: str, references: Iterable[str]) -> float:
    """Return the F1 of the words shared with the best reference, 0 to 1."""
    return score(text, references).f1


def score(text: str, references: Iterable[str]) -> Score:
    """Return exact match and F1 of a text, each against its best reference; 0 without one."""
    answer = normalize_answer(text)
    known = tuple(references)
    if not answer and known == (UNANSWERABLE,):
        return Score(1.0, 1.0)
    expected = [normalize_answer(reference) for reference in known]
    return Score(
        exact_match=float(answer in expected),
        f1=max((_overlap(answer.split(), words.split()) for words in expected), default=0.0),
    )


def score_answer(text: str, question: Question) -> Score | None:
    """Return exact match and F1 of an answer; None where nobody knows the right one."""
    if not question.references:
        return None
    if question.answerable:
        return score(text, question.references)
    answer = normalize_answer(text)
    known = (normalize_answer(reference) for reference in question.references)
    abstains = float(not answer or answer in known)
    return Score(abstains, abstains)


def _overlap(words: list[str], expected: list[str]) -> float:
    shared = (Counter(words) & Counter(expected)).total()
    if shared == 0:
        return 0.0
    precision, recall = shared / len(words), shared / len(expected)
    return 2 * precision * recall / (precision + recall)
