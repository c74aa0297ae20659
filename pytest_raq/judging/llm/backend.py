"""The protocol between a judge and the LLM that it asks."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the fields of a record
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One prompt. ``schema`` is JSON Schema as text, ``max_tokens`` the limit of the reply."""

    prompt: str
    schema: str
    max_tokens: int
    seed: int


@dataclass(frozen=True, slots=True)
class JudgeReply:
    """The text of the LLM, or the ``problem`` that prevented a reply.

    ``is_final`` says that no further request can succeed; ``is_cut`` that the
    reply reached its token limit. ``usage`` counts ``prompt_tokens`` and
    ``completion_tokens``, as far as they are known.
    """

    text: str = ""
    usage: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""
    is_final: bool = False
    is_cut: bool = False


class LlmBackend(Protocol):
    """Asks an LLM with limited concurrency; further requests that are started wait.

    Requests are started and replies taken on one thread.
    """

    @property
    def note(self) -> str:
        """What a reader should know about what runs the LLM; empty if there is nothing."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """The parameters that are not sent, because the server of the LLM refuses them."""

    def prepare(self, trial: JudgeRequest) -> list[JudgeReply]:
        """Find out how to ask; return the replies to the trial, the last one in the final form.

        Raises JudgeError when the LLM cannot be asked.
        """

    def start(self, ticket: int, ask: JudgeRequest) -> None:
        """Start a request; its reply is taken later, by its ticket."""

    def take(self) -> tuple[int, JudgeReply]:
        """Wait for the next reply and return it; a request must have been started."""

    def cancel(self) -> None:
        """Cancel all requests that were started."""

    def close(self) -> None:
        """Free connections and models; may be called twice, and requests may follow."""
