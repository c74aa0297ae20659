"""The prompt of a model: templates, chat messages, and files that contain them."""

from __future__ import annotations

import json
import re
import string
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from pytest_raq.config.base import Settings
from pytest_raq.config.permissions import place_in_project
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_MOST_DIGITS = 5
"""Digits of the width in a format such as ``{passage:.2000}``."""

PLACEHOLDERS = ("passage", "question")

Text = Annotated[str, Field(min_length=1)]


def placeholders(template: str) -> set[str]:
    """Return the names of the placeholders of a template; raise ValueError if it is invalid."""
    try:
        fields = [item for item in string.Formatter().parse(template) if item[1] is not None]
    except ValueError as exc:
        raise ValueError(f"is not a template: {exc}; write {{{{ for a brace") from exc
    for _, name, form, _ in fields:
        numbers = re.findall(r"\d+", form or "")
        if "{" in (form or "") or any(len(digits) > _MOST_DIGITS for digits in numbers):
            raise ValueError(f"has a format of {{{name}}} that could fill the memory: remove it")
    return {str(name) for _, name, _, _ in fields}


def check_placeholders(template: str) -> set[str]:
    """Return the placeholders of a template; raise ValueError if one is unknown."""
    found = placeholders(template)
    unknown = sorted(found - set(PLACEHOLDERS))
    if unknown:
        raise ValueError(f"may use {{passage}} and {{question}}, not {{{unknown[0]}}}")
    return found


def check_template(template: str) -> str:
    """Return a template of a whole prompt; raise ValueError if it has no question."""
    if "question" not in check_placeholders(template):
        raise ValueError("has no {question}")
    return template


class MessageSettings(Settings):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    """The role of the message."""
    content: Text | None = None
    """The text of the message: a template that may use {passage} and {question}."""
    file: Text | None = None
    """A text file with the content instead; a path from the folder of this file."""

    @field_validator("content")
    @classmethod
    def _check_content(cls, value: str | None) -> str | None:
        if value is not None:
            check_placeholders(value)
        return value

    @model_validator(mode="after")
    def _need_one(self) -> Self:
        if (self.content is None) == (self.file is None):
            raise ValueError("needs either content or file")
        return self

    @property
    def template(self) -> str:
        """The content, after a file was read."""
        assert self.content is not None
        return self.content


Messages = tuple[MessageSettings, ...]


def check_messages(messages: Messages) -> Messages:
    """Return messages; raise ValueError if they cannot ask a question."""
    if messages and messages[-1].role != "user":
        raise ValueError(f"end with a message of role {messages[-1].role}, not of role user")
    if messages and all(item.content is not None for item in messages):
        _need_question(messages)
    return messages


def _need_question(messages: Messages) -> None:
    if not any("question" in placeholders(item.template) for item in messages):
        raise ValueError("have no {question}")


class PromptSettings(Settings):
    """The prompt of a suite: it replaces the prompts of all models."""

    template: Text | None = None
    """A text with {question} and, for questions about passages, {passage}."""
    file: Text | None = None
    """A text file with the template instead; a path from the folder of the suite."""
    messages: Messages = ()
    """A chat: each message has a role and content, or a file with the content."""

    @field_validator("messages", mode="before")
    @classmethod
    def _accept_list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("template")
    @classmethod
    def _check_template(cls, value: str | None) -> str | None:
        return value if value is None else check_template(value)

    @field_validator("messages")
    @classmethod
    def _check_messages(cls, value: Messages) -> Messages:
        return check_messages(value)

    @model_validator(mode="after")
    def _need_one(self) -> Self:
        given = [self.template is not None, self.file is not None, bool(self.messages)]
        if sum(given) != 1:
            raise ValueError("needs one of template, file and messages")
        return self


def read_template(path: Path, key: str, file: str) -> str:
    """Return the text of a file that ``key`` of a definition names.

    One line end at the end of the file is not part of the text: editors add it.
    ConfigError names both files and what is wrong.
    """
    place = place_in_project(path, key, file)
    try:
        text = place.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        why = "is not UTF-8" if isinstance(exc, UnicodeDecodeError) else exc.strerror or exc
        raise ConfigError(f"{path}: {key}: {place} cannot be read: {why}") from exc
    text = text.removesuffix("\n")
    if not text.strip():
        raise ConfigError(f"{path}: {key}: {place} is empty; expected a text with {{question}}")
    return text


def load_template(path: Path, key: str, file: str) -> str:
    """Return the template of a whole prompt from a file; raise ConfigError if it is invalid."""
    text = read_template(path, key, file)
    try:
        return check_template(text)
    except ValueError as exc:
        raise ConfigError(f"{path}: {key}: {path.parent / file} {exc}") from exc


def load_messages(path: Path, key: str, messages: Messages) -> Messages:
    """Return messages with the contents of their files; ConfigError says what is wrong."""
    loaded = tuple(_load_message(path, f"{key}[{n}]", item) for n, item in enumerate(messages))
    try:
        if loaded:
            _need_question(loaded)
    except ValueError as exc:
        raise ConfigError(f"{path}: {key}: {exc}") from exc
    return loaded


def _load_message(path: Path, key: str, message: MessageSettings) -> MessageSettings:
    if message.file is None:
        return message
    text = read_template(path, f"{key}.file", message.file)
    try:
        check_placeholders(text)
    except ValueError as exc:
        raise ConfigError(f"{path}: {key}.file: {path.parent / message.file} {exc}") from exc
    return MessageSettings(role=message.role, content=text)


def identify_messages(messages: Iterable[MessageSettings]) -> str:
    """Return messages as one text for hashes; two different chats give two different texts."""
    return json.dumps([[item.role, item.template] for item in messages], ensure_ascii=False)


def render(template: str, passage: str, question: str) -> str:
    """Return a template with the texts filled in."""
    return template.format(passage=passage, question=question)


def need_passage(templates: Sequence[str]) -> bool:
    """Whether any of the templates uses the passage."""
    return any("passage" in placeholders(template) for template in templates)


def own_prompt(definition: Path) -> str:
    """Return the next step where the chat template of a model cannot be used."""
    example = 'prompt = "{passage}\\n\\n{question}\\n"'
    return f"set a prompt without it in {definition}, for example {example}"
