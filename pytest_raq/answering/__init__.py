"""Answers, pulled: from memory, from the store, or else from an engine."""

from pytest_raq.answering.engine_pool import EnginePool, memory_share
from pytest_raq.answering.model_answers import ModelAnswers, engine_notes

__all__ = [
    "EnginePool",
    "ModelAnswers",
    "engine_notes",
    "memory_share",
]
