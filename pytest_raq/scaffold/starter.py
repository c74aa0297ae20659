"""The questions to start from: some passages of the questions in English that are bundled."""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import load_questions, sample_questions

if TYPE_CHECKING:
    from pytest_raq.records import Question

PASSAGES = 12
"""The number of passages to start from: enough for a gate, few enough for a short first run."""

_COMMENT = (
    (
        "Questions to start from, written for pytest-raq. Most people and places in them are"
        " invented, so that no model knows the answers by heart. Replace them with your own: what"
        " your users ask, with the right answers."
    ),
    (
        "Each passage (context) has questions (qas); an answer is a text that stands in the"
        " passage, and several texts may be right."
    ),
    (
        "More passages find smaller losses: `raq power --suite NAME` says how many. Questions about"
        " one passage count as a group."
    ),
    (
        'A question that its passage does not answer: "is_impossible": true, and "answers": [].'
        ' "plausible_answers" is a wrong answer that stands in the passage; it is not read.'
    ),
    (
        "Ids must stay the same: the accepted answers in baselines/ are kept under them. After a"
        " change: pytest suites/ --raq-update."
    ),
)
_TEMPLATE = resources.files("pytest_raq.scaffold").joinpath("templates/english.json")


def draw_starter() -> tuple[bytes, tuple[Question, ...]]:
    """Return a SQuAD file of PASSAGES whole passages, and its questions; always the same."""
    with resources.as_file(_TEMPLATE) as path:
        found = load_questions(DatasetSettings(source=str(path)), path.parent).questions
    drawn = {question.cluster for question in sample_questions(found, PASSAGES, seed=0)}
    document = json.loads(_TEMPLATE.read_bytes())
    articles = [
        article
        for article in document["data"]
        if any(paragraph["context"] in drawn for paragraph in article["paragraphs"])
    ]
    text = json.dumps(
        {"comment": _COMMENT, "version": document["version"], "data": articles},
        ensure_ascii=False,
        indent=1,
    )
    questions = tuple(question for question in found if question.cluster in drawn)
    return f"{text}\n".encode(), questions
