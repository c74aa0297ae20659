"""Makes the yardstick, ``pytest_raq/speed/yardstick.gguf``, from the smallest reader.

Every answer of the yardstick has the same number of tokens: the token that ends an answer
is an ordinary one in it. Its weights are Q4_0, with the kernels of most quantized models.
The file is committed and must not change: baselines hold ratios to it.

    python models/yardstick.py NEW.gguf
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import gguf

from pytest_raq.engines.llamacpp.quantizer import Quantizer

SOURCE = Path(__file__).with_name("reader-mistral-q8_0.gguf")
END, ORDINARY = b"</s>", b"<_s>"
UNKNOWN_ID = 0


def make(path: Path) -> Path:
    """Write the yardstick."""
    data = bytearray(SOURCE.read_bytes())
    field = gguf.GGUFReader(SOURCE).fields["tokenizer.ggml.eos_token_id"]
    start = field.offset + sum(part.nbytes for part in field.parts[:-1])
    data[start : start + field.parts[-1].nbytes] = bytes(
        field.parts[-1].__class__.tobytes(field.parts[-1] * 0 + UNKNOWN_ID)
    )
    where = data.index(END, 0, 4_096)
    data[where : where + len(END)] = ORDINARY
    with tempfile.TemporaryDirectory() as folder:
        endless = Path(folder) / "endless.gguf"
        endless.write_bytes(data)
        with Quantizer(endless) as quantizer:
            quantizer.quantize("Q4_0", path, lambda _done, _total: None)
    return path


if __name__ == "__main__":
    make(Path(sys.argv[1]))
