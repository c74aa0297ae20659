"""Part of the worker: prompts as a model receives them, read without its weights."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.questions import LoadError
    from pytest_raq.engines.llamacpp.worker.vocabulary import Vocabulary
else:  # beside the worker, in an environment that may not have this package
    from questions import LoadError
    from vocabulary import Vocabulary

if TYPE_CHECKING:
    from types import ModuleType

Token = tuple[int, str, str]
"""Id, kind (text, special or bytes) and how it reads."""


def read_prompt(llama: ModuleType, order: dict[str, Any]) -> dict[str, Any]:
    """Return the text that a prompt becomes and its tokens.

    LoadError, QuestionError or TemplateError when there are none.
    """
    params = llama.llama_model_default_params()
    params.vocab_only = True
    params.use_extra_bufts = False  # nothing is computed
    model = llama.llama_model_load_from_file(os.fsencode(order["file"]), params)
    if not model:
        raise LoadError("file", "llama.cpp cannot load the model")
    vocabulary = Vocabulary(
        llama,
        model,
        chat=order["chat"],
        roles=order["roles"] or ("user",),
        variables=order.get("variables") or {},
    )
    text, chat, messages = order["text"], order["chat"], order["messages"]
    tokens = vocabulary.prompt_tokens(text, chat=chat, messages=messages)
    shown = "".join(vocabulary.chat_pieces(text, messages)) if chat else text
    return {"text": shown, "tokens": [_token(vocabulary, token) for token in tokens]}


def _token(vocabulary: Vocabulary, token: int) -> Token:
    data = vocabulary.to_bytes(token)
    if not data:
        return token, "special", vocabulary.token_text(token)
    try:
        return token, "text", data.decode()
    except UnicodeDecodeError:  # a part of a character
        return token, "bytes", data.hex(" ")
