"""The text of a suite and of model definitions, with comments for who reads them first."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.files import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.scaffold.choices import Choices
    from pytest_raq.scaffold.models import Contestant

MAX_TOKENS = 64
_SMALLEST_CONTEXT, _LARGEST_CONTEXT = 1024, 131_072
_UNKNOWN_CONTEXT = 4096
_BYTES_A_TOKEN = 2
"""A cautious figure: English has about four, text of other scripts two to three."""
_FRAME = 256
"""Tokens of instructions and chat template, at most."""
MOST_IN_GIT = 50_000_000
"""Bytes of a file that git may hold."""
_TINY = 100_000_000
"""Bytes of a model that answers in milliseconds."""

_PLAIN = "{passage}\nQuestion: {question}"
_PLAIN_CLOSED_BOOK = "Question: {question}"
_CHAT = (
    "Answer the question with as few words as possible, taken from the passage.\n\n"
    "Passage: {passage}\n\nQuestion: {question}"
)
_CHAT_CLOSED_BOOK = "Answer the question with as few words as possible.\n\nQuestion: {question}"


def suite_text(choices: Choices) -> str:
    """Return ``suites/NAME.toml``."""
    return "\n".join(_suite_lines(choices)) + "\n"


def _suite_lines(choices: Choices) -> Iterator[str]:
    questions = choices.questions
    judge = choices.judge if isinstance(choices.judge, str) else choices.judge.name
    yield "#:schema ./suite.schema.json"
    yield "# What to ask whom, and when to fail. Every key: raq schema --markdown"
    yield "default = true"
    yield f"models = [{', '.join(_quote(model.name) for model in choices.models)}]"
    comment = "  # SQuAD exact match, then F1: offline, for short answers"
    yield f"judge = {_quote(judge)}{comment if judge == 'reference' else ''}"
    yield ""
    yield "[dataset]"
    yield f"source = {_quote(questions.source)}"
    if questions.sample:
        yield f"sample = {questions.sample}  # of {questions.count}, spread over the passages"
        yield "seed = 0"
    yield ""
    yield "[gate]"
    yield "alpha = 0.05         # error rate of the test, over all models"
    yield "margin = 0.10        # net preference that may be lost; a pass rules out more"
    yield "min_effect = 0.05    # a smaller loss is never called a regression"
    yield "max_f1_drop = 0.02"
    if any(_is_tiny(model) for model in choices.models):
        yield "# Answers take a few milliseconds, where a busy machine easily doubles the time."
        yield "max_slowdown = 1.0"
    elif any(model.url for model in choices.models):
        yield "max_slowdown = 0.50  # the network and other users of a server take their time too"
    else:
        yield "max_slowdown = 0.10  # compared on the same kind of machine only"
    yield 'inconclusive = "pass"  # "fail" makes a run red that cannot decide'


def _is_tiny(model: Contestant) -> bool:
    return model.file is not None and model.file.stat().st_size < _TINY


def model_text(model: Contestant, choices: Choices) -> str:
    """Return ``models/NAME.toml``; reads the whole file of the model for its SHA-256."""
    return "\n".join(["#:schema ./model.schema.json", *_model_lines(model, choices)]) + "\n"


def _model_lines(model: Contestant, choices: Choices) -> Iterator[str]:
    yield f"engine = {_quote('openai' if model.url else 'llama-cpp')}"
    if model.family:
        yield f"family = {_quote(model.family)}"
    if model.file:
        yield f"file = {_quote(file_place(model.file, choices.folder).as_posix())}"
        yield f"sha256 = {_quote(file_sha256(model.file))}"
    elif model.hub:
        yield f"file = {_quote(model.hub.filename.rpartition('/')[2])}"
        if model.hub.sha256:
            yield f"sha256 = {_quote(model.hub.sha256)}"
    yield f"context_length = {_context_length(model, choices.questions.longest)}"
    yield f"max_tokens = {MAX_TOKENS}"
    yield "temperature = 0.0  # greedy"
    yield "seed = 0"
    yield from _prompt_lines(model, has_passages=choices.questions.passages > 0)
    if model.hub:
        yield ""
        yield "[source]  # raq models pull"
        yield f"repo = {_quote(model.hub.repo)}"
        yield f"filename = {_quote(model.hub.filename)}"
        if model.hub.revision:
            yield f"revision = {_quote(model.hub.revision)}"
    if model.url:
        yield ""
        yield "[openai]"
        yield f"base_url = {_quote(model.url)}"
        yield f"model = {_quote(model.served_as)}"
        if model.key:
            yield f"# the key is in the environment variable {model.key}; api_key_env names another"
        else:
            yield 'api_key_env = ""  # it asked for none'


def _prompt_lines(model: Contestant, *, has_passages: bool) -> Iterator[str]:
    template = model.header.chat_template if model.header else "role"
    plain = _PLAIN if has_passages else _PLAIN_CLOSED_BOOK
    if "role" in template:
        yield 'prompt = "chat"  # with the chat template of the model'
        yield f"chat_message = {_quote(_CHAT if has_passages else _CHAT_CLOSED_BOOK)}"
        return
    # A model that knows no roles continues a text: it stops at the end of a line.
    yield 'stop = ["\\n"]'
    if template:
        yield 'prompt = "chat"  # with the template of the file'
        yield f"chat_message = {_quote(plain)}"
    else:
        yield f"prompt = {_quote(f'{plain}{chr(10)}Answer:')}"


def is_copied(file: Path, folder: Path) -> bool:
    """Whether a file lies outside the project and is small enough to be copied into it."""
    return not file.is_relative_to(folder) and file.stat().st_size <= MOST_IN_GIT


def file_place(file: Path, folder: Path) -> Path:
    """Return a file as a definition names it: from its folder, absolute outside the project."""
    if is_copied(file, folder):
        return Path(file.name)
    if file.is_relative_to(folder):
        return Path(os.path.relpath(file, folder / "models"))
    return file


def _context_length(model: Contestant, longest: int) -> int:
    """Return tokens that hold the longest prompt and its answer, as far as the model goes."""
    needed = longest // _BYTES_A_TOKEN + _FRAME + MAX_TOKENS
    length = _SMALLEST_CONTEXT
    while length < min(needed, _LARGEST_CONTEXT):
        length *= 2
    if model.header is None:
        return max(length, _UNKNOWN_CONTEXT)
    trained = model.header.context_length
    return min(length, trained) if trained else length


def _quote(text: str) -> str:
    """Return a text as TOML spells it; JSON's basic strings are TOML's, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
