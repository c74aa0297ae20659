"""Asks an LLM in a GGUF file, with the llama.cpp worker of pytest-raq and a grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.engines import open_engine
from pytest_raq.errors import JudgeError, RaqError
from pytest_raq.judging.llm.backend import JudgeReply
from pytest_raq.records import Answer, FinishReason, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines import Engine
    from pytest_raq.judging.llm.backend import JudgeRequest
    from pytest_raq.records import Outcome


class LocalBackend:
    """Sends started requests together, as one block of ``concurrency`` sequences.

    With one sequence each request is a block, so no reply depends on another request.
    The model is loaded for the first request and stays loaded until `close`.
    """

    left_out: tuple[str, ...] = ()

    def __init__(
        self, definition: ModelDefinition, digest: Callable[[Path], str] | None = None
    ) -> None:
        changes = {"stop": (), "parallel": definition.judge.concurrency}
        self._definition = definition.model_copy(update=changes)
        self._digest = digest
        self.note = ""
        self._opened: Engine | None = None
        self._waiting: list[Prompt] = []
        self._outcomes: Iterator[Outcome] | None = None
        self._blocks = 0

    def prepare(self, trial: JudgeRequest) -> list[JudgeReply]:
        """Load the model, ask it, and unload it: other models may need the memory first."""
        try:
            self.start(0, trial)
            return [self.take()[1]]
        except RaqError as exc:
            raise JudgeError(str(exc)) from exc
        finally:
            self.close()

    def _engine(self) -> Engine:
        if self._opened is None:
            try:
                self._opened = open_engine(self._definition, digest=self._digest)
            except RaqError as exc:
                raise JudgeError(str(exc)) from exc
            self.note = self._opened.info.note
        return self._opened

    def start(self, ticket: int, ask: JudgeRequest) -> None:
        """Put a request into the next block."""
        self._waiting.append(
            Prompt(
                str(ticket),
                ask.prompt,
                chat=self._definition.uses_chat,
                block=ticket if self._definition.judge.concurrency == 1 else 0,
                schema=ask.schema,
                max_tokens=ask.max_tokens,
            )
        )

    def take(self) -> tuple[int, JudgeReply]:
        """Return the next reply; start the next block when this one has ended."""
        while True:
            if self._outcomes is None:
                block, self._waiting = self._waiting, []
                self._outcomes = self._engine().answers(block)
            for outcome in self._outcomes:
                return int(outcome.question_id), _reply(outcome)
            self._outcomes = None

    def cancel(self) -> None:
        """Cancel all requests that were started."""
        self._waiting.clear()
        self._outcomes = None

    def close(self) -> None:
        """Unload the model."""
        self.cancel()
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _reply(outcome: Outcome) -> JudgeReply:
    if not isinstance(outcome, Answer):
        return JudgeReply(problem=outcome.reason)
    timing = outcome.timing
    usage = {
        "prompt_tokens": float(timing.prompt_tokens),
        "completion_tokens": float(timing.generated_tokens),
    }
    return JudgeReply(outcome.text, usage, is_cut=outcome.finish_reason is FinishReason.LENGTH)
