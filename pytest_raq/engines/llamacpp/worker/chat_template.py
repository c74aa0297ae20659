"""Part of the worker: chat templates, with hostile messages kept apart."""

from __future__ import annotations

import datetime as dt
import re
from itertools import starmap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.template_limits import check_length, limited
else:  # beside the worker, in an environment that may not have this package
    from template_limits import check_length, limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Span = tuple[int, int]
Message = tuple[str, str]
"""Role and content."""

_MARK = "\ue000{}\ue001"
"""Marks the content of a message in a rendered template; private-use characters."""
_MARKS = re.compile("\ue000([0-9]+)\ue001")
_TODAY = dt.date(2024, 7, 26)
"""What templates take for today, so that a prompt is the same every day."""


class TemplateError(Exception):
    """The chat template of a model is absent or cannot be used."""


class ChatTemplate:
    """The chat template of a GGUF file; TemplateError when it cannot show messages of ``roles``.

    ``variables`` are given to it, e.g. ``enable_thinking``.

    Special tokens of the template are parsed, those that a message spells out
    are not: the rendered prompt is cut inside each of them, to be tokenized
    piece by piece. Messages without any leave one piece, so that it is
    tokenized exactly as llama.cpp would.
    """

    def __init__(
        self,
        make_formatter: Callable[..., Any],
        source: str,
        bos: str,
        eos: str,
        *,
        roles: Sequence[str] = ("user",),
        variables: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._variables = variables
        try:
            with limited():
                self._formatter = make_formatter(source, eos_token=eos, bos_token=bos)
        except Exception as exc:
            raise TemplateError(f"the chat template cannot be parsed: {exc}") from exc
        self._formatter.strftime_now = _TODAY.strftime
        marked = self._render_marked(roles)
        for index, role in enumerate(roles):
            if _MARK.format(index) not in marked:
                raise TemplateError(f"the chat template leaves out the {role}'s message")
        self.end = _MARKS.split(marked)[-1]
        """What the template writes behind the last message."""

    def _render(self, messages: Iterable[Message]) -> str:
        asked = [{"role": role, "content": content} for role, content in messages]
        try:
            with limited():
                rendered = str(self._formatter(messages=asked, **self._variables).prompt)
            return check_length(rendered, [one["content"] for one in asked])
        except Exception as exc:  # a template is a program: anything may go wrong
            raise TemplateError(f"the chat template cannot be rendered: {exc}") from exc

    def _render_marked(self, roles: Iterable[str]) -> str:
        return self._render((role, _MARK.format(index)) for index, role in enumerate(roles))

    def pieces(self, messages: Sequence[Message], special: Iterable[str]) -> list[str]:
        """Return the rendered prompt, cut inside the ``special`` texts that a message spells."""
        rendered = self._render(messages)
        cuts = sorted(_cuts(rendered, self._spans(rendered, messages), special))
        return [rendered[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]

    def lead(self, messages: Sequence[Message]) -> str | None:
        """Return the white space that the template writes before the assistant's reply.

        None where it shows no reply behind the prompt that asks for one.
        """
        reply = _MARK.format(len(messages))
        try:
            whole = self._render([*messages, ("assistant", reply)])
        except TemplateError:
            return None
        before, found, _ = whole.partition(reply)
        prompt = self._render(messages)
        lead = before[len(prompt) :]
        return lead if found and before.startswith(prompt) and not lead.strip() else None

    def _spans(self, rendered: str, messages: Sequence[Message]) -> list[Span]:
        """Return where the messages are in the rendered prompt, as (start, end).

        Templates may strip a message. One that changes it otherwise is found by
        what differs when another stands in its place.
        """
        marked = self._render_marked(role for role, _ in messages)
        found = find_contents(rendered, marked, [content for _, content in messages])
        if found is not None:
            return found
        others = [list(messages) for _ in messages]
        for index, other in enumerate(others):
            other[index] = (other[index][0], _MARK.format(index))
        return list(starmap(differing, ((rendered, self._render(other)) for other in others)))


def find_contents(rendered: str, marked: str, contents: Sequence[str]) -> list[Span] | None:
    """Return where contents are, as they are or stripped; None where one is missing.

    ``marked`` is the template rendered with a mark for each of them.
    """
    parts = _MARKS.split(marked)
    shown = [contents[int(index)] for index in parts[1::2]]
    return _fit(rendered, 0, parts[::2], shown)


def _fit(rendered: str, at: int, parts: Sequence[str], shown: Sequence[str]) -> list[Span] | None:
    if not rendered.startswith(parts[0], at):
        return None
    at += len(parts[0])
    if not shown:
        return [] if at == len(rendered) else None
    for text in dict.fromkeys((shown[0], shown[0].strip())):
        end = at + len(text)
        if rendered.startswith(text, at):
            rest = _fit(rendered, end, parts[1:], shown[1:])
            if rest is not None:
                return [(at, end), *rest]
    return None


def differing(rendered: str, other: str) -> Span:
    """Return the part of a text that is not shared with another from its start or its end."""
    start = _shared(rendered, other)
    end = _shared(rendered[start:][::-1], other[start:][::-1])
    return start, len(rendered) - end


def _shared(first: str, second: str) -> int:
    """Return how many characters two texts have in common from their starts."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))


def _cuts(rendered: str, spans: Sequence[Span], special: Iterable[str]) -> set[int]:
    cuts = set()
    for text in special:
        at = rendered.find(text)
        while at >= 0:
            if any(at < end and at + len(text) > start for start, end in spans):
                cuts.add(at + 1)
            at = rendered.find(text, at + 1)
    return cuts
