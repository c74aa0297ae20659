"""The worker process as seen from its parent: JSON lines, and every way to die.

Nothing here blocks longer than the silence that a caller allows, and no worker
outlives its parent: it ends when its stdin does, is killed when it does not,
and the kernel kills it where that can be asked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

from pytest_raq.engines.llamacpp.variables import foreign_variables, worker_variables
from pytest_raq.errors import EngineCrashError, EngineDiedError, EngineStartError
from pytest_raq.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Reply = dict[str, Any]
"""One JSON object of the worker; ``type`` is always there and a string."""

_SECONDS_TO_END = 2.0
# Threads of GNU OpenMP wait for each other in a loop of billions of turns by default: on cores
# that others use too (three workers on two cores) answers took 3 to 40 s so, and 1.2 to 1.6 s
# with this; a worker on cores of its own is not slower with it (0.4 and 0.5 s).
_SPINS = "1000"
_LONGEST_REPLY = 2**26
_LONGEST_POLL = 2.0**31 - 1
_READ_SIZE = 2**16
_LOG_SIZE = 2**16
# llama.cpp's outer functions repeat that the inner one failed, without the reason.
_SAYS_NOTHING = re.compile(r"failed to load model\b|exiting\W*$|^\W*$", re.IGNORECASE)


class WorkerProcess:
    """A started worker; EngineStartError when the interpreter cannot be started.

    ``python`` is that interpreter; ``variables`` are added to its environment.
    """

    def __init__(
        self, command: Sequence[str], variables: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        # Appending, so that the log can be emptied while the worker writes.
        self._log: IO[bytes] = tempfile.TemporaryFile("a+b", buffering=0)  # noqa: SIM115
        try:
            self._process = _start(command, self._log, variables)
        except OSError as exc:
            self._log.close()
            raise EngineStartError(
                f"{command[0]} cannot be started: {exc.strerror or exc}: "
                "name the python of an environment with llama-cpp-python"
            ) from exc
        self.python = Path(command[0])
        self._finalizer = weakref.finalize(self, _end, self._process, self._log, os.getpid())
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin.fileno()
        self._replies = self._process.stdout.fileno()
        os.set_blocking(self._requests, False)
        os.set_blocking(self._replies, False)
        self._outgoing = bytearray()
        self._incoming = bytearray()

    @property
    def pid(self) -> int:
        """The process id of the worker."""
        return self._process.pid

    def send(self, message: Mapping[str, object], silence: float) -> None:
        """Write one message; EngineCrashError when nobody reads it for ``silence`` seconds."""
        self._outgoing += json.dumps(message).encode("ascii") + b"\n"
        while self._outgoing:
            if not _ready(self._requests, select.POLLOUT, silence):
                raise EngineCrashError(_tell_silence(silence))
            try:
                del self._outgoing[: os.write(self._requests, self._outgoing)]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                # Reading its reply reports how the worker died.
                self._outgoing.clear()

    def receive(self, silence: float) -> Reply:
        """Return the next reply; signs of life only restart the clock.

        EngineCrashError when the worker ended, said nothing for ``silence``
        seconds, or wrote what is no reply.
        """
        while True:
            reply = _parse(self._read_line(silence))
            if reply["type"] != "alive":
                return reply

    def _read_line(self, silence: float) -> bytes:
        deadline = time.monotonic() + silence
        searched = 0
        while (end := self._incoming.find(b"\n", searched)) < 0:
            searched = len(self._incoming)
            if searched > _LONGEST_REPLY:
                raise EngineCrashError(_tell_garbage(bytes(self._incoming[:_READ_SIZE])))
            self._read_more(deadline, silence)
        line = bytes(self._incoming[:end])
        del self._incoming[: end + 1]
        return line

    def _read_more(self, deadline: float, silence: float) -> None:
        if not _ready(self._replies, select.POLLIN, deadline - time.monotonic()):
            raise EngineCrashError(_tell_silence(silence))
        try:
            data = os.read(self._replies, _READ_SIZE)
        except BlockingIOError:
            return
        if not data:
            raise self._end()
        self._incoming += data

    def _end(self) -> EngineDiedError:
        """Return how the worker ended."""
        try:
            code = self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            return EngineDiedError("closed its pipe without ending")
        if code >= 0:
            return EngineDiedError(f"ended with exit code {code}")
        hint = " (was memory short?)" if -code == signal.SIGKILL else ""
        return EngineDiedError(f"was killed by {signal_name(-code)}{hint}", -code)

    def last_log_line(self) -> str:
        """Return the last line of the log that is not blank; empty when there is none."""
        if self._log.closed:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_SIZE))
        text = self._log.read(_LOG_SIZE).decode("utf-8", "replace")
        lines = [line for line in map(one_line, text.splitlines()) if line]
        telling = [line for line in lines if not _SAYS_NOTHING.search(line)]
        return (telling or lines or [""])[-1]

    def clear_log(self) -> None:
        """Forget what was logged, so that the last line belongs to what comes next."""
        self._log.truncate(0)

    def close(self) -> None:
        """End the worker, within seconds; safe to call twice."""
        self._finalizer()


def _start(
    command: Sequence[str], log: IO[bytes], variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    environment = worker_variables() if command[0] == sys.executable else foreign_variables()
    environment |= variables
    environment["PYTHONSAFEPATH"] = "1"  # the modules beside the worker are not its imports
    environment["GGML_NO_BACKTRACE"] = "1"  # an abort would start a debugger
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", _SPINS)
    return subprocess.Popen(  # noqa: S603 - our own worker under the user's interpreter
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        bufsize=0,
        env=environment,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes], log: IO[bytes], owner: int) -> None:
    if os.getpid() != owner:
        return  # a fork of the parent must not end the worker of the parent
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_END)
    finally:
        _kill(process)
        process.stdout.close()
        log.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group: an interpreter may be a script that starts another."""
    if process.poll() is None:  # else the number may be another group's by now
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ready(descriptor: int, event: int, seconds: float) -> bool:
    poller = select.poll()  # select() cannot take descriptors above 1,023
    poller.register(descriptor, event)
    return bool(poller.poll(min(max(0.0, seconds) * 1000, _LONGEST_POLL)))


def _parse(line: bytes) -> Reply:
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise EngineCrashError(_tell_garbage(line)) from exc
    if not isinstance(reply, dict) or not isinstance(reply.get("type"), str):
        raise EngineCrashError(_tell_garbage(line))
    return reply


def _tell_garbage(line: bytes) -> str:
    shown = one_line(line[:80].decode("utf-8", "replace"))
    return f"wrote {shown!r}, which is not a reply"


def _tell_silence(seconds: float) -> str:
    return f"gave no sign of life for {seconds:g} s (timeout)"


def signal_name(number: int) -> str:
    """Return e.g. SIGILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
