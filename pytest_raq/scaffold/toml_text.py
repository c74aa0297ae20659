"""The text of a suite and of model definitions, with comments for new users."""

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
    from pytest_raq.scaffold.price import Price

MAX_TOKENS = 64
_SMALLEST_CONTEXT, _LARGEST_CONTEXT = 1024, 131_072
_UNKNOWN_CONTEXT = 4096
_BYTES_A_TOKEN = 2
"""A conservative figure: English has about four, other scripts two to three."""
_FRAME = 256
"""Maximum tokens of instructions and chat template."""
MOST_IN_GIT = 50_000_000
"""Maximum bytes of a file for git."""

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
    yield "# The questions, the models, and when a test fails. All keys: raq schema --markdown"
    yield "default = true"
    yield f"models = [{', '.join(_quote(model.name) for model in choices.models)}]"
    comment = "  # fixed rules: offline, for short answers"
    yield f"judge = {_quote(judge)}{comment if judge == 'reference' else ''}"
    yield ""
    yield "[dataset]"
    yield f"source = {_quote(questions.source)}"
    if questions.encoding:
        yield f"encoding = {_quote(questions.encoding)}"
    if questions.sample:
        yield f"sample = {questions.sample}  # of {questions.count}, spread over the passages"
        yield "seed = 0"
    yield ""
    yield "[gate]"
    yield "alpha = 0.05         # how often a build may be red by chance, over all models"
    yield "margin = 0.10        # net preference that may be lost; a pass rules out a larger loss"
    yield "pass_level = 0.025   # how often a model that loses the margin may pass by chance"
    yield "min_effect = 0.05    # a smaller loss is never called a regression"
    yield "max_f1_drop = 0.02"
    if any(model.url for model in choices.models):
        yield "max_slowdown = 0.25  # the network and other users of a server change the speed too"
    else:
        yield "max_slowdown = 0.10  # measured in turns with the accepted model"
    yield 'inconclusive = "pass"  # "fail": an inconclusive run fails'
    yield 'suspect = "fail"       # "pass": a likely loss that is not proven gives a warning'


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
    yield f"context_length = {context_length(model, choices.questions.longest)}"
    yield f"max_tokens = {MAX_TOKENS}"
    if not model.url:
        yield _reproducible_line(choices.prices.get(model.name))
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
            yield 'api_key_env = ""  # the server needs no key'


def _reproducible_line(price: Price | None) -> str:
    """Return the key that makes answers repeatable; a comment where it costs too much time."""
    what = "the same answers, bit for bit, in any batch"
    if price is None:
        return f"# reproducible = true  # {what}; the time that it costs was not measured"
    if price.is_low:
        return f"reproducible = true  # {what}; costs less than a third of the time here"
    return f"# reproducible = true  # {what}; costs more than a third of the time here"


def _prompt_lines(model: Contestant, *, has_passages: bool) -> Iterator[str]:
    template = model.header.chat_template if model.header else "role"
    plain = _PLAIN if has_passages else _PLAIN_CLOSED_BOOK
    if "role" in template:
        yield 'prompt = "chat"  # with the chat template of the model'
        yield f"chat_message = {_quote(_CHAT if has_passages else _CHAT_CLOSED_BOOK)}"
        return
    # A model without roles continues a text: it stops at the end of a line.
    yield 'stop = ["\\n"]'
    if template:
        yield 'prompt = "chat"  # with the template of the file'
        yield f"chat_message = {_quote(plain)}"
    else:
        yield f"prompt = {_quote(f'{plain}{chr(10)}Answer:')}"


def is_copied(file: Path, folder: Path) -> bool:
    """Whether a file is outside the project and small enough to be copied into it."""
    return not file.is_relative_to(folder) and file.stat().st_size <= MOST_IN_GIT


def file_place(file: Path, folder: Path) -> Path:
    """Return the path of a file for a definition: relative, but absolute outside the project."""
    if is_copied(file, folder):
        return Path(file.name)
    if file.is_relative_to(folder):
        return Path(os.path.relpath(file, folder / "models"))
    return file


def context_length(model: Contestant, longest: int) -> int:
    """Return the tokens for the longest prompt and its answer, up to the limit of the model.

    ``longest`` counts the UTF-8 bytes of a passage with its question.
    """
    needed = longest // _BYTES_A_TOKEN + _FRAME + MAX_TOKENS
    length = _SMALLEST_CONTEXT
    while length < min(needed, _LARGEST_CONTEXT):
        length *= 2
    if model.header is None:
        return max(length, _UNKNOWN_CONTEXT)
    trained = model.header.context_length
    return min(length, trained) if trained else length


def _quote(text: str) -> str:
    """Return a text as TOML spells it: as a JSON string, except for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
