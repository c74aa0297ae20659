"""What a model is asked, and which questions it is asked together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.records import Message, Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.config import ModelDefinition
    from pytest_raq.records import Question


def question_prompt(model: ModelDefinition, question: Question) -> Prompt:
    """Return what a model is asked for a question."""
    texts = question.passage, question.question
    messages = tuple(Message(role, content) for role, content in model.render_messages(*texts))
    return Prompt(question.id, model.render(*texts), chat=model.uses_chat, messages=messages)


def blocks_of(questions: Sequence[Question], size: int) -> list[list[str]]:
    """Return the ids of questions in blocks of about ``size``, whole passages where they fit.

    What is asked together can change the last bits of what is computed, and
    so, rarely, an answer. The blocks depend on the questions of the suite
    alone: a run that asks for some of them, or goes on after a kill, asks
    whole blocks and gets the same answers as any other.
    """
    passages: dict[str, list[str]] = {}
    for question in questions:
        passages.setdefault(question.cluster, []).append(question.id)
    blocks: list[list[str]] = []
    room = 0
    for ids in passages.values():
        for part in (ids[start : start + size] for start in range(0, len(ids), size)):
            if len(part) > room:
                blocks.append([])
                room = size
            blocks[-1] += part
            room -= len(part)
    return blocks
