"""A judge behind a server on loopback: fixtures and replies of several test modules."""

from __future__ import annotations

from pathlib import Path

import pytest
from openai_server import rank_by

from pytest_raq.config import ModelDefinition
from pytest_raq.judging import make_judge, rank_contestants
from pytest_raq.records import Question

KEY = "sk-the-secret-of-the-test"


@pytest.fixture
def short_delays(monkeypatch):
    """Let the client try again soon."""
    import openai._base_client

    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)


@pytest.fixture
def judging(monkeypatch, short_delays):  # noqa: ARG001
    """Make judges of a server, and close them."""
    monkeypatch.setenv("JUDGE_KEY", KEY)
    made = []

    def make(server, *, timeout=5.0, max_retries=2, temperature=0.0, canaries=3, **judge):
        definition = ModelDefinition.model_validate(
            {
                "name": "gpt",
                "path": Path("models/gpt.toml"),
                "engine": "openai",
                "timeout": timeout,
                "temperature": temperature,
                "canaries": canaries,
                "openai": {
                    "base_url": server if isinstance(server, str) else server.url,
                    "model": "m",
                    "api_key_env": "JUDGE_KEY",
                    "max_retries": max_retries,
                },
                "judge": judge,
            }
        )
        made.append(make_judge(definition))
        return made[-1]

    yield make
    for judge in made:
        judge.close()


def question(number):
    return Question(
        f"q{number}", "", f"passage {number}", f"what is {number}?", (f"right {number}",)
    )


def items(count, *others):
    """Return questions with a right answer, word for word, and others."""
    return [
        (
            question(n),
            {"a": f"right {n}", **{f"m{i}": f"{text} {n}" for i, text in enumerate(others)}},
        )
        for n in range(count)
    ]


def rank(judge, entries):
    return list(rank_contestants(judge, entries))


GOOD = rank_by(lambda text: 0 if text.startswith("right") else 1)


def asked(server):
    """Return the requests about questions: those after the trial."""
    return [request for request in server.requests if "Lyon" not in str(request["messages"])]


def after_trial(*replies):
    """Return what replies in order after the trial, then as a good judge does."""
    waiting = list(replies)

    def reply(request):
        if "Lyon" in str(request["messages"]) or not waiting:
            return GOOD(request)
        said = waiting.pop(0)
        return said(request) if callable(said) else said

    return reply
