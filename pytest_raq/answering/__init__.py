"""Answers, pulled: from memory, from the store, or else from an engine."""

from pytest_raq.answering.engine_pool import EnginePool, memory_share
from pytest_raq.answering.model_answers import ModelAnswers

__all__ = [
    "EnginePool",
    "ModelAnswers",
    "memory_share",
]
