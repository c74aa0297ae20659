"""What runs models: one small protocol and its adapters."""

from pytest_raq.engines.protocol import Engine
from pytest_raq.engines.registry import open_engine
from pytest_raq.engines.scripted import ScriptedEngine

__all__ = [
    "Engine",
    "ScriptedEngine",
    "open_engine",
]
