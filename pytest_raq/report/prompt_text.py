"""A prompt for people: its text, and its tokens one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.report.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_raq.records import Message, RenderedPrompt, Token

_UNLIMITED = 10**9


def text_lines(text: str) -> list[str]:
    """Return a text as lines without control characters; nothing is cut."""
    return [safe_text(line, _UNLIMITED) for line in text.split("\n")]


def message_lines(messages: Iterable[Message]) -> Iterator[str]:
    """Yield each message under its role."""
    for message in messages:
        yield f"[{message.role}]"
        yield from text_lines(message.content)


def token_lines(rendered: RenderedPrompt) -> Iterator[str]:
    """Yield place, id and text of each token: in quotes what is text, bare what is special."""
    width = len(str(max((token.id for token in rendered.tokens), default=0)))
    places = len(str(len(rendered.tokens)))
    for place, token in enumerate(rendered.tokens):
        yield f"{place:>{places}}  {token.id:>{width}}  {_shown(token)}"


def _shown(token: Token) -> str:
    if token.kind == "text":
        return repr(token.text)
    if token.kind == "bytes":
        return f"bytes {token.text}"
    return safe_text(token.text)
