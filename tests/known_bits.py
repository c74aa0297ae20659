"""The bits that bundled readers compute, of each instruction set that was tried so far.

    python tests/known_bits.py

adds what this machine computes to tests/data/logits.json. A file has one hash
of all its logits, by version of llama-cpp-python and instruction set.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import llama_cpp
from logit_traces import load, trace

from pytest_raq.engines.llamacpp.instruction_sets import arithmetic_of
from pytest_raq.engines.llamacpp.worker.main import log_warnings
from pytest_raq.machine import describe_machine
from pytest_raq.records import Prompt

ROOT = Path(__file__).parent.parent
KNOWN = ROOT / "tests/data/logits.json"
FILES = ("reader-gemma-q8_0.gguf", "reader-llama-f16.gguf", "reader-llama-early-q8_0.gguf")
PASSAGE = "Lunlo University is a university in Vanba. It was founded in 1903 by Emma Malden. "
PROMPTS = [
    *(Prompt(f"q{n}", f"{PASSAGE * (n + 1)}Question: Who founded it {n}?") for n in range(4)),
    Prompt("short", "Where?"),
]


def version() -> str:
    """Return the version of llama-cpp-python."""
    return str(llama_cpp.__version__)


def hash_logits(file: str) -> str:
    """Return a hash of the logits behind all tokens of some answers."""
    logits, _ = trace(load(ROOT / "models" / file, parallel=4), PROMPTS, 4, tokens=8)
    whole = hashlib.sha256()
    for name in sorted(logits):
        whole.update(b"".join(logits[name]))
    return whole.hexdigest()[:32]


def read_known() -> dict[str, dict[str, dict[str, str]]]:
    """Return version → instruction set → file → hash, and the processor that computed it."""
    return json.loads(KNOWN.read_text(encoding="utf-8"))


def main() -> None:
    """Add this machine."""
    kept = log_warnings(llama_cpp)  # and nothing else
    known = read_known() if KNOWN.is_file() else {}
    found = {"processor": describe_machine()["processor"]}
    found |= {file: hash_logits(file) for file in FILES}
    known.setdefault(version(), {})[arithmetic_of()] = found
    KNOWN.parent.mkdir(exist_ok=True)
    KNOWN.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    del kept


if __name__ == "__main__":
    main()
