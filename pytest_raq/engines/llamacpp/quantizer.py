"""Quantize a GGUF file with llama.cpp's own quantizer, in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.config import nearest
from pytest_raq.engines.llamacpp.engine_build import EXTRA, pip_install
from pytest_raq.engines.llamacpp.model_file import require_model_file
from pytest_raq.engines.llamacpp.recovery import advise
from pytest_raq.engines.llamacpp.worker_process import WorkerProcess
from pytest_raq.engines.protocol import Closing
from pytest_raq.errors import ConfigError, EngineCrashError, EngineError, EngineStartError
from pytest_raq.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_raq.engines.llamacpp.worker_process import Reply

    Steps = Callable[[int, int], None]

_WORKER = Path(__file__).with_name("worker") / "quantize.py"

_SILENCE = 900.0
"""Seconds: one tensor of a large model takes a while on a slow machine."""

FULL_PRECISION = frozenset({"F32", "F16", "BF16"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A GGUF file to be quantized.

    ``quantization`` is what it is stored in, empty where it does not say;
    ``types`` are the names that this llama.cpp knows, ``build`` is the version
    of llama-cpp-python.
    """

    path: Path
    quantization: str
    build: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuantizedFile:
    """What was made: sizes in bytes; ``notes`` is what a reader should know of it."""

    path: Path
    kind: str
    source_bytes: int
    bytes: int
    notes: tuple[str, ...] = field(default=())


def plain_name(path: Path, quantization: str) -> str:
    """Return the name of a file without its ending and without its type: model-f16.gguf → model."""
    stem = path.stem
    found = re.fullmatch(rf"(.+)[-._]{re.escape(quantization)}", stem, re.IGNORECASE)
    return found[1] if found and quantization else stem


class Quantizer(Closing):
    """Makes files out of one GGUF file.

    ConfigError when there is no such file, EngineStartError when it is no
    GGUF file or llama.cpp cannot read it.
    """

    def __init__(
        self, source: Path, python: Path | None = None, *, silence: float = _SILENCE
    ) -> None:
        require_model_file(source)
        self._path = source
        self._silence = silence
        self._process = WorkerProcess([str(python or sys.executable), str(_WORKER)])
        try:
            self.source = self._describe()
        except BaseException:
            self.close()
            raise

    def _describe(self) -> SourceFile:
        reply = self._ask({"type": "describe"})
        if reply["type"] == "failed":
            reason = one_line(str(reply.get("reason", "")))
            if reply.get("kind") == "not installed":
                raise EngineStartError(
                    f"llama.cpp cannot be imported ({reason}): {pip_install(EXTRA)}"
                )
            raise EngineStartError(f"{self._path}: {reason}{self._log_line()}: it may be damaged")
        types: Mapping[str, int] = reply["types"]
        return SourceFile(self._path, str(reply["quantization"]), str(reply["build"]), tuple(types))

    def kind(self, text: str) -> str:
        """Return the name of a file type as llama.cpp writes it; ConfigError for another."""
        known = {name.lower(): name for name in self.source.types}
        if text.lower() in known:
            return known[text.lower()]
        hint = nearest(text, known.values(), "it has")
        raise ConfigError(f"{text!r} is not a type that this llama.cpp can write{hint}")

    def planned_bytes(self, kind: str) -> int:
        """Return about how large the file will be; 0 where llama.cpp cannot tell.

        EngineError when it cannot be made.
        """
        reply = self._ask({"type": "plan", "kind": kind})
        if reply["type"] == "failed":
            raise EngineError(self._tell_failure(kind, reply))
        return int(reply["bytes"])

    def quantize(self, kind: str, target: Path, steps: Steps | None = None) -> QuantizedFile:
        """Write the file as ``kind`` to ``target``, in one step; an old one there is replaced.

        ``steps`` gets the number of tensors that are done, and of all. EngineError
        when llama.cpp cannot do it or crashes, ConfigError when there is no
        room; nothing is left behind then.
        """
        kind = self.kind(kind)
        self._require_room(target, self.planned_bytes(kind))
        if target.exists() and target.samefile(self._path):
            raise ConfigError(f"{target}: is the file to be quantized; name another")
        draft = target.with_name(f".{target.name}.{os.getpid()}.part")
        order = {"type": "quantize", "kind": kind, "target": str(draft)}
        try:
            reply = self._ask(order, steps)
            if reply["type"] == "failed":
                raise EngineError(self._tell_failure(kind, reply))
            draft.replace(target)
            return QuantizedFile(
                target,
                kind,
                source_bytes=self._path.stat().st_size,
                bytes=target.stat().st_size,
                notes=self._notes(reply),
            )
        except OSError as exc:
            raise ConfigError(f"{target}: cannot be written: {exc.strerror or exc}") from exc
        finally:
            draft.unlink(missing_ok=True)

    def _ask(self, order: Mapping[str, object], steps: Steps | None = None) -> Reply:
        try:
            self._process.send({**order, "source": str(self._path)}, self._silence)
            while (reply := self._process.receive(self._silence))["type"] == "step":
                if steps is not None:
                    steps(int(reply["done"]), int(reply["total"]))
        except EngineCrashError as exc:
            doing = f" to {order['kind']}" if "kind" in order else ""
            raise EngineError(
                f"{self._path}: llama.cpp's quantizer {exc} on the way{doing}{self._log_line()}"
                f"{advise(exc, self._process.python)}"
            ) from exc
        return reply

    def _tell_failure(self, kind: str, reply: Reply) -> str:
        reason = one_line(str(reply.get("reason", "")))
        if "imatrix" in reason or "importance matrix" in reason:
            reason = "llama.cpp writes this type only with an importance matrix"
        return f"{self._path} cannot be made {kind}: {reason}"

    def _notes(self, reply: Reply) -> tuple[str, ...]:
        notes = []
        if self.source.quantization not in {*FULL_PRECISION, ""}:
            notes.append(
                f"made from {self.source.quantization}: a file made from F16 or F32 is better"
            )
        fallbacks: Mapping[str, int] = reply.get("fallbacks", {})
        if fallbacks:
            told = ", ".join(f"{count} {pair}" for pair, count in fallbacks.items())
            notes.append(
                f"the rows of some tensors do not fit the type; they got another one: {told}"
            )
        return tuple(notes)

    def _log_line(self) -> str:
        line = self._process.last_log_line()
        return f" ({line})" if line else ""

    @staticmethod
    def _require_room(target: Path, needed: int) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(target.parent).free
        except OSError as exc:
            raise ConfigError(f"{target}: cannot be written: {exc.strerror or exc}") from exc
        if free < needed:
            raise ConfigError(
                f"{target}: needs {needed / 1e6:,.1f} MB, and {target.parent} has"
                f" {free / 1e6:,.1f} MB free"
            )

    def close(self) -> None:
        """End the process; safe to call twice."""
        self._process.close()
