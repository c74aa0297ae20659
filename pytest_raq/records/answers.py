"""Requests to an engine, and its answers."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - read at run time
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pytest_raq.records.reasoning import UNFINISHED, split_reasoning

_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['’])*")
_WORD_OR_NUMBER = re.compile(r"\w+(?:['’.,]\w+)*")


def count_words(text: str) -> int:
    """Words of letters and apostrophes only, as Roque and Guedes (2024) count them."""
    return len(_WORD.findall(text))


def count_words_and_numbers(text: str) -> int:
    """Words and numbers: ``"in 1,066"`` counts two."""
    return len(_WORD_OR_NUMBER.findall(text))


@dataclass(frozen=True, slots=True)
class Timing:
    """Measurements of one answer; seconds and tokens.

    ``prompt_tokens`` is the length of the prompt, ``prefilled_tokens`` how many
    of them were evaluated for this answer (fewer if a prefix was shared).
    ``decode_seconds`` is the time of the generated tokens after the first.
    ``is_estimate`` says that ``generated_tokens`` counts the pieces of a stream,
    because the server does not count its tokens. ``instructions`` counts what the processor
    executed for the answer, in user space; 0 where it is not counted.
    ``reasoning_tokens`` are those before the answer, ``reasoning_seconds`` their time, and
    ``time_to_first_answer`` is that until the first token of the answer; all 0 where a model did
    not reason, or where its reasoning could not be timed.
    """

    prompt_tokens: int = 0
    prefilled_tokens: int = 0
    generated_tokens: int = 0
    time_to_first_token: float = 0.0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    total_seconds: float = 0.0
    is_estimate: bool = False
    instructions: int = 0
    reasoning_tokens: int = 0
    reasoning_seconds: float = 0.0
    time_to_first_answer: float = 0.0

    @property
    def prefill_tokens_per_second(self) -> float | None:
        """Prompt tokens evaluated per second; None if none were timed."""
        return _ratio(self.prefilled_tokens, self.prefill_seconds)

    @property
    def instructions_per_token(self) -> float | None:
        """Instructions by token that was evaluated; None where they are not counted."""
        tokens = self.prefilled_tokens + max(0, self.generated_tokens - 1)
        return _ratio(self.instructions, tokens)

    @property
    def decode_tokens_per_second(self) -> float | None:
        """Tokens per second after the first one; None for answers of one token."""
        return _ratio(self.generated_tokens - 1, self.decode_seconds)


def _ratio(amount: float, seconds: float) -> float | None:
    return amount / seconds if amount > 0 and seconds > 0 else None


class FinishReason(StrEnum):
    """Why generation ended: a stop string or end token, or the token limit."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a model to a question.

    ``reasoning`` is what the model wrote before its answer; no figure counts it. An answer that is
    ``unfinished`` ended inside its reasoning: its text is empty.
    """

    question_id: str
    model: str
    text: str
    finish_reason: FinishReason
    timing: Timing
    reasoning: str = ""
    unfinished: bool = False

    @property
    def judged_text(self) -> str:
        """The text to be compared: no empty one where there is no answer."""
        return UNFINISHED if self.unfinished else self.text

    @property
    def words(self) -> int:
        """Words of letters and apostrophes."""
        return count_words(self.text)

    @property
    def words_and_numbers(self) -> int:
        """Words and numbers."""
        return count_words_and_numbers(self.text)

    @property
    def words_per_second(self) -> float | None:
        """Words per second over the whole call with the prompt; None if it was not timed."""
        seconds = self.timing.total_seconds
        return self.words / seconds if seconds > 0 else None


def answer_from_reply(
    question_id: str,
    model: str,
    reply: str,
    finish_reason: FinishReason,
    timing: Timing,
    *,
    opened: bool = False,
    apart: str = "",
) -> Answer:
    """Return the answer of a reply that may begin with reasoning.

    ``opened`` says that the prompt ends inside a block; ``apart`` is the reasoning that a server
    sent beside the text.
    """
    is_cut = finish_reason is FinishReason.LENGTH
    parts = split_reasoning(reply, opened=opened and not apart, is_cut=is_cut)
    reasoning = "\n\n".join(filter(None, (apart.strip(), parts.reasoning)))
    text = parts.text
    is_empty = not text.strip()
    unfinished = parts.is_open or bool(is_empty and reasoning and (is_cut or apart))
    if not reasoning and not parts.is_open:
        timing = replace(
            timing, reasoning_tokens=0, reasoning_seconds=0.0, time_to_first_answer=0.0
        )
    return Answer(question_id, model, text, finish_reason, timing, reasoning, unfinished)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer.

    ``is_infrastructure`` says that the cause is not the model, e.g. a crash or a server that
    is busy: such a failure is never a bad answer. Without it the model itself has no answer
    to this question, e.g. because its numbers are not finite or the prompt does not fit:
    if the accepted model answered, today's is worse.
    """

    question_id: str
    model: str
    reason: str
    is_infrastructure: bool = True


Outcome = Answer | Failure


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; the role is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt for an engine for one question.

    With ``chat`` the text is the user's message, to be rendered by the chat
    template of the model; otherwise it is given to the model unchanged. A chat
    of several ``messages`` has them in addition to the text, which is then all
    their contents. Prompts of one ``block`` may be answered together, and no other
    prompts with them. With a ``schema``, JSON Schema as text, the reply can only
    be JSON that fits it, if the engine can enforce that.
    ``max_tokens`` replaces that of the definition; 0 keeps it. The likelihood of the
    texts ``beside`` an answer, and of the answer itself, is wanted with it, if
    the engine can tell it at once; None: of nothing. A ``greedy`` prompt is
    answered by a server at temperature 0, whatever the definition says.
    """

    question_id: str
    text: str
    chat: bool = False
    block: int = 0
    messages: tuple[Message, ...] = ()
    schema: str = ""
    max_tokens: int = 0
    greedy: bool = False
    beside: tuple[str, ...] | None = None

    @property
    def conversation(self) -> tuple[Message, ...]:
        """The prompt as messages: for a server, or for the chat template of a model."""
        return self.messages or (Message("user", self.text),)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a prompt; ``kind`` is ``text``, ``special`` or ``bytes`` of a character."""

    id: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """The input of a model: the text made by its template, and its tokens."""

    text: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The engine of a model, for the provenance of its answers.

    ``build`` is the version of the engine, ``template_sha256`` the SHA-256 of
    the chat template or the plain prompt, ``quantization`` e.g. ``Q4_K_M``.
    ``extra_buffers`` is False if llama.cpp had to run without its extra
    buffer types (repacked and AMX kernels); ``note`` says why, and
    ``will_recur`` whether the next start will need that too. ``reproducible``
    is ``verified`` where answers depend on nothing that is computed beside
    them, what the self-test found where they should not but may, and empty
    where nobody asked for it; ``instruction_set`` is what they depend on then,
    ``tested_sequences`` how many sequences the self-test tried at most. A server
    was asked ``asked_again`` questions twice, and changed ``changed_again`` answers;
    ``identity`` is what it says of itself. ``left_out`` are the parameters that it refuses, so
    that they are not sent; None before a reply has shown it.
    """

    engine: str
    build: str
    quantization: str = ""
    file_sha256: str = ""
    template_sha256: str = ""
    parameters: int = 0
    extra_buffers: bool = True
    note: str = ""
    will_recur: bool = False
    reproducible: str = ""
    instruction_set: str = ""
    tested_sequences: int = 0
    asked_again: int = 0
    changed_again: int = 0
    left_out: tuple[str, ...] | None = None
    identity: Mapping[str, str] = field(default_factory=dict)
