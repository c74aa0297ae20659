"""One model that is timed: in fresh processes, or where it is open already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_raq.errors import EngineError
from pytest_raq.records import Answer, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_raq.answering import ModelAnswers
    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines import Engine
    from pytest_raq.records import Outcome, Prompt


class TimedModel(Protocol):
    """A model that answers one question at a time, from a cold prefix."""

    def renew(self) -> None:
        """Begin a new block of rounds, in a fresh process if the model has one of its own."""

    def ask(self, question_id: str) -> Answer:
        """Return a new answer; raise EngineError with the reason if there is none."""

    def close(self) -> None:
        """Free the model; may be called twice."""


class FreshModel:
    """A model that is loaded again, in a process of its own, for each block of rounds.

    ``opener`` loads it, ``prompt`` makes the prompt of a question.
    """

    def __init__(
        self,
        model: ModelDefinition,
        opener: Callable[[ModelDefinition], Engine],
        prompt: Callable[[str], Prompt],
    ) -> None:
        self._model, self._opener, self._prompt = model, opener, prompt
        self._engine: Engine | None = None

    def renew(self) -> None:
        """End the process and start another one; raise RaqError if it does not start."""
        self.close()
        self._engine = self._opener(self._model)

    def ask(self, question_id: str) -> Answer:
        """Return a new answer; raise EngineError with the reason if there is none."""
        if self._engine is None:
            self.renew()
        assert self._engine is not None
        outcomes = list(self._engine.answers([self._prompt(question_id)]))
        return _answer(outcomes[0] if outcomes else None, question_id)

    def close(self) -> None:
        """End the process; may be called twice."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None


class OpenModel:
    """A model as the run has it open: a server, or a file with nothing to compare it with."""

    def __init__(self, answers: ModelAnswers) -> None:
        self._answers = answers

    def renew(self) -> None:
        """Do nothing: it stays open."""

    def ask(self, question_id: str) -> Answer:
        """Return a new answer; raise EngineError with the reason if there is none."""
        return _answer(self._answers.probe(question_id), question_id)

    def close(self) -> None:
        """Do nothing: the run closes it."""


def _answer(outcome: Outcome | None, question_id: str) -> Answer:
    if isinstance(outcome, Answer):
        return outcome
    reason = outcome.reason if isinstance(outcome, Failure) else "the engine gave no answer"
    raise EngineError(reason or f"no answer to {question_id}")
