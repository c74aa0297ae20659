"""What a server replies: whole or in pieces, read without trust."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_raq.text import well_formed


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished reply.

    ``text`` is what was said beside any ``reasoning`` that the server sent apart, ``arguments``
    what a tool was called with. Token counts are those of the server, 0 where it tells
    none; ``pieces`` counts the parts in which the reply came. Seconds are
    since the request was sent: up to the first piece, the last one, the end.
    ``marks`` has, for each piece, the characters of the text so far and its
    seconds. ``is_estimate`` says that the server's count of tokens is not that of this
    text. ``model`` and ``fingerprint`` are the server's own words for what replied.
    ``body`` is the whole reply, where it was asked for. ``parts`` has for each piece of
    the text its end in it (characters), its seconds, and how many pieces came before it.
    """

    text: str = ""
    reasoning: str = ""
    reasoning_tokens: int = 0
    parts: tuple[tuple[int, float, int], ...] = ()
    arguments: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    pieces: int = 0
    first_seconds: float = 0.0
    last_seconds: float = 0.0
    total_seconds: float = 0.0
    marks: tuple[tuple[int, float], ...] = ()
    is_estimate: bool = False
    model: str = ""
    fingerprint: str = ""
    body: object = None


@dataclass(slots=True)
class Collector:
    """Puts a completion together; what has no known form is left out.

    Chat and plain completions, whole ones and parts of a stream differ in
    names only. ``seen`` tells whether anything was a completion at all, ``error``
    is what the server says went wrong, even with a status that says nothing did.
    """

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    parts: list[tuple[int, float, int]] = field(default_factory=list)
    characters: int = 0
    arguments: list[str] = field(default_factory=list)
    finish_reason: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    pieces: int = 0
    first: float = 0.0
    last: float = 0.0
    marks: list[tuple[int, float]] = field(default_factory=list)
    seen: bool = False
    error: object = None
    model: str = ""
    fingerprint: str = ""

    def add(self, chunk: object, seconds: float) -> None:
        """Take one JSON value of the server, ``seconds`` after the request was sent."""
        if not isinstance(chunk, dict):
            return
        self.error = self.error or chunk.get("error")
        if chunk.get("object") == "error":
            self.error = self.error or chunk
        self._count(chunk.get("usage"))
        self.model = self.model or _text(chunk.get("model"))
        self.fingerprint = self.fingerprint or _text(chunk.get("system_fingerprint"))
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        self.seen = True
        reason = choice.get("finish_reason")
        self.finish_reason = reason if isinstance(reason, str) and reason else self.finish_reason
        size = self.characters
        if self._read(choice):
            if self.characters > size:
                self.parts.append((self.characters, seconds, self.pieces))
            self.pieces += 1
            self.first = self.first or seconds
            self.last = seconds
            self.marks.append((self.characters, seconds))

    def _read(self, choice: dict[str, object]) -> bool:
        """Take the text of a choice; whether the model said anything, reasoning included."""
        message = choice.get("delta") or choice.get("message")
        if not isinstance(message, dict):
            return self._take(choice.get("text"))
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        thought = self._think(reasoning)
        called = self._read_calls(message.get("tool_calls"))
        return self._take(message.get("content")) or called or thought

    def _take(self, text: object) -> bool:
        if isinstance(text, list):  # parts, as some servers write a message
            taken = [self._take_part(part) for part in text if isinstance(part, dict)]
            return any(taken)
        if not isinstance(text, str) or not text:
            return False
        self.texts.append(text)
        self.characters += len(text)
        return True

    def _take_part(self, part: dict[str, object]) -> bool:
        if part.get("type") in {"thinking", "reasoning"}:
            return self._think(part.get("thinking") or part.get("text"))
        return self._take(part.get("text"))

    def _think(self, said: object) -> bool:
        """Take reasoning that the server sends apart from the answer."""
        if isinstance(said, list):
            taken = [self._think(part.get("text")) for part in said if isinstance(part, dict)]
            return any(taken)
        if isinstance(said, str) and said:
            self.thoughts.append(said)
        return bool(said)

    def _read_calls(self, calls: object) -> bool:
        call = calls[0] if isinstance(calls, list) and calls else None
        function = call.get("function") if isinstance(call, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if not isinstance(arguments, str) or not arguments:
            return False
        self.arguments.append(arguments)
        return True

    def _count(self, usage: object) -> None:
        if not isinstance(usage, dict):
            return
        details = usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else None
        more = usage.get("completion_tokens_details")
        thought = more.get("reasoning_tokens") if isinstance(more, dict) else None
        counts = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
        for name, count in {
            **counts,
            "cached_tokens": cached,
            "reasoning_tokens": thought,
        }.items():
            if isinstance(count, int) and count >= 0:
                self.usage[name] = count

    def finish(self, seconds: float) -> Completion:
        """Return what came together until the end."""
        return Completion(
            text=well_formed("".join(self.texts)),
            reasoning=well_formed("".join(self.thoughts)),
            parts=tuple(self.parts),
            arguments=well_formed("".join(self.arguments)),
            finish_reason=self.finish_reason,
            prompt_tokens=self.usage.get("prompt_tokens", 0),
            cached_tokens=self.usage.get("cached_tokens", 0),
            completion_tokens=self.usage.get("completion_tokens", 0),
            reasoning_tokens=self.usage.get("reasoning_tokens", 0),
            pieces=self.pieces,
            first_seconds=self.first,
            last_seconds=self.last,
            total_seconds=seconds,
            marks=tuple(self.marks),
            model=self.model,
            fingerprint=self.fingerprint,
        )


def _text(value: object) -> str:
    return well_formed(value) if isinstance(value, str) else ""
