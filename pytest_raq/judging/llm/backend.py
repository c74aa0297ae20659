"""Between a judge and the LLM that it asks: one small protocol."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the fields of a record
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One prompt. ``schema`` is JSON Schema as text, ``max_tokens`` the room for the reply."""

    prompt: str
    schema: str
    max_tokens: int
    seed: int


@dataclass(frozen=True, slots=True)
class JudgeReply:
    """What the LLM said, or the ``problem`` that kept it from saying anything.

    ``is_final`` says that nothing more need be asked; ``is_cut`` that the
    reply ended for want of room. ``usage`` counts ``prompt_tokens`` and
    ``completion_tokens``, as far as they are known.
    """

    text: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    is_final: bool = False
    is_cut: bool = False


class LlmBackend(Protocol):
    """Asks an LLM, no more at once than its definition says; the rest of what is started waits.

    Asks are started and replies taken on one thread.
    """

    @property
    def note(self) -> str:
        """What a reader should know of what runs the LLM; empty where there is nothing."""

    def prepare(self, trial: JudgeRequest) -> list[JudgeReply]:
        """Find out how to ask; return the replies to the trial, the last one as others will be.

        JudgeError when the LLM cannot be asked.
        """

    def start(self, ticket: int, ask: JudgeRequest) -> None:
        """Ask; the reply is taken later, under its ticket."""

    def take(self) -> tuple[int, JudgeReply]:
        """Return the next reply that is there; waits, so something must have been started."""

    def cancel(self) -> None:
        """Give up what was started."""

    def close(self) -> None:
        """Free connections and models; safe to call twice, and to ask again after."""
