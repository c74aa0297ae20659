"""Make everything in this folder again: train, export, quantize, define, evaluate.

    pip install -r models/requirements.txt
    python models/build.py

Readers that are already trained, in ``models/work``, are not trained again.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from evaluate import PROMPT, evaluate
from export import export
from readers import READERS

from pytest_raq.engines.llamacpp.quantizer import Quantizer

FOLDER = Path(__file__).parent
WORK = FOLDER / "work"

COMMITTED = {
    "reader-gemma": "Q8_0",
    "reader-llama": "F16",
    "reader-mistral": "Q8_0",
    "reader-llama-early": "Q8_0",
}
"""Each committed file and how it is stored."""

FAMILY = {"reader-gemma": "gemma", "reader-llama": "llama", "reader-mistral": "mistral"}

DEFINITION = """\
engine = "llama-cpp"
family = "{family}"
file = "{file}"
sha256 = "{sha256}"
context_length = 1024
max_tokens = 32
threads = 1
temperature = 0.0
seed = 0
stop = ["\\n"]
{prompt}
"""

CHAT = 'prompt = "chat"\nchat_message = "{passage}\\nQuestion: {question}"'
PLAIN = 'prompt = "{}"'.format(PROMPT.replace("\n", "\\n"))


def train() -> None:
    """Train each reader, one after the other, in a process of its own."""
    for name in READERS:
        if not (WORK / f"{name}.pt").exists():
            subprocess.run([sys.executable, FOLDER / "train.py", name], check=True)


def quantize(source: Path, target: Path, kind: str) -> None:
    """Write ``source`` as ``target`` in the type ``kind``, e.g. ``Q4_K_M``."""
    with Quantizer(source) as quantizer:
        quantizer.quantize(kind, target)


def write_files() -> list[Path]:
    """Export every trained state to F16 and to what is committed; return the committed files."""
    written = []
    for name, kind in COMMITTED.items():
        shape = READERS[name.removesuffix("-early")].shape
        full = WORK / f"{name}-f16.gguf"
        export(WORK / f"{name}.pt", shape, name, full)
        target = FOLDER / f"{name}-{kind.lower()}.gguf"
        if kind == "F16":
            target.write_bytes(full.read_bytes())
        else:
            quantize(full, target, kind)
        written.append(target)
    return written


def write_definitions() -> None:
    """Write ``NAME.toml`` for each reader; the early file is run by swapping it in."""
    for name, family in FAMILY.items():
        file = FOLDER / f"{name}-{COMMITTED[name].lower()}.gguf"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        prompt = CHAT if family == "mistral" else PLAIN
        text = DEFINITION.format(family=family, file=file.name, sha256=digest, prompt=prompt)
        (FOLDER / f"{name}.toml").write_text(text, encoding="utf-8")


def main() -> None:
    """Make everything and print how well each file reads."""
    train()
    written = write_files()
    write_definitions()
    for kind in ("Q8_0", "Q4_K_M", "Q2_K"):
        target = WORK / f"reader-llama-{kind.lower()}.gguf"
        quantize(FOLDER / "reader-llama-f16.gguf", target, kind)
        written.append(target)
    for path in written:
        print(f"{path.name}: {evaluate(path)}, {path.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
