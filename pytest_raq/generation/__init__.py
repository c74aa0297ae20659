"""Answers, pulled: from memory, from the store, or else from an engine."""

from pytest_raq.generation.answers import ModelAnswers
from pytest_raq.generation.pool import EnginePool
from pytest_raq.generation.progress import NoProgress, Progress

__all__ = ["EnginePool", "ModelAnswers", "NoProgress", "Progress"]
