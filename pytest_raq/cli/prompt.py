"""``raq prompt show``: what a model receives, as text and token by token."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pytest_raq.cli.options import add_folder_options, add_json_option
from pytest_raq.cli.output import ExitCode, write_result
from pytest_raq.text import safe_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from pytest_raq.records import Message, RenderedPrompt, Token
    from pytest_raq.running.prompt_preview import AskedQuestion


_UNLIMITED = 10**9


def add_prompt_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq prompt show``."""
    parser = commands.add_parser("prompt", help="show what a model receives")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    text = "show the prompt of one question as a model receives it: text, and token by token"
    show = actions.add_parser("show", help=text, description=text)
    show.add_argument("--suite", required=True, metavar="NAME", help="the suite that asks")
    show.add_argument(
        "--model", default="", metavar="NAME", help="who is asked (default: the suite's first)"
    )
    show.add_argument(
        "--question", default="", metavar="ID", help="what is asked (default: the first question)"
    )
    add_folder_options(show, "suites", "models")
    add_json_option(show)
    show.set_defaults(command=_show)


def _show(options: argparse.Namespace) -> int:
    from pytest_raq.running.prompt_preview import find_prompt

    asked = find_prompt(
        options.suites_folder,
        options.models_folder,
        options.suite,
        options.model,
        options.question,
    )
    rendered = _render(asked)
    write_result(_lines(asked, rendered), _table(asked, rendered), options.json)
    return ExitCode.FINE


def _render(asked: AskedQuestion) -> RenderedPrompt | None:
    """Return the prompt as tokens; None where a server makes them."""
    if asked.model.engine != "llama-cpp":
        return None
    from pytest_raq.engines.llamacpp.rendering import render_prompt

    return render_prompt(asked.model, asked.prompt)


def _lines(asked: AskedQuestion, rendered: RenderedPrompt | None) -> Iterator[str]:
    model = asked.model
    kind = _kind(asked, rendered)
    yield f"{model.name} is asked {asked.question.id!r} by {kind}, as defined in {asked.origin}"
    yield ""
    if rendered is None:
        prompt = asked.prompt
        yield from (message_lines(prompt.conversation) if prompt.chat else text_lines(prompt.text))
        return
    yield from text_lines(rendered.text)
    yield ""
    yield _count(asked, rendered)
    yield from token_lines(rendered)


def _kind(asked: AskedQuestion, rendered: RenderedPrompt | None) -> str:
    what = "messages" if asked.prompt.chat else "a plain text"
    if rendered is None:
        return f"{what} to {getattr(asked.model.openai, 'base_url', 'a server')}"
    if not asked.prompt.chat:
        return what
    return f"the chat template of {asked.model.file_path.name}"


def _count(asked: AskedQuestion, rendered: RenderedPrompt) -> str:
    count, model = len(rendered.tokens), asked.model
    room = model.context_length - count
    if room < 1:
        return f"{count} tokens: they do not fit context_length {model.context_length}"
    answer = min(room, model.max_tokens)
    cut = f", fewer than max_tokens {model.max_tokens}" if answer < model.max_tokens else ""
    return (
        f"{count} tokens of context_length {model.context_length}, which leaves an answer"
        f" {answer}{cut}"
    )


def _table(asked: AskedQuestion, rendered: RenderedPrompt | None) -> dict[str, object]:
    model = asked.model
    return {
        "model": model.name,
        "question": asked.question.id,
        "chat": asked.prompt.chat,
        "messages": [asdict(message) for message in asked.prompt.conversation]
        if asked.prompt.chat
        else [],
        "text": _text(asked, rendered),
        "tokens": None if rendered is None else [asdict(token) for token in rendered.tokens],
        "context_length": model.context_length,
        "max_tokens": model.max_tokens,
        "prompt_sha256": model.prompt_sha256,
    }


def _text(asked: AskedQuestion, rendered: RenderedPrompt | None) -> str | None:
    """Return the whole prompt as one text; None where a server makes it from messages."""
    if rendered is not None:
        return rendered.text
    return None if asked.prompt.chat else asked.prompt.text


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
