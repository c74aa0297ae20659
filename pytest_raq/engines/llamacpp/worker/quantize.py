"""The quantizer's process: llama.cpp's own quantizer, JSON lines in and out.

Run as a script, like the worker: it needs the standard library and llama_cpp.

    ← describe  source
    → described quantization, build, types: name → number of every file type
    ← plan      source, type
    → planned   bytes
    ← quantize  source, target, type
    → step      done, total: tensors; at most a few times a second
    → quantized fallbacks: "q4_K → q5_0" → tensors
    → failed    reason
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

_PREFIXES = ("LLAMA_FTYPE_MOSTLY_", "LLAMA_FTYPE_ALL_")
_STEP = re.compile(r"^\[\s*(\d+)/\s*(\d+)\]")
_SIZE = re.compile(r"(model|quant) size\s*=\s*([\d.]+) MiB")
_FALLBACK = re.compile(
    r"required for (?:type\s+)?(\w+).*(?:falling back to|fallback quantization)\s+(\w+)"
)
_REASON = re.compile(r"failed to quantize: (.*)")
_ERROR, _CONTINUED = 4, 5  # enum ggml_log_level of ggml.h
_PAUSE = 0.2


class Log:
    """The messages of llama.cpp that matter here."""

    def __init__(self, llama: ModuleType, replies: int) -> None:
        self._replies = replies
        self._line = b""
        self._last_step = 0.0
        self.reset()
        self._callback = llama.llama_log_callback(self._read)
        llama.llama_log_set(self._callback, ctypes.c_void_p(0))

    def reset(self) -> None:
        """Forget the messages."""
        self.fallbacks: Counter[str] = Counter()
        self.mebibytes = {"model": 0.0, "quant": 0.0}
        self.reason = ""

    def _read(self, level: int, text: bytes, _data: object) -> None:
        if level == _ERROR:
            os.write(2, text)
        self._line += text
        # A step is reported before the tensor is converted, so its line has no end yet.
        if level != _CONTINUED or self._line.endswith(b"\n"):
            self._understand(self._line.decode("utf-8", "replace"))
        if self._line.endswith(b"\n"):
            self._line = b""

    def _understand(self, line: str) -> None:
        if found := _FALLBACK.search(line):
            self.fallbacks[f"{found[1]} → {found[2]}"] += 1
        elif found := _SIZE.search(line):
            self.mebibytes[found[1]] = float(found[2])
        elif found := _REASON.search(line):
            self.reason = found[1].strip()
        elif (found := _STEP.match(line)) and time.monotonic() - self._last_step >= _PAUSE:
            self._last_step = time.monotonic()
            self.send("step", done=int(found[1]) - 1, total=int(found[2]))

    def send(self, message: str, **fields: object) -> None:
        """Write one reply."""
        line = json.dumps({"type": message, **fields}).encode("ascii") + b"\n"
        while line:
            line = line[os.write(self._replies, line) :]


def file_types(llama: ModuleType) -> dict[str, int]:
    """Return the number of every file type by its name, e.g. Q4_K_M."""
    found = {}
    for name, value in vars(llama).items():
        for prefix in _PREFIXES:
            if name.startswith(prefix):
                found[name.removeprefix(prefix)] = int(value)
    return found


def describe(llama: ModuleType, source: str) -> dict[str, Any]:
    """Return what a file is and what it can be made; ValueError when it is not a model."""
    params = llama.llama_model_default_params()
    params.vocab_only = True
    params.use_extra_bufts = False  # nothing is computed
    model = llama.llama_model_load_from_file(os.fsencode(source), params)
    if not model:
        raise ValueError("llama.cpp cannot read it as a model")
    value = ctypes.create_string_buffer(64)
    size = llama.llama_model_meta_val_str(model, b"general.file_type", value, len(value))
    llama.llama_model_free(model)
    said = value.value.decode("utf-8", "replace") if size >= 0 else ""
    types = file_types(llama)
    return {
        "quantization": next((name for name, number in types.items() if str(number) == said), ""),
        "build": llama.__version__,
        "types": types,
    }


def quantize(llama: ModuleType, order: dict[str, Any], log: Log, *, dry_run: bool) -> bool:
    """Quantize one file, or only find out how large it would be; return whether it went well."""
    log.reset()
    params = llama.llama_model_quantize_default_params()
    params.ftype = file_types(llama)[order["kind"]]
    params.allow_requantize = True
    if hasattr(params, "dry_run"):
        params.dry_run = dry_run
    elif dry_run:  # an older llama.cpp
        return True
    target = order.get("target") or os.devnull
    status = llama.llama_model_quantize(
        os.fsencode(order["source"]), os.fsencode(target), ctypes.byref(params)
    )
    return bool(status == 0)


def work(llama: ModuleType, order: dict[str, Any], log: Log) -> None:
    """Do what one order asks for, and reply."""
    kind = order["type"]
    if kind == "describe":
        try:
            log.send("described", **describe(llama, order["source"]))
        except ValueError as exc:
            log.send("failed", reason=str(exc))
    elif not quantize(llama, order, log, dry_run=kind == "plan"):
        log.send("failed", reason=log.reason or "llama.cpp gave no reason")
    elif kind == "plan":
        # Beside the tensors a file holds a vocabulary, which stays as it is.
        rest = max(0.0, Path(order["source"]).stat().st_size - log.mebibytes["model"] * 2**20)
        log.send("planned", bytes=int(log.mebibytes["quant"] * 2**20 + rest))
    else:
        log.send("quantized", fallbacks=dict(log.fallbacks))


def main() -> None:
    """Work on orders until stdin ends; stdout is kept for replies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    replies = os.dup(1)
    os.dup2(2, 1)
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as exc:
        line = {"type": "failed", "kind": "not installed", "reason": f"{sys.executable}: {exc}"}
        os.write(replies, json.dumps(line).encode("ascii") + b"\n")
        return
    llama_cpp.llama_backend_init()
    log = Log(llama_cpp, replies)
    for line_of_order in sys.stdin:
        work(llama_cpp, json.loads(line_of_order), log)


if __name__ == "__main__":
    # Modules beside a script are not its imports.
    sys.path[:] = [folder for folder in sys.path if folder != str(Path(__file__).parent)]
    main()
