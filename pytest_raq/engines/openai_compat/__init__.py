"""Models behind OpenAI-compatible servers, as contestants and as judges."""

from pytest_raq.engines.openai_compat.completions import Completion
from pytest_raq.engines.openai_compat.connection import Connection, Request
from pytest_raq.engines.openai_compat.engine import OpenAIEngine
from pytest_raq.engines.openai_compat.failures import Problem
from pytest_raq.engines.openai_compat.server import Server, find_server

__all__ = [
    "Completion",
    "Connection",
    "OpenAIEngine",
    "Problem",
    "Request",
    "Server",
    "find_server",
]
