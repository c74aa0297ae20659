"""The messages to one worker process, from its start to its end."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_raq.config.prompts import own_prompt
from pytest_raq.engines.llamacpp.engine_build import EXTRA, pip_install
from pytest_raq.engines.llamacpp.instruction_sets import arithmetic_of
from pytest_raq.engines.llamacpp.reproducible import VARIABLES, notes, outcome
from pytest_raq.engines.llamacpp.worker_process import WorkerProcess
from pytest_raq.errors import EngineCrashError, EngineDiedError, EngineError, EngineStartError
from pytest_raq.records import (
    Answer,
    EngineInfo,
    Failure,
    FinishReason,
    Likelihood,
    Prompt,
    ScorePrompt,
    Scores,
    Timing,
)
from pytest_raq.records.answers import answer_from_reply
from pytest_raq.records.reasoning import MARKS, WORKER_SPANS
from pytest_raq.text import one_line, well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines.llamacpp.worker_process import Reply
    from pytest_raq.records import Outcome

    WorkerBlock = tuple[Prompt | ScorePrompt, ...]

_START_SILENCE = 120.0
"""Seconds: importing llama.cpp from a cold disk takes long."""


@dataclass(slots=True)
class _Flight:
    """A block that was sent: what is still unanswered, and what nobody took yet."""

    requests: dict[int, Prompt | ScorePrompt]
    outcomes: deque[Outcome | Scores] = field(default_factory=deque)


class WorkerClient:
    """A worker that has loaded a model; EngineStartError, on one line, when it cannot.

    EngineDiedError when a signal ended it: that may be the fault of the kernels
    for which llama.cpp rearranges weights, which ``extra_buffers`` allows. A
    reproducible model is tried when it is loaded, unless it ``is_verified``.
    Blocks that are sent belong to an epoch; those of an earlier one are
    dropped by the worker, and late replies to them here.
    """

    def __init__(
        self,
        command: Sequence[str],
        definition: ModelDefinition,
        parallel: int,
        file_sha256: str,
        *,
        extra_buffers: bool = True,
        is_verified: bool = False,
    ) -> None:
        self._definition = definition
        self._extra_buffers = extra_buffers
        self._is_verified = is_verified
        self._parallel = parallel
        self._requests = 0
        self._in_flight: dict[WorkerBlock, _Flight] = {}
        self.epoch = 0
        self.is_closed = False
        self.end = self.last_words = ""
        self._process = WorkerProcess(command, VARIABLES if definition.reproducible else {})
        try:
            self.info = self._load(file_sha256)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        return self._process.pid

    def _load(self, file_sha256: str) -> EngineInfo:
        definition = self._definition
        order = {
            "type": "load",
            "file": str(definition.file_path),
            "context_length": definition.context_length,
            "threads": definition.threads,
            "parallel": self._parallel,
            "extra_buffers": self._extra_buffers,
            "reproducible": definition.reproducible,
            "self_test": self._tests_itself,
            "chat": definition.uses_chat,
            "roles": [message.role for message in definition.messages],
            "variables": definition.template_variables,
            "spans": WORKER_SPANS,
            "marks": MARKS,
            "sign_seconds": min(1.0, definition.timeout / 4),
            # The kernel ends the worker with the *thread* that started it.
            "dies_with_parent": threading.current_thread() is threading.main_thread(),
        }
        silence = max(_START_SILENCE, definition.timeout)
        try:
            self._process.send(order, silence)
            return self._read_info(self._process.receive(silence), file_sha256)
        except EngineCrashError as exc:
            if isinstance(exc, EngineDiedError) and exc.signal:
                # What was logged last has nothing to do with an illegal instruction.
                line = "" if exc.signal == signal.SIGILL else self._log_line()
                raise EngineDiedError(f"{exc}{line}", exc.signal) from exc
            raise EngineStartError(
                f"{definition.file_path}: the llama.cpp worker {exc} while it loaded the "
                f"model{self._log_line()}: check the file and the free memory"
            ) from exc

    def _read_info(self, reply: Reply, file_sha256: str) -> EngineInfo:
        definition = self._definition
        if reply["type"] == "failed":
            raise EngineStartError(self._tell_failed_load(reply))
        plain_sha256 = hashlib.sha256(definition.prompt.encode()).hexdigest()
        try:
            return EngineInfo(
                engine="llama-cpp",
                build=_describe_build(str(reply["build"]), extra_buffers=self._extra_buffers),
                quantization=str(reply["quantization"]),
                file_sha256=file_sha256,
                template_sha256=str(reply["chat_template_sha256"])
                if definition.uses_chat
                else plain_sha256,
                parameters=int(reply["parameters"]),
                extra_buffers=self._extra_buffers,
                note="; ".join(self._notes(reply)),
                reproducible=outcome(reply["broken"]) if definition.reproducible else "",
                instruction_set=self._instruction_set(),
                tested_sequences=int(reply["parallel"]) if self._tests_itself else 0,
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise EngineCrashError(_tell_unreadable(reply)) from exc

    @property
    def _tests_itself(self) -> bool:
        return self._definition.reproducible and not self._is_verified

    def _notes(self, reply: Reply) -> Iterable[str]:
        if not self._definition.reproducible:
            return ()
        return notes(reply["broken"], wanted=self._parallel, parallel=int(reply["parallel"]))

    def _instruction_set(self) -> str:
        return arithmetic_of(self._process.python) if self._definition.reproducible else ""

    def _tell_failed_load(self, reply: Reply) -> str:
        path, said = self._definition.file_path, one_line(str(reply.get("reason", "")))
        if reply.get("kind") == "not installed":
            return f"llama.cpp cannot be imported ({said}): {pip_install(EXTRA)}"
        if reply.get("kind") == "template":
            return f"{path}: {said}: {own_prompt(self._definition.path)}"
        if reply.get("kind") == "context":
            return (
                f"{path}: {said} for context_length {self._definition.context_length}"
                f"{self._log_line()}: lower it in {self._definition.path}"
            )
        return (
            f"{path}: {said}{self._log_line()}: it is damaged, or newer than this llama-cpp-python"
        )

    def _log_line(self) -> str:
        line = self._process.last_log_line()
        return f" ({line})" if line else ""

    def begin(self) -> int:
        """Start an epoch and return its number: what is in flight is not wanted any more."""
        self.epoch += 1
        if self._in_flight and not self.is_closed:
            self._in_flight.clear()
            try:
                self._send({"type": "epoch", "epoch": self.epoch})
            except EngineCrashError:
                self.close()
        return self.epoch

    def ask(
        self, block: WorkerBlock, following: Sequence[WorkerBlock] = ()
    ) -> Iterator[Outcome | Scores]:
        """Yield the outcomes of a block as they come; send what follows it ahead.

        A block is of prompts to be answered, or of such whose continuations are scored. Texts
        that are scored beside an answer come after it, one outcome more.

        EngineError when the block cannot be finished; EngineCrashError, after
        which the conversation is closed, when that is the end of the worker.
        """
        try:
            while True:
                for each in (block, *following):
                    self._send_block(each)
                flight = self._in_flight[block]
                while flight.outcomes:
                    yield flight.outcomes.popleft()
                if self._in_flight.get(block) is not flight:
                    continue  # another epoch began while the caller was busy: ask again
                if not flight.requests:
                    break
                self._read(self._process.receive(self._definition.timeout))
            del self._in_flight[block]
        except EngineCrashError as exc:
            line = self._process.last_log_line()
            self.last_words = f"it logged last: {line}" if line else "it logged nothing"
            self.end = f"the llama.cpp worker {exc}"
            self.close()
            raise type(exc)(self.end) from exc

    def _send_block(self, block: WorkerBlock) -> None:
        if block in self._in_flight:
            return
        if not self._in_flight:
            self._process.clear_log()
        first = self._requests + 1
        self._requests += len(block)
        self._in_flight[block] = _Flight(dict(enumerate(block, first)))
        questions = [self._question(n, prompt) for n, prompt in enumerate(block, first)]
        kind = "score" if isinstance(block[0], ScorePrompt) else "block"
        order = {"type": kind, "epoch": self.epoch, "parallel": self._parallel}
        self._send({**order, "questions": questions})

    def _send(self, order: dict[str, object]) -> None:
        self._process.send(order, self._definition.timeout)

    def _question(self, request: int, asked: Prompt | ScorePrompt) -> dict[str, object]:
        definition = self._definition
        prompt = asked.prompt if isinstance(asked, ScorePrompt) else asked
        common: dict[str, object] = {
            "request": request,
            "text": prompt.text,
            "chat": prompt.chat,
            "messages": [(message.role, message.content) for message in prompt.messages],
        }
        if isinstance(asked, ScorePrompt):
            return {**common, "continuations": asked.continuations}
        return {
            **common,
            "beside": prompt.beside,
            "schema": prompt.schema,
            "max_tokens": prompt.max_tokens or definition.max_tokens,
            "temperature": definition.temperature,
            "seed": definition.seed,
            "stop": definition.stop,
            # A grammar leaves no room for anything before the answer.
            "split": definition.reasoning != "keep" and not prompt.schema,
            "budget": None if prompt.schema else definition.max_reasoning_tokens,
            "prompt_end": "" if prompt.chat else definition.templates[-1],
        }

    def _read(self, reply: Reply) -> None:
        """Give an outcome to its block; drop what belongs to an earlier epoch."""
        if reply["type"] == "lost":
            if reply.get("epoch") == self.epoch:
                self._in_flight.clear()
                raise EngineError(one_line(str(reply.get("reason"))))
            return
        request = reply.get("request")
        if not isinstance(request, int):
            raise EngineCrashError(_tell_unreadable(reply))
        for flight in self._in_flight.values():
            if request in flight.requests:
                prompt = flight.requests.pop(request)
                outcome = self._read_outcome(reply, prompt)
                flight.outcomes.append(outcome)
                if isinstance(prompt, Prompt) and reply.get("scored"):
                    flight.requests[request] = ScorePrompt(prompt, prompt.beside or ())

    def _read_outcome(self, reply: Reply, prompt: Prompt | ScorePrompt) -> Outcome | Scores:
        model = self._definition.name
        try:
            if isinstance(prompt, ScorePrompt) and reply["type"] == "scores":
                return _read_scores(reply, prompt, model)
            if reply["type"] == "too long":
                reason = self._tell_too_long(int(reply["prompt_tokens"]))
                return Failure(prompt.question_id, model, reason, is_infrastructure=False)
            if reply["type"] == "error":
                reason = one_line(str(reply["reason"]), 2_000)
                return Failure(prompt.question_id, model, reason, is_infrastructure=False)
            found = (
                prompt.question_id,
                model,
                well_formed(str(reply["text"])),
                FinishReason(reply["finish_reason"]),
                _read_timing(reply["timing"]),
            )
            is_whole = self._definition.reasoning == "keep" or (
                isinstance(prompt, Prompt) and bool(prompt.schema)
            )
            opened = bool(reply.get("opened"))
            return Answer(*found) if is_whole else answer_from_reply(*found, opened=opened)
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
        self.is_closed = True
        self._process.close()


def _describe_build(build: str, *, extra_buffers: bool) -> str:
    """Return the text of a build; it states when other kernels run, which add in another order."""
    return build if extra_buffers else f"{build}, extra buffer types off"


def _read_timing(fields: dict[str, float]) -> Timing:
    return Timing(
        prompt_tokens=int(fields["prompt_tokens"]),
        prefilled_tokens=int(fields["prefilled_tokens"]),
        generated_tokens=int(fields["generated_tokens"]),
        time_to_first_token=float(fields["time_to_first_token"]),
        prefill_seconds=float(fields["prefill_seconds"]),
        decode_seconds=float(fields["decode_seconds"]),
        total_seconds=float(fields["total_seconds"]),
        reasoning_tokens=int(fields.get("reasoning_tokens", 0)),
        reasoning_seconds=float(fields.get("reasoning_seconds", 0.0)),
        time_to_first_answer=float(fields.get("time_to_first_answer", 0.0)),
        instructions=int(fields.get("instructions", 0)),
    )


def _read_scores(reply: Reply, asked: ScorePrompt, model: str) -> Scores:
    """Return what a reply says of texts: none if they could not be scored beside an answer."""
    if reply["scores"] is None:
        return Scores(asked.question_id, model)
    own = reply.get("answer", [])
    asked_for = [*asked.continuations, *(str(row["text"]) for row in own)]
    texts, problems = {}, {}
    for text, row in zip(asked_for, [*reply["scores"], *own], strict=True):
        if "reason" in row:
            problems[text] = str(row["reason"])
        else:
            figures = float(row["log_p"]), int(row["tokens"]), int(row["bytes"])
            texts[text] = Likelihood(*figures, str(row["greedy"]))
    return Scores(asked.question_id, model, texts, problems)


def _tell_unreadable(reply: Reply) -> str:
    return f"wrote an incomplete reply ({one_line(str(reply))})"
