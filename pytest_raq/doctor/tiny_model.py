"""A tiny GGUF file: it tests every kernel without a download.

One layer of a Llama with random weights, wide enough (256) for the blocks of all
kinds of quantization. The text of its answer does not matter, only that it answers.
The layout of the file is that of the GGUF specification, version 3.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np

_WIDTH, _HEADS, _FEED_FORWARD, _CONTEXT = 256, 4, 512, 1024
_ALIGNMENT = 32
_UINT32, _FLOAT32, _BOOL, _STRING, _ARRAY, _INT32 = 4, 6, 7, 8, 9, 5
_NORMAL, _CONTROL, _ALL_F32 = 1, 3, 0
_SPECIAL = ("<s>", "</s>")
PROMPT = "The quick brown fox jumps over the lazy dog. " * 4


def write_tiny_model(path: Path) -> None:
    """Write the model to a file, about 4 MB of F32; raise OSError if it cannot be written."""
    import numpy as np

    tokens = [*_SPECIAL, *_byte_tokens()]
    kinds = [_CONTROL] * len(_SPECIAL) + [_NORMAL] * 256
    metadata = [
        _entry("general.architecture", _STRING, _string("llama")),
        _entry("general.name", _STRING, _string("raq doctor")),
        _entry("general.file_type", _UINT32, struct.pack("<I", _ALL_F32)),
        *(_entry(f"llama.{name}", _UINT32, struct.pack("<I", value)) for name, value in _SHAPE),
        _entry("llama.attention.layer_norm_rms_epsilon", _FLOAT32, struct.pack("<f", 1e-5)),
        _entry("tokenizer.ggml.model", _STRING, _string("gpt2")),
        _entry("tokenizer.ggml.pre", _STRING, _string("gpt-2")),
        _entry("tokenizer.ggml.tokens", _ARRAY, _array(_STRING, map(_string, tokens))),
        _entry(
            "tokenizer.ggml.token_type",
            _ARRAY,
            _array(_INT32, (struct.pack("<i", kind) for kind in kinds)),
        ),
        # At least one merge is required; this one never matches a text.
        _entry("tokenizer.ggml.merges", _ARRAY, _array(_STRING, [_string("Ā ā")])),
        _entry("tokenizer.ggml.bos_token_id", _UINT32, struct.pack("<I", 0)),
        _entry("tokenizer.ggml.eos_token_id", _UINT32, struct.pack("<I", 1)),
        _entry("tokenizer.ggml.add_bos_token", _BOOL, b"\1"),
    ]
    tensors = dict(_tensors(np.random.default_rng(0), len(tokens)))
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
        file.write(b"".join(metadata))
        offset = 0
        for name, tensor in tensors.items():
            shape = tensor.shape[::-1]
            file.write(_string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
            file.write(struct.pack("<IQ", 0, offset))  # type 0 is F32
            offset += _padded(tensor.nbytes)
        file.write(b"\0" * (_padded(file.tell()) - file.tell()))
        for tensor in tensors.values():
            file.write(tensor.tobytes().ljust(_padded(tensor.nbytes), b"\0"))


_SHAPE = (
    ("context_length", _CONTEXT),
    ("embedding_length", _WIDTH),
    ("block_count", 1),
    ("feed_forward_length", _FEED_FORWARD),
    ("attention.head_count", _HEADS),
    ("attention.head_count_kv", _HEADS),
    ("rope.dimension_count", _WIDTH // _HEADS),
    ("vocab_size", len(_SPECIAL) + 256),
)


def _tensors(
    random: np.random.Generator, vocabulary: int
) -> Iterator[tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
    import numpy as np

    def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return random.standard_normal(shape, dtype=np.float32) / np.float32(shape[-1] ** 0.5)

    ones = np.ones(_WIDTH, dtype=np.float32)
    yield "token_embd.weight", weights(vocabulary, _WIDTH)
    yield "output.weight", weights(vocabulary, _WIDTH)
    yield "output_norm.weight", ones
    yield "blk.0.attn_norm.weight", ones
    yield "blk.0.ffn_norm.weight", ones
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        yield f"blk.0.{part}.weight", weights(_WIDTH, _WIDTH)
    yield "blk.0.ffn_gate.weight", weights(_FEED_FORWARD, _WIDTH)
    yield "blk.0.ffn_up.weight", weights(_FEED_FORWARD, _WIDTH)
    yield "blk.0.ffn_down.weight", weights(_WIDTH, _FEED_FORWARD)


def _byte_tokens() -> list[str]:
    """Return GPT-2's printable characters for the 256 bytes."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    stands = {byte: chr(byte) for byte in shown}
    return [
        stands[byte] if byte in stands else chr(256 + hidden.index(byte)) for byte in range(256)
    ]


def _entry(key: str, kind: int, value: bytes) -> bytes:
    return _string(key) + struct.pack("<I", kind) + value


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _array(kind: int, items: Iterator[bytes] | Sequence[bytes]) -> bytes:
    found = list(items)
    return struct.pack("<IQ", kind, len(found)) + b"".join(found)


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
