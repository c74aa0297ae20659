"""The llama.cpp engine: a model in a worker process, asked one prompt at a time."""

from __future__ import annotations

import hashlib
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pytest_raq.engines.llamacpp.model_file import verify_model_file
from pytest_raq.engines.llamacpp.process import WorkerProcess, one_line
from pytest_raq.errors import EngineCrashError, EngineStartError, PromptTooLongError
from pytest_raq.records import Answer, EngineInfo, Failure, FinishReason, Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines.llamacpp.process import Reply
    from pytest_raq.records import Outcome, Prompt

_WORKER = Path(__file__).with_name("worker.py")
_START_SILENCE = 120.0
"""Seconds: importing llama.cpp from a cold disk says nothing for long."""


class LlamaCppEngine:
    """A GGUF file under llama.cpp in a process of its own.

    A crash or a hang of the process fails the question in flight and all later
    ones, each with the reason. ConfigError and EngineStartError, on one line,
    when the file is not what the definition says or does not load.
    """

    def __init__(
        self,
        definition: ModelDefinition,
        python: Path | None = None,
        digest: Callable[[Path], str] | None = None,
    ) -> None:
        self._definition = definition
        self._requests = 0
        self._ended = ""
        file_sha256 = verify_model_file(definition, digest)
        self._worker = WorkerProcess([str(python or sys.executable), str(_WORKER)])
        try:
            self.info = self._load(file_sha256)
        except BaseException:
            self._worker.close()
            raise

    @property
    def worker_pid(self) -> int:
        """The process id of the worker."""
        return self._worker.pid

    def _load(self, file_sha256: str) -> EngineInfo:
        definition = self._definition
        order = {
            "type": "load",
            "file": str(definition.file_path),
            "context_length": definition.context_length,
            "threads": definition.threads,
            "chat": definition.uses_chat,
            "sign_seconds": min(1.0, definition.timeout / 4),
            # The kernel ends the worker with the *thread* that started it.
            "dies_with_parent": threading.current_thread() is threading.main_thread(),
        }
        silence = max(_START_SILENCE, definition.timeout)
        try:
            self._worker.send(order, silence)
            reply = self._worker.receive(silence)
            return self._read_info(reply, file_sha256)
        except EngineCrashError as exc:
            raise EngineStartError(
                f"{definition.file_path}: the llama.cpp worker {exc} while it loaded the "
                f"model{self._log_line()}: check the file, and the memory at hand"
            ) from exc

    def _read_info(self, reply: Reply, file_sha256: str) -> EngineInfo:
        definition = self._definition
        if reply["type"] == "failed":
            raise EngineStartError(self._tell_failed_load(reply))
        plain_sha256 = hashlib.sha256(definition.prompt.encode()).hexdigest()
        try:
            return EngineInfo(
                engine="llama-cpp",
                build=str(reply["build"]),
                quantization=str(reply["quantization"]),
                file_sha256=file_sha256,
                template_sha256=str(reply["chat_template_sha256"])
                if definition.uses_chat
                else plain_sha256,
                parameters=int(reply["parameters"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise EngineCrashError(_tell_unreadable(reply)) from exc

    def _tell_failed_load(self, reply: Reply) -> str:
        path, said = self._definition.file_path, one_line(str(reply.get("reason", "")))
        if reply.get("kind") == "not installed":
            return f"llama.cpp cannot be imported ({said}): pip install 'pytest-raq[llama]'"
        if reply.get("kind") == "template":
            return f"{path}: {said}: set prompt = in {self._definition.path}"
        if reply.get("kind") == "context":
            return (
                f"{path}: {said} for context_length {self._definition.context_length}"
                f"{self._log_line()}: lower it in {self._definition.path}"
            )
        return (
            f"{path}: {said}{self._log_line()}: it is damaged, or newer than this llama-cpp-python"
        )

    def _log_line(self) -> str:
        line = self._worker.last_log_line()
        return f" ({line})" if line else ""

    def answers(self, prompts: Sequence[Prompt]) -> Iterator[Outcome]:
        """Yield the answers in the order of the prompts, each generated when asked for."""
        for prompt in prompts:
            yield self._answer(prompt)

    def _answer(self, prompt: Prompt) -> Outcome:
        if self._ended:
            return self._failure(prompt, f"not asked, because {self._ended}")
        try:
            return self._ask(prompt)
        except PromptTooLongError as exc:
            return self._failure(prompt, str(exc))
        except EngineCrashError as exc:
            self._ended = f"the llama.cpp worker {exc} at question {prompt.question_id!r}"
            line = self._worker.last_log_line()
            self._worker.close()
            said = f"; it logged last: {line}" if line else "; it logged nothing"
            return self._failure(prompt, self._ended + said)

    def _failure(self, prompt: Prompt, reason: str) -> Failure:
        return Failure(prompt.question_id, self._definition.name, one_line(reason, 2_000))

    def _ask(self, prompt: Prompt) -> Outcome:
        self._requests += 1
        self._worker.clear_log()
        self._worker.send(self._request(prompt), self._definition.timeout)
        while True:
            reply = self._worker.receive(self._definition.timeout)
            # An interrupted question is answered late, before the one asked now.
            if reply.get("request") == self._requests:
                return self._read_outcome(reply, prompt)
            if not isinstance(reply.get("request"), int):
                raise EngineCrashError(_tell_unreadable(reply))

    def _request(self, prompt: Prompt) -> dict[str, object]:
        definition = self._definition
        return {
            "type": "answer",
            "request": self._requests,
            "text": prompt.text,
            "chat": prompt.chat,
            "max_tokens": definition.max_tokens,
            "temperature": definition.temperature,
            "seed": definition.seed,
            "stop": definition.stop,
        }

    def _read_outcome(self, reply: Reply, prompt: Prompt) -> Outcome:
        try:
            if reply["type"] == "too long":
                raise PromptTooLongError(self._tell_too_long(int(reply["prompt_tokens"])))
            if reply["type"] == "error":
                return self._failure(prompt, str(reply["reason"]))
            return Answer(
                prompt.question_id,
                self._definition.name,
                str(reply["text"]),
                FinishReason(reply["finish_reason"]),
                _read_timing(reply["timing"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise EngineCrashError(_tell_unreadable(reply)) from exc

    def _tell_too_long(self, prompt_tokens: int) -> str:
        definition = self._definition
        return (
            f"the prompt has {prompt_tokens} tokens, which with an answer (max_tokens "
            f"{definition.max_tokens}) do not fit context_length {definition.context_length}: "
            f"raise context_length in {definition.path}"
        )

    def close(self) -> None:
        """End the worker, within seconds; safe to call twice."""
        self._ended = self._ended or "the engine is closed"
        self._worker.close()

    def __enter__(self) -> Self:
        """Return the engine itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the worker."""
        self.close()


def _read_timing(fields: dict[str, float]) -> Timing:
    return Timing(
        prompt_tokens=int(fields["prompt_tokens"]),
        prefilled_tokens=int(fields["prefilled_tokens"]),
        generated_tokens=int(fields["generated_tokens"]),
        time_to_first_token=float(fields["time_to_first_token"]),
        prefill_seconds=float(fields["prefill_seconds"]),
        decode_seconds=float(fields["decode_seconds"]),
        total_seconds=float(fields["total_seconds"]),
    )


def _tell_unreadable(reply: Reply) -> str:
    return f"wrote an incomplete reply ({one_line(str(reply))})"
