"""Part of the worker: from texts to tokens and back."""

from __future__ import annotations

import ctypes
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.chat_template import ChatTemplate, TemplateError
    from pytest_raq.engines.llamacpp.worker.questions import QuestionError
else:  # beside the worker, in an environment that may not have this package
    from chat_template import ChatTemplate, TemplateError
    from questions import QuestionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

_CHARACTERS_OF_A_PIECE = 256
_BEFORE = ("\n", ".", "a")
"""Texts that are tokenized before another one, so that it does not begin a text."""


class Vocabulary:
    """The tokenizer and the chat template of a model.

    TemplateError when ``chat`` is asked for and there is no template, or none
    that can show messages of the ``roles``. ``variables`` are for the template; ``marks`` are the
    control tokens of which `mark` tells the text.
    """

    def __init__(
        self,
        llama: ModuleType,
        model: Any,  # noqa: ANN401 - an opaque pointer
        *,
        chat: bool,
        roles: Sequence[str] = ("user",),
        variables: Mapping[str, Any] = MappingProxyType({}),
        marks: Sequence[str] = (),
    ) -> None:
        self._llama = llama
        self._variables, self._marks = variables, frozenset(marks)
        self._mark_of: dict[int, bytes] = {}
        self._model = model
        self.raw = self._vocab = llama.llama_model_get_vocab(model)
        self._piece = ctypes.create_string_buffer(_CHARACTERS_OF_A_PIECE)
        self._bytes: dict[int, bytes] = {}
        self._special = self._special_texts()
        self._roles = roles
        self._chat = self._chat_template() if chat else None

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return int(self._llama.llama_vocab_n_tokens(self._vocab))

    @property
    def first(self) -> int:
        """A token that a text may begin with."""
        return max(0, int(self._llama.llama_vocab_bos(self._vocab)))

    def ends(self, token: int) -> bool:
        """Whether a token ends an answer."""
        return bool(self._llama.llama_vocab_is_eog(self._vocab, token))

    def to_bytes(self, token: int) -> bytes:
        """Return the bytes of a token; control tokens have none."""
        if token not in self._bytes:
            self._bytes[token] = self._read_bytes(token)
        return self._bytes[token]

    def mark(self, token: int) -> bytes:
        """Return the text of a control token that is one of the marks; else nothing."""
        if token not in self._mark_of:
            text = self.token_text(token) if self._is_control(token) else ""
            self._mark_of[token] = text.encode() if text in self._marks else b""
        return self._mark_of[token]

    @property
    def chat_end(self) -> str:
        """What the chat template writes behind the last message."""
        return self._chat.end if self._chat else ""

    def _read_bytes(self, token: int) -> bytes:
        while True:
            room = len(self._piece)
            size: int = self._llama.llama_token_to_piece(
                self._vocab, token, self._piece, room, 0, False
            )
            if size >= 0:
                return self._piece.raw[:size]
            self._piece = ctypes.create_string_buffer(-size)

    def prompt_tokens(
        self, text: str, *, chat: bool, messages: Sequence[Sequence[str]] = ()
    ) -> list[int]:
        """Return the tokens of a prompt, with one BOS token where the model wants it.

        A chat is of ``messages``, role and content each, or of the text alone.
        """
        if chat:
            pieces = self.chat_pieces(text, messages)
            tokens = [t for piece in pieces for t in self._tokenize(piece, parse_special=True)]
        else:
            tokens = self._tokenize(text, parse_special=False)
        bos = self._llama.llama_vocab_bos(self._vocab)
        if bos >= 0 and self._llama.llama_vocab_get_add_bos(self._vocab) and tokens[:1] != [bos]:
            tokens.insert(0, bos)
        if not tokens:
            raise QuestionError("the prompt is empty")
        return tokens

    def lead(
        self, text: str, last: int, *, chat: bool, messages: Sequence[Sequence[str]] = ()
    ) -> str:
        """Return the white space between a prompt, with its ``last`` token, and what follows.

        In a chat what the template writes there, where it tells; else a space, unless
        the prompt ends with white space or a control token.
        """
        shown = text
        if chat:
            self._chat = self._chat or self._chat_template()
            asked = [(role, content) for role, content in messages] or [("user", text)]
            lead = self._chat.lead(asked)
            if lead is not None:
                return lead
            shown = "".join(self.chat_pieces(text, messages))
        return " " if shown[-1:].strip() and not self._is_control(last) else ""

    def continuation_tokens(self, text: str, lead: str, last: int) -> list[int]:
        """Return the tokens of a text that goes on after ``lead`` and the ``last`` token.

        Some tokenizers add a space to the beginning of a text; here only what a
        generated text would have is added.
        """
        whole = lead + text
        if not self._adds_space or (not lead and self._is_control(last)):
            return self._tokenize(whole, parse_special=False)
        if lead == " ":
            return self._tokenize(text, parse_special=False)
        for mark in _BEFORE:
            before = self._tokenize(mark, parse_special=False)
            tokens = self._tokenize(mark + whole, parse_special=False)
            if tokens[: len(before)] == before:
                return tokens[len(before) :]
        return self._tokenize(whole, parse_special=False)

    @cached_property
    def _adds_space(self) -> bool:
        first = self._tokenize("a", parse_special=False)[:1]
        return b"".join(map(self.to_bytes, first)).startswith(b" ")

    def _is_control(self, token: int) -> bool:
        kind = self._llama.llama_vocab_get_attr(self._vocab, token)
        return bool(kind & self._llama.LLAMA_TOKEN_ATTR_CONTROL)

    def chat_pieces(self, text: str, messages: Sequence[Sequence[str]] = ()) -> list[str]:
        """Return a chat as the template renders it, cut where a message spells special tokens."""
        self._chat = self._chat or self._chat_template()
        asked = [(role, content) for role, content in messages] or [("user", text)]
        return self._chat.pieces(asked, self._special)

    def _tokenize(self, text: str, *, parse_special: bool) -> list[int]:
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        while True:
            tokens = (self._llama.llama_token * size)()
            count: int = self._llama.llama_tokenize(
                self._vocab, data, len(data), tokens, size, False, parse_special
            )
            if count >= 0:
                return list(tokens[:count])
            size = -count

    def template_source(self) -> bytes:
        """Return the chat template in the file; empty when there is none."""
        return self._llama.llama_model_chat_template(self._model, None) or b""

    def _chat_template(self) -> ChatTemplate:
        source = self.template_source()
        if not source:
            raise TemplateError("the model has no chat template")
        return ChatTemplate(
            self._llama.llama_chat_format.Jinja2ChatFormatter,
            source.decode("utf-8", "replace"),
            bos=self.token_text(self._llama.llama_vocab_bos(self._vocab)),
            eos=self.token_text(self._llama.llama_vocab_eos(self._vocab)),
            roles=self._roles,
            variables=self._variables,
        )

    def _special_texts(self) -> list[str]:
        """Return the texts of the tokens that llama.cpp only parses when asked to."""
        llama, vocab = self._llama, self._vocab
        hidden = llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_UNKNOWN
        count = llama.llama_vocab_n_tokens(vocab)
        special = [t for t in range(count) if llama.llama_vocab_get_attr(vocab, t) & hidden]
        return [text for text in map(self.token_text, special) if len(text) > 1]

    def token_text(self, token: int) -> str:
        """Return how the vocabulary writes a token, also where it has no text."""
        if token < 0:
            return ""
        text: bytes = self._llama.llama_vocab_get_text(self._vocab, token) or b""
        return text.decode("utf-8", "replace")
