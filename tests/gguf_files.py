"""Tiny GGUF files for tests: real enough for llama.cpp, small enough to make in passing.

Their weights are random, or set by hand so that the model recites a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np

from pytest_raq.config import ModelDefinition
from pytest_raq.engines.llamacpp.quantizer import Quantizer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WIDTH, LAYERS, HEADS, KV_HEADS, FEED_FORWARD = 64, 2, 4, 2, 96
WIDE = 256
"""A width that K-quants need."""
SPECIAL = ("<s>", "</s>", "<unk>", "<|user|>", "<|assistant|>", "<|end|>")
BOS, EOS, UNKNOWN = 0, 1, 2
WORDS = ("the", "an", "in")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<|{{ message['role'] }}|>{{ message['content'] | trim }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Of our SPECIAL tokens; says BOS itself, and trims like most templates do."""


def write_tiny_gguf(
    path: Path,
    *,
    arch: str = "llama",
    tokenizer: str = "gpt2",
    seed: int = 0,
    chat_template: str | None = None,
    context_length: int = 512,
    add_bos: bool = True,
    recites: str | None = None,
    width: int = WIDTH,
) -> Path:
    """Write a model of about 100,000 parameters at F32 and return its path.

    With the ``width`` WIDE it has 2 million, and K-quants can be made of it.

    ``arch`` is "llama" or "gemma", ``tokenizer`` "gpt2" (byte-level BPE) or
    "llama" (SentencePiece with byte fallback). A model that ``recites`` (llama
    with gpt2 only) says after a byte of the text the next one, whatever came
    before, and after the last the end token. So the bytes must all differ, and
    a prompt ends with the first; a text that ends as it starts goes on forever.
    """
    tokens = _gpt2_tokens() if tokenizer == "gpt2" else _sentencepiece_tokens()
    weights = dict(_weights(arch, len(tokens), seed, width))
    if recites is not None:
        weights |= _reciting(weights, recites.encode())
    writer = gguf.GGUFWriter(path, arch)
    _add_shape(writer, context_length, len(tokens), width)
    _add_tokenizer(writer, tokenizer, tokens)
    writer.add_add_bos_token(add_bos)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    for name, weight in weights.items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _feed_forward(width: int) -> int:
    return FEED_FORWARD if width == WIDTH else 2 * width


def _add_shape(writer: gguf.GGUFWriter, context_length: int, vocabulary: int, width: int) -> None:
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(context_length)
    writer.add_embedding_length(width)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(_feed_forward(width))
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(width // HEADS)
    writer.add_value_length(width // HEADS)
    writer.add_rope_dimension_count(width // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(vocabulary)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: str, tokens: list[str]) -> None:
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL)
    kinds[UNKNOWN] = gguf.TokenType.UNKNOWN
    writer.add_tokenizer_model(tokenizer)
    writer.add_token_list(tokens)
    rest = tokens[len(SPECIAL) :]
    if tokenizer == "gpt2":
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges(["t h", "th e", "a n", "i n"])
        kinds += [gguf.TokenType.NORMAL] * len(rest)
    else:
        writer.add_token_scores([0.0] * len(SPECIAL) + [-float(i) for i in range(len(rest))])
        is_byte = [token.startswith("<0x") for token in rest]
        kinds += [gguf.TokenType.BYTE if byte else gguf.TokenType.NORMAL for byte in is_byte]
    writer.add_token_types(kinds)
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_unk_token_id(UNKNOWN)


def _byte_characters() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    stands = {byte: chr(byte) for byte in shown}
    stands |= {byte: chr(256 + i) for i, byte in enumerate(hidden)}
    return [stands[byte] for byte in range(256)]


def _gpt2_tokens() -> list[str]:
    return [*SPECIAL, *_byte_characters(), "th", *WORDS]


def _sentencepiece_tokens() -> list[str]:
    letters = [chr(code) for code in range(0x21, 0x7F)]
    words = ["▁" + word for word in ("t", "th", *WORDS)]
    return [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *words, "▁", *letters]


def _weights(arch: str, vocabulary: int, seed: int, width: int) -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

    ones, keys = np.ones(width, np.float32), width // HEADS * KV_HEADS
    yield "token_embd.weight", matrix(vocabulary, width)
    yield "output_norm.weight", ones
    if arch == "llama":
        yield "output.weight", matrix(vocabulary, width) * 4
    for layer in range(LAYERS):
        yield f"blk.{layer}.attn_norm.weight", ones
        yield f"blk.{layer}.attn_q.weight", matrix(width, width)
        yield f"blk.{layer}.attn_k.weight", matrix(keys, width)
        yield f"blk.{layer}.attn_v.weight", matrix(keys, width)
        yield f"blk.{layer}.attn_output.weight", matrix(width, width)
        yield f"blk.{layer}.ffn_norm.weight", ones
        yield f"blk.{layer}.ffn_gate.weight", matrix(_feed_forward(width), width)
        yield f"blk.{layer}.ffn_up.weight", matrix(_feed_forward(width), width)
        yield f"blk.{layer}.ffn_down.weight", matrix(width, _feed_forward(width))


def _reciting(weights: dict[str, np.ndarray], text: bytes) -> dict[str, np.ndarray]:
    """Silence the layers and let the output of a token point to its successor alone."""
    changed = {
        name: np.zeros_like(weight)
        for name, weight in weights.items()
        if name.endswith(("attn_output.weight", "ffn_down.weight"))
    }
    embedding = weights["token_embd.weight"]
    output = np.zeros_like(embedding)
    tokens = [len(SPECIAL) + byte for byte in text]
    successors = tokens[1:] if tokens[-1] == tokens[0] else [*tokens[1:], EOS]
    for token, successor in zip(tokens, successors, strict=False):
        output[successor] += embedding[token] / np.linalg.norm(embedding[token])
    return changed | {"output.weight": output}


def quantize(source: Path, kind: str) -> Path:
    """Make a file of another quantization beside a file, and return its path."""
    target = source.with_name(f"{source.stem}-{kind}.gguf")
    with Quantizer(source) as quantizer:
        quantizer.quantize(kind, target)
    return target


def define(gguf_path: Path, **options: object) -> ModelDefinition:
    """Return a definition beside the file: the bare question, one thread, if not told otherwise."""
    fields = {"name": "tiny", "path": gguf_path.with_name("tiny.toml"), "file": gguf_path.name}
    defaults = {"prompt": "{question}", "threads": 1}
    return ModelDefinition.model_validate({**defaults, **fields, **options})
