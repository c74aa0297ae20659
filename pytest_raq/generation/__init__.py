"""Answers, pulled: from memory, from the store, or else from an engine."""

from pytest_raq.generation.answers import ModelAnswers, engine_notes
from pytest_raq.generation.pool import EnginePool, memory_share
from pytest_raq.generation.progress import NoProgress, Progress
from pytest_raq.generation.sharing import Exchange, Sharing

__all__ = [
    "EnginePool",
    "Exchange",
    "ModelAnswers",
    "NoProgress",
    "Progress",
    "Sharing",
    "engine_notes",
    "memory_share",
]
