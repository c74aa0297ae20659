"""From a definition and a question to what an engine is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.records import Message, Prompt

if TYPE_CHECKING:
    from pytest_raq.config import ModelDefinition
    from pytest_raq.records import Question


def make_prompt(model: ModelDefinition, question: Question) -> Prompt:
    """Return what a model is asked for a question."""
    texts = question.passage, question.question
    messages = tuple(Message(role, content) for role, content in model.render_messages(*texts))
    return Prompt(question.id, model.render(*texts), chat=model.uses_chat, messages=messages)
