"""Part of the worker: chat templates, with hostile messages kept apart."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MARK = "\ue000message\ue001"
"""Stands for the user's message in a rendered template; private-use characters."""
_TODAY = dt.date(2024, 7, 26)
"""What templates take for today, so that a prompt is the same every day."""


class TemplateError(Exception):
    """The chat template of a model is absent or cannot be used."""


class ChatTemplate:
    """The chat template of a GGUF file.

    Special tokens of the template are parsed, those that a message spells out
    are not: the rendered prompt is cut inside each of them, to be tokenized
    piece by piece. A message without any leaves one piece, so that it is
    tokenized exactly as llama.cpp would.
    """

    def __init__(self, make_formatter: Callable[..., Any], source: str, bos: str, eos: str) -> None:
        try:
            self._formatter = make_formatter(source, eos_token=eos, bos_token=bos)
        except Exception as exc:
            raise TemplateError(f"the chat template cannot be parsed: {exc}") from exc
        self._formatter.strftime_now = _TODAY.strftime
        self._marked = self._render(MARK)
        if MARK not in self._marked:
            raise TemplateError("the chat template leaves out the user's message")

    def _render(self, message: str) -> str:
        try:
            return str(self._formatter(messages=[{"role": "user", "content": message}]).prompt)
        except Exception as exc:  # a template is a program: anything may go wrong
            raise TemplateError(f"the chat template cannot be rendered: {exc}") from exc

    def pieces(self, message: str, special: Iterable[str]) -> list[str]:
        """Return the rendered prompt, cut inside the ``special`` texts that the message spells."""
        rendered = self._render(message)
        spans = message_spans(rendered, self._marked, message)
        cuts = sorted(_cuts(rendered, spans, special))
        return [rendered[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]


def message_spans(rendered: str, marked: str, message: str) -> list[tuple[int, int]]:
    """Return where the message stands in a rendered template, as (start, end).

    ``marked`` is the template rendered with MARK for the message. Templates
    may strip a message; one that changes it otherwise gets a single span: all
    that differs from ``marked``.
    """
    parts = marked.split(MARK)
    for shown in (message, message.strip()):
        if shown.join(parts) == rendered:
            return _spans_between(parts, len(shown))
    start = _shared(rendered, marked)
    end = _shared(rendered[start:][::-1], marked[start:][::-1])
    return [(start, len(rendered) - end)]


def _shared(first: str, second: str) -> int:
    """Return how many characters two texts have in common from their starts."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))


def _spans_between(parts: list[str], length: int) -> list[tuple[int, int]]:
    spans, at = [], 0
    for part in parts[:-1]:
        at += len(part)
        spans.append((at, at + length))
        at += length
    return spans


def _cuts(rendered: str, spans: list[tuple[int, int]], special: Iterable[str]) -> set[int]:
    cuts = set()
    for text in special:
        at = rendered.find(text)
        while at >= 0:
            if any(at < end and at + len(text) > start for start, end in spans):
                cuts.add(at + 1)
            at = rendered.find(text, at + 1)
    return cuts
