"""The worker process: one GGUF file under llama.cpp, JSON lines in and out.

Run as a script, maybe under another environment's Python: it needs nothing but
the standard library, llama_cpp and its parts beside it. Requests come on stdin,
replies leave on what was stdout; whatever else is printed goes to stderr. The
end of stdin is the end of the worker, also in the middle of a question.

    ← load     file, context_length, threads, parallel, extra_buffers, reproducible,
               self_test, chat, roles, variables of the template, spans and marks of reasoning,
               sign_seconds, dies_with_parent
    → loaded   build, quantization, parameters, chat_template_sha256, parallel, broken: what
               the self-test of a reproducible model found
    → failed   kind, reason
    ← block    epoch, parallel, questions: each request, text, chat, messages, schema,
               max_tokens, temperature, seed, stop; split: whether reasoning is told from the
               answer, budget: its tokens, prompt_end: of a plain prompt; beside: texts that are
               scored after the same prompt, with the answer itself; null: nothing is
    → answer   request, text, opened: whether the prompt opened the reasoning, finish_reason,
               scored: whether scores follow, timing: also instructions, where they are counted
               and the question was alone in its block
    → scores   request, scores: as below, or null where they failed, reason; answer: a list, of
               text and figures of the answer, if it is none of the texts
    → too long request, prompt_tokens
    → error    request, reason
    ← score    epoch, parallel, questions: each request, text, chat, messages, continuations
    → scores   request, scores: for each continuation log_p (nats), tokens, bytes and greedy (a 1
               for each token that greedy decoding takes, else a 0), or a reason
    → lost     epoch, reason: what was not answered of a block will not be
    → alive    at most every sign_seconds, while a model loads or answers
    ← epoch    epoch: blocks of earlier epochs are not wanted any more

Instead of load, when a prompt is only to be looked at:

    ← tokens   file, text, chat, messages, roles, variables, sign_seconds, dies_with_parent
    → tokens   text, tokens: each id, kind, text
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING or __package__:
    from pytest_raq.engines.llamacpp.worker.block import Block
    from pytest_raq.engines.llamacpp.worker.cache import most_cells
    from pytest_raq.engines.llamacpp.worker.chat_template import TemplateError
    from pytest_raq.engines.llamacpp.worker.instructions import Counter
    from pytest_raq.engines.llamacpp.worker.memory import limit_memory
    from pytest_raq.engines.llamacpp.worker.model import Model
    from pytest_raq.engines.llamacpp.worker.prompt_tokens import read_prompt
    from pytest_raq.engines.llamacpp.worker.questions import LoadError, QuestionError, TooLongError
    from pytest_raq.engines.llamacpp.worker.scoring import (
        ScoreBlock,
        StreamScoreBlock,
        scores_reply,
    )
    from pytest_raq.engines.llamacpp.worker.self_test import self_test
    from pytest_raq.engines.llamacpp.worker.streams import StreamBlock
else:  # a script: its folder is on the path for these imports only
    _beside = str(Path(__file__).parent)
    sys.path.insert(0, _beside)
    from block import Block
    from cache import most_cells
    from chat_template import TemplateError
    from instructions import Counter
    from memory import limit_memory
    from model import Model
    from prompt_tokens import read_prompt
    from questions import LoadError, QuestionError, TooLongError
    from scoring import ScoreBlock, StreamScoreBlock, scores_reply
    from self_test import self_test
    from streams import StreamBlock

    sys.path[:] = [folder for folder in sys.path if folder != _beside]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

T = TypeVar("T")

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_DIES_FIRST = "800"  # of 1,000: the kernel spares who has less
_WARNING, _ERROR, _CONTINUED = 3, 4, 5  # enum ggml_log_level of ggml.h


class Channel:
    """The two pipes to the parent, out of reach of native prints."""

    def __init__(self) -> None:
        self._replies = os.dup(1)
        requests = os.fdopen(os.dup(0), "rb")
        os.dup2(2, 1)
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        self._queue: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._last_sign = 0.0
        self._epoch = 0
        self.sign_seconds = 1.0
        threading.Thread(target=self._read, args=(requests,), daemon=True).start()

    def _read(self, requests: Iterable[bytes]) -> None:
        for line in requests:
            order = json.loads(line)
            if order["type"] == "epoch":
                self._epoch = order["epoch"]  # also in the middle of a block
            else:
                self._queue.put(order)
        os._exit(0)  # the parent is gone: nobody waits for what llama.cpp is doing

    def receive(self) -> dict[str, Any]:
        """Return the next request."""
        return self._queue.get()

    def is_over(self, epoch: int) -> bool:
        """Whether nobody waits for the replies of an epoch any more."""
        return epoch < self._epoch

    def send(self, type: str, **fields: object) -> None:  # noqa: A002 - as it is written
        """Write one reply."""
        line = json.dumps({"type": type, **fields}).encode("ascii") + b"\n"
        self._last_sign = time.monotonic()
        while line:
            line = line[os.write(self._replies, line) :]

    def alive(self) -> None:
        """Report to the parent, from time to time, that work continues."""
        if time.monotonic() - self._last_sign >= self.sign_seconds:
            self.send("alive")


def describe_build(llama: ModuleType) -> str:
    """Return the version of llama-cpp-python, of llama.cpp, and what it was built to use."""
    version = getattr(llama, "llama_version", lambda: b"")()
    system = llama.llama_print_system_info().decode("ascii", "replace")
    used = [part.replace(" = 1", "").strip() for part in system.split("|") if " = 1" in part]
    inner = f"llama.cpp {version.decode()}; " if version else ""
    return f"{llama.__version__} ({inner}{' '.join(used)})"


def usable_cores() -> int:
    """Return the cores that this process may use: by affinity and by cgroup quota."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, max(1, round(int(quota) / int(period))))
    return cores


def protect_process() -> None:
    """Leave Ctrl-C to the parent, no core file behind, and die first when memory is short."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_DIES_FIRST, encoding="ascii")
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_with_parent() -> None:
    """Ask the kernel to kill this process with its parent, where it can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)


def import_llama() -> ModuleType:
    """Return the module llama_cpp; LoadError when this Python does not have it."""
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as exc:
        raise LoadError("not installed", f"{sys.executable}: {exc}") from exc
    llama_cpp.llama_backend_init()
    module: ModuleType = llama_cpp
    return module


def log_warnings(llama: ModuleType) -> object:
    """Send warnings and errors of llama.cpp to stderr; the result must be kept alive."""
    levels = [0]

    def log(level: int, text: bytes, _data: object) -> None:
        levels[0] = levels[0] if level == _CONTINUED else level
        if levels[0] in (_WARNING, _ERROR):
            os.write(2, text)

    callback = llama.llama_log_callback(log)
    llama.llama_log_set(callback, ctypes.c_void_p(0))
    return callback


def load_model(llama: ModuleType, order: dict[str, Any], channel: Channel) -> Model:
    """Load what the first request asks for, and describe it."""
    order["threads"] = order["threads"] or usable_cores()
    limit, parallel = int(order["context_length"]), int(order["parallel"])
    cells = most_cells(limit, parallel, streams=bool(order["reproducible"]))
    limit_memory(llama, order["file"], cells=cells, threads=int(order["threads"]))
    model = Model(llama, order, channel.alive)
    broken = self_test(model) if order.get("self_test") else []
    channel.send("loaded", build=describe_build(llama), broken=broken, **model.describe())
    return model


def read_questions(
    read: Callable[[dict[str, Any]], T], orders: Iterable[dict[str, Any]], channel: Channel
) -> Iterator[T]:
    """Yield questions that can be asked; reply to the others why not."""
    for order in orders:
        request = order["request"]
        try:
            yield read(order)
        except TooLongError as exc:
            channel.send("too long", request=request, prompt_tokens=exc.prompt_tokens)
        except (QuestionError, TemplateError) as exc:
            channel.send("error", request=request, reason=str(exc))


def answer_block(model: Model, order: dict[str, Any], channel: Channel, counter: Counter) -> None:
    """Reply to the questions of a block as they are answered, until nobody wants them."""
    questions = list(read_questions(model.question, order["questions"], channel))
    kind = StreamBlock if model.reproducible else Block
    block = kind(model, questions, order["parallel"])
    finish_block(block, order["epoch"], channel, counter if len(questions) == 1 else None)


def score_block(model: Model, order: dict[str, Any], channel: Channel, _counter: Counter) -> None:
    """Reply how likely the continuations of questions are, until nobody wants to know."""
    questions = []
    for question in read_questions(model.scored_question, order["questions"], channel):
        if question.wanted:
            questions.append(question)
        else:
            channel.send(request=question.request, **scores_reply(question))
    kind = StreamScoreBlock if model.reproducible else ScoreBlock
    finish_block(kind(model, questions, order["parallel"]), order["epoch"], channel)


def finish_block(
    block: Block, epoch: int, channel: Channel, counter: Counter | None = None
) -> None:
    """Reply to the questions of a block as they end.

    Instructions are counted where a question is answered alone: then all of them are its own.
    """
    start = counter.read() if counter else 0
    try:
        while not (block.is_done or channel.is_over(epoch)):
            for request, reply in block.step():
                if counter and "timing" in reply:
                    reply["timing"]["instructions"] = counter.read() - start
                channel.send(request=request, **reply)
    finally:
        block.close()


_WORK = {"block": answer_block, "score": score_block}


def work(model: Model, channel: Channel, counter: Counter) -> None:
    """Answer and score blocks until stdin ends."""
    while True:
        order = channel.receive()
        if channel.is_over(order["epoch"]):
            continue
        try:
            _WORK[order["type"]](model, order, channel, counter)
        except QuestionError as exc:
            channel.send("lost", epoch=order["epoch"], reason=str(exc))
        except Exception as exc:  # noqa: BLE001 - a fault here must not cost the other questions
            reason = f"{type(exc).__name__} in the worker: {exc}"
            channel.send("lost", epoch=order["epoch"], reason=reason)


def main() -> None:
    """Load one model, then answer until stdin ends."""
    protect_process()
    channel = Channel()
    order = channel.receive()
    channel.sign_seconds = order["sign_seconds"]
    if order["dies_with_parent"]:
        die_with_parent()
    try:
        counter = Counter()  # before llama.cpp starts its threads: they are counted too
        llama = import_llama()
        log = log_warnings(llama)
        if order["type"] == "tokens":
            limit_memory(llama, order["file"], cells=0, threads=1)
            channel.send("tokens", **read_prompt(llama, order))
            return
        model = load_model(llama, order, channel)
    except LoadError as exc:
        channel.send("failed", kind=exc.kind, reason=str(exc))
    except TemplateError as exc:
        channel.send("failed", kind="template", reason=str(exc))
    except QuestionError as exc:
        channel.send("failed", kind="question", reason=str(exc))
    else:
        work(model, channel, counter)
        del log


if __name__ == "__main__":
    main()
