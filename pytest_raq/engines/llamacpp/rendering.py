"""What becomes of a prompt on its way into a model: its text and its tokens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.config.prompts import own_prompt
from pytest_raq.engines.llamacpp.engine_build import EXTRA, pip_install
from pytest_raq.engines.llamacpp.model_file import verify_model_file
from pytest_raq.engines.llamacpp.recovery import advise
from pytest_raq.engines.llamacpp.worker_process import WorkerProcess
from pytest_raq.errors import EngineCrashError, EngineError, EngineStartError
from pytest_raq.records import RenderedPrompt, Token
from pytest_raq.text import one_line

if TYPE_CHECKING:
    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines.llamacpp.worker_process import Reply
    from pytest_raq.records import Prompt

_WORKER = Path(__file__).with_name("worker") / "main.py"
_SILENCE = 120.0
"""Seconds that reading a vocabulary from a cold disk may take."""


def render_prompt(
    definition: ModelDefinition, prompt: Prompt, python: Path | None = None
) -> RenderedPrompt:
    """Return a prompt as a GGUF file's chat template and tokenizer make it.

    The weights are not loaded, nor is the SHA-256 of the file looked at.
    EngineError when the file, its template or the prompt cannot be used.
    """
    verify_model_file(definition, lambda _: definition.sha256 or "")
    process = WorkerProcess([str(python or sys.executable), str(_WORKER)])
    try:
        process.send(_order(definition, prompt), _SILENCE)
        return _read(definition, process.receive(_SILENCE))
    except EngineCrashError as exc:
        advice = advise(exc, process.python)
        raise EngineStartError(
            f"{definition.file_path}: the llama.cpp worker {exc}{advice}"
        ) from exc
    finally:
        process.close()


def _order(definition: ModelDefinition, prompt: Prompt) -> dict[str, object]:
    return {
        "type": "tokens",
        "file": str(definition.file_path),
        "text": prompt.text,
        "chat": prompt.chat,
        "messages": [(message.role, message.content) for message in prompt.messages],
        "roles": [message.role for message in definition.messages],
        "variables": definition.template_variables,
        "sign_seconds": 1.0,
        "dies_with_parent": True,
    }


def _read(definition: ModelDefinition, reply: Reply) -> RenderedPrompt:
    if reply["type"] != "tokens":
        said, kind = one_line(str(reply.get("reason", ""))), reply.get("kind")
        if kind == "not installed":
            raise EngineStartError(f"llama.cpp cannot be imported ({said}): {pip_install(EXTRA)}")
        advice = f": {own_prompt(definition.path)}" if kind == "template" else ""
        raise EngineError(f"{definition.file_path}: {said}{advice}")
    tokens = tuple(Token(int(token), str(kind), str(text)) for token, kind, text in reply["tokens"])
    return RenderedPrompt(str(reply["text"]), tokens)
