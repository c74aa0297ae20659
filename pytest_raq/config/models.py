"""``models/NAME.toml``: one contestant, or one judge."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path  # noqa: TC003 - pydantic resolves the annotation at run time
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from pytest_raq.config.base import Settings
from pytest_raq.config.prompts import (
    Messages,
    PromptSettings,
    check_messages,
    check_template,
    identify_messages,
    need_passage,
    render,
)
from pytest_raq.config.servers import OpenAISettings  # noqa: TC001 - pydantic reads it at run time
from pytest_raq.errors import ConfigError

Price = Annotated[float, Field(ge=0)]

TemplateValue = str | bool | int | float | list[Any] | dict[str, Any]
"""What a variable of a chat template may be."""

Count = Annotated[int, Field(ge=1)]

InstructionSet = Literal["sse42", "avx2", "avx512", "avx512_bf16", "neon", "dotprod"]

_RESERVED = (
    "messages",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "add_generation_prompt",
    "bos_token",
    "eos_token",
    "raise_exception",
    "strftime_now",
)
"""Variables of chat templates that say what is asked, and how it ends."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

CHAT = "chat"
"""The value of ``prompt`` that selects the model's own chat template."""

DEFAULT_CHAT_MESSAGE = (
    "Answer the question with as few words as possible, taken from the passage.\n\n"
    "Passage: {passage}\n\nQuestion: {question}"
)


class JudgeSettings(Settings):
    """How a model is asked to rank answers, and the maximum cost in one run."""

    orders: Literal[1, 2] = 1
    """2 asks twice, in a random order of the answers and in its reverse, and averages the ranks."""
    passage: bool = False
    """Whether the judge reads the passage in addition to the references."""
    max_answer_length: Annotated[int, Field(ge=40)] = 2000
    """Maximum characters of an answer that the judge reads; longer ones are cut at a word."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Maximum number of times a question is asked until the reply is a complete order."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 8
    """Parallel requests to a server; sequences decoded together for a GGUF file."""
    max_calls: Annotated[int, Field(ge=1)] | None = None
    """Budget of a run: number of calls."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Budget of a run: tokens of prompts and replies."""
    max_cost: Annotated[float, Field(gt=0)] | None = None
    """Budget of a run: money, calculated from the prices."""
    input_price: Price | None = None
    """Price of a million tokens of prompts."""
    output_price: Price | None = None
    """Price of a million tokens of replies."""
    currency: Annotated[str, Field(min_length=1, max_length=8)] = "USD"
    """The currency of the prices and of max_cost."""

    @model_validator(mode="after")
    def _require_prices(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("input_price and output_price belong together: give both")
        if self.max_cost is not None and self.input_price is None:
            raise ValueError("max_cost needs input_price and output_price, per million tokens")
        return self


class SourceSettings(Settings):
    """Where ``raq models pull`` finds the file of a model."""

    repo: str
    """The repository on the hub, ``OWNER/NAME``."""
    filename: str
    """The file in the repository."""
    revision: str = "main"
    """A branch, tag or commit; a commit makes a download repeatable."""


class ModelDefinition(Settings):
    """One model. ``name`` and ``path`` come from the file, not from its text.

    ``python_allowed`` comes from the options of a run: whether ``python`` may be run.
    """

    name: str
    path: Path
    python_allowed: bool = False
    engine: Literal["llama-cpp", "openai"] = "llama-cpp"
    """What runs the model: llama.cpp from a GGUF file, or an OpenAI-compatible server."""
    family: str = ""
    """The family of the model: ``llama``, ``gemma``, ``mistral``, … A panel lets no judge rank
    answers of its own family."""
    file: str | None = None
    """The GGUF file; a relative path starts at the folder of the definition."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the file, to make sure that the right file is used."""
    context_length: Count = 1024
    """Maximum tokens of prompt and answer together."""
    max_tokens: Count = 256
    """Maximum tokens of an answer."""
    reasoning: Literal["auto", "off", "keep"] = "auto"
    """What becomes of the reasoning before an answer: "auto" keeps it apart from the answer, "off"
    also asks the chat template for none, "keep" leaves it in the answer."""
    max_reasoning_tokens: Count | None = None
    """Maximum tokens of the reasoning, in addition to max_tokens for the answer; absent: both
    share max_tokens."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """Sampling temperature; 0 is greedy."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """The seed of sampling; without effect when greedy."""
    stop: tuple[str, ...] = ()
    """Texts that end an answer; they are not part of it."""
    threads: Count | None = None
    """Threads of llama.cpp; the number of cores when absent."""
    parallel: Count | None = None
    """Sequences decoded together, or parallel requests to a server."""
    reproducible: bool = False
    """Whether an answer is the same, bit for bit, in any batch, on any number of threads and
    on any machine with the same instruction set (GGUF files)."""
    instruction_set: InstructionSet | None = None
    """The instruction set that llama.cpp must be compiled for; an engine with another one is
    refused. Absent: any."""
    python: Annotated[str, Field(min_length=1)] | None = None
    """The Python executable, or the folder of a virtual environment, whose llama-cpp-python
    runs the file; the Python of this process when absent. Runs only with --raq-allow-python."""
    timeout: Annotated[float, Field(gt=0)] = 600.0
    """Seconds without any progress after which a question fails."""
    canaries: Annotated[int, Field(ge=0, le=100)] = 3
    """Questions that a server is asked again, greedily, before its stored answers are used: they
    show whether somebody else answers now. 0 asks none."""
    prompt: Annotated[str, Field(min_length=1)] = CHAT
    """A template with {passage} and {question}, or "chat"."""
    chat_message: Annotated[str, Field(min_length=1)] = DEFAULT_CHAT_MESSAGE
    """The user's message when ``prompt`` is "chat": a template like ``prompt``."""
    prompt_file: Annotated[str, Field(min_length=1)] | None = None
    """A text file with the template of ``prompt``; a path from the folder of the definition."""
    messages: Messages = ()
    """A chat instead of ``prompt``: each message has a role and content, or a file for it."""
    template: dict[str, TemplateValue] = Field(default_factory=dict)
    """Variables of the chat template: enable_thinking = false; a server receives them as
    ``chat_template_kwargs``."""
    source: SourceSettings | None = None
    """Where ``raq models pull`` finds the file of the model."""
    openai: OpenAISettings | None = None
    """The server, for ``engine = "openai"``."""
    judge: JudgeSettings = JudgeSettings()
    """How the model judges, if a suite names it as its judge."""

    @field_validator("stop", "messages", mode="before")
    @classmethod
    def _accept_list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("stop")
    @classmethod
    def _refuse_empty_stop(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "" in value:
            raise ValueError("an empty stop string would end every answer at once")
        return value

    @field_validator("prompt", "chat_message")
    @classmethod
    def _check_placeholders(cls, value: str) -> str:
        return value if value == CHAT else check_template(value)

    @field_validator("messages")
    @classmethod
    def _check_messages(cls, value: Messages) -> Messages:
        return check_messages(value)

    @model_validator(mode="after")
    def _refuse_two_prompts(self) -> Self:
        ways = ("prompt", "prompt_file", "messages")
        given = [name for name in ways if name in self.model_fields_set and getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{given[0]} and {given[1]} both define the prompt: keep one")
        return self

    @field_validator("template")
    @classmethod
    def _check_variables(cls, value: dict[str, TemplateValue]) -> dict[str, TemplateValue]:
        for name in value:
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a variable of a chat template")
            if name in _RESERVED:
                raise ValueError(f"{name} is set by pytest-raq: remove it")
        return value

    @model_validator(mode="after")
    def _check_reasoning(self) -> Self:
        if self.template and "prompt" in self.model_fields_set and not self.uses_chat:
            raise ValueError('template is for prompt = "chat": a plain prompt has no chat template')
        if self.max_reasoning_tokens is None or self.engine != "llama-cpp":
            return self
        needed = self.max_reasoning_tokens + self.max_tokens
        if needed >= self.context_length:
            raise ValueError(
                f"context_length {self.context_length} has no room for a prompt,"
                f" {self.max_reasoning_tokens} tokens of reasoning (max_reasoning_tokens) and"
                f" {self.max_tokens} of answer (max_tokens): raise context_length"
            )
        return self

    @model_validator(mode="after")
    def _check_engine(self) -> Self:
        if self.engine == "llama-cpp" and self.file is None:
            raise ValueError('file is missing: engine = "llama-cpp" runs a GGUF file')
        if self.engine == "openai" and self.openai is None:
            raise ValueError('[openai] is missing: engine = "openai" needs base_url and model')
        if self.engine == "openai" and self.reproducible:
            raise ValueError("reproducible is for GGUF files: what a server computes it decides")
        if self.engine == "openai" and self.instruction_set:
            raise ValueError("instruction_set is for GGUF files: remove it")
        return self

    @property
    def template_variables(self) -> dict[str, TemplateValue]:
        """What the chat template is given beside the messages."""
        off: dict[str, TemplateValue] = {"enable_thinking": False, "thinking": False}
        return {**(off if self.reasoning == "off" else {}), **self.template}

    @property
    def file_path(self) -> Path:
        """The GGUF file; relative paths start at the definition's folder."""
        assert self.file is not None
        return (self.path.parent / self.file).expanduser()

    @property
    def python_path(self) -> Path | None:
        """The path of another llama-cpp-python; relative paths start at the definition's folder.

        ConfigError unless it may be run: a definition must not start a program by itself.
        """
        if self.python is None:
            return None
        place = (self.path.parent / self.python).expanduser()
        if not self.python_allowed:
            raise ConfigError(
                f"{self.path}: python = {self.python!r} is a program that would be run: allow it"
                " with --raq-allow-python (pytest) or --allow-python (raq), or name it yourself:"
                f" --raq-python {place}"
            )
        return place

    @property
    def uses_chat(self) -> bool:
        """Whether the prompt is made by the model's chat template."""
        return bool(self.messages) or self.prompt == CHAT

    @property
    def templates(self) -> tuple[str, ...]:
        """The templates that make a prompt, in their order."""
        if self.messages:
            return tuple(message.template for message in self.messages)
        return (self.chat_message if self.uses_chat else self.prompt,)

    def with_prompt(self, prompt: PromptSettings) -> Self:
        """Return the model as a suite asks it, with the suite's prompt instead of its own."""
        if prompt.messages:
            return self.with_messages(prompt.messages)
        template = {"prompt": prompt.template, "prompt_file": None, "messages": ()}
        return self.model_copy(update=template)

    def with_messages(self, messages: Messages) -> Self:
        """Return the model with other messages; a single one is its ``chat_message``."""
        roles = [message.role for message in messages]
        if roles != ["user"]:
            return self.model_copy(update={"messages": messages})
        chat = {"prompt": CHAT, "chat_message": messages[0].template}
        return self.model_copy(update={**chat, "prompt_file": None, "messages": ()})

    @property
    def needs_passage(self) -> bool:
        """Whether the prompt contains the passage."""
        return need_passage(self.templates)

    @property
    def prompt_sha256(self) -> str:
        """The SHA-256 of everything in the definition that is part of the prompt."""
        said = f"{self.prompt}\0{self.chat_message}" if self.uses_chat else self.prompt
        if self.messages:
            said = f"messages\0{identify_messages(self.messages)}"
        return hashlib.sha256(said.encode()).hexdigest()

    def render(self, passage: str, question: str) -> str:
        """Return the plain prompt, or the user's message for the chat template.

        For several messages, all their contents in order.
        """
        return "\n\n".join(render(template, passage, question) for template in self.templates)

    def render_messages(self, passage: str, question: str) -> tuple[tuple[str, str], ...]:
        """Return role and content of each message; nothing if the prompt is a single text."""
        return tuple(
            (message.role, render(message.template, passage, question)) for message in self.messages
        )
