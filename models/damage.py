"""Make a worse file: add Gaussian noise to the weight matrices of an F16 GGUF.

    python models/damage.py models/reader-llama-f16.gguf /tmp/worse.gguf --noise 0.6

The noise is given in standard deviations of each matrix. Everything else of
the file, the tokenizer among it, stays as it is.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np


def damage(source: Path, target: Path, noise: float, seed: int) -> int:
    """Copy ``source`` to ``target`` with noise; return how many matrices were changed."""
    shutil.copyfile(source, target)
    rng = np.random.default_rng(seed)
    changed = 0
    for tensor in gguf.GGUFReader(target, "r+").tensors:
        if tensor.data.ndim == 2 and tensor.data.dtype in (np.float16, np.float32):
            values = tensor.data.astype(np.float32)
            values += rng.standard_normal(values.shape, np.float32) * (noise * values.std())
            tensor.data[:] = values.astype(tensor.data.dtype)
            changed += 1
    return changed


def main() -> None:
    """Damage the file named on the command line."""
    parser = argparse.ArgumentParser(description="Add noise to an F16 GGUF file.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--noise", type=float, default=0.6, help="in standard deviations")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not damage(options.source, options.target, options.noise, options.seed):
        sys.exit(f"{options.source}: has no F16 or F32 matrices; quantized files stay as they are")


if __name__ == "__main__":
    main()
