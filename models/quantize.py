"""Quantize a GGUF file with llama.cpp's own quantizer.

python models/quantize.py models/reader-llama-f16.gguf /tmp/reader-llama-q4.gguf Q4_K_M
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from pathlib import Path

import llama_cpp

TYPES = {
    name.removeprefix("LLAMA_FTYPE_MOSTLY_"): value
    for name, value in vars(llama_cpp).items()
    if name.startswith("LLAMA_FTYPE_MOSTLY_")
}


def quantize(source: Path, target: Path, kind: str) -> None:
    """Write ``source`` as ``target`` in the quantization ``kind``, e.g. ``Q4_K_M``."""
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = TYPES[kind]
    status = llama_cpp.llama_model_quantize(
        str(source).encode(), str(target).encode(), ctypes.byref(parameters)
    )
    if status != 0:
        sys.exit(f"{source}: llama.cpp cannot quantize it to {kind} (status {status})")


def main() -> None:
    """Quantize the file named on the command line."""
    parser = argparse.ArgumentParser(description="Quantize a GGUF file.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("kind", choices=sorted(TYPES), metavar="KIND", help="e.g. Q4_K_M")
    options = parser.parse_args()
    quantize(options.source, options.target, options.kind)


if __name__ == "__main__":
    main()
