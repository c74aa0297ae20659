"""GGUF files under llama.cpp, each in a worker process of its own."""

from pytest_raq.engines.llamacpp.engine import LlamaCppEngine

__all__ = [
    "LlamaCppEngine",
]
