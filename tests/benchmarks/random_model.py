"""A model of random weights with the shape of a real one, and prompts like SQuAD's, for timing.

Its answers mean nothing; what it costs to evaluate is what a trained model of
that shape costs.
"""

from __future__ import annotations

import itertools
import random
import string
from typing import TYPE_CHECKING

import gguf
import numpy as np

from pytest_raq.engines.llamacpp.quantizer import Quantizer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WIDTH, LAYERS, HEADS, KV_HEADS, FEED_FORWARD = 1024, 16, 16, 4, 2816
VOCABULARY = 8192
SPECIAL = ("<s>", "</s>", "<unk>")
PASSAGE_WORDS, QUESTION_WORDS, QUESTIONS_EACH = 190, 12, 5


def _words() -> list[str]:
    """Return words of four letters, each one token of the vocabulary."""
    pairs = [a + b for a, b in itertools.product("bdfgklmnprstvz", "aeiou")]
    return [a + b for a, b in itertools.product(pairs, pairs)]


def _vocabulary() -> tuple[list[str], list[str], list[str]]:
    """Return tokens, merges and those words that are one token with the space before them."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    characters = [chr(c) for c in shown] + [chr(256 + i) for i in range(256 - len(shown))]
    pairs = [a + b for a, b in itertools.product("bdfgklmnprstvz", "aeiou")]
    tokens = [*SPECIAL, *characters, *pairs]
    merges = [f"{pair[0]} {pair[1]}" for pair in pairs]
    rest = (VOCABULARY - len(tokens)) // 2
    words = random.Random(0).sample(_words(), rest)
    for word in words:
        tokens += [word, "Ġ" + word]
        merges += [f"{word[:2]} {word[2:]}"]
    merges += [f"Ġ {word}" for word in words]
    tokens += [f"<unused{i}>" for i in range(VOCABULARY - len(tokens))]
    return tokens, merges, words


def write_random_model(path: Path, kind: str = "Q4_K_M") -> Path:
    """Write a llama of about 180 million parameters, quantized; nothing if it is there."""
    if path.exists():
        return path
    full = path.with_suffix(".f16")
    tokens, merges, _ = _vocabulary()
    writer = gguf.GGUFWriter(full, "llama")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL)
    writer.add_token_types(kinds + [gguf.TokenType.NORMAL] * (VOCABULARY - len(SPECIAL)))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(2)
    writer.add_add_bos_token(True)
    for name, values in _weights():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with Quantizer(full) as quantizer:
        quantizer.quantize(kind, path)
    full.unlink()
    return path


def _weights() -> Iterator[tuple[str, np.ndarray]]:
    generator = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> np.ndarray:
        values = generator.standard_normal((rows, columns), dtype=np.float32)
        return (values * columns**-0.5).astype(np.float16)

    ones, keys = np.ones(WIDTH, np.float32), WIDTH // HEADS * KV_HEADS
    yield "token_embd.weight", matrix(VOCABULARY, WIDTH)
    yield "output.weight", matrix(VOCABULARY, WIDTH)
    yield "output_norm.weight", ones
    for layer in range(LAYERS):
        yield f"blk.{layer}.attn_norm.weight", ones
        yield f"blk.{layer}.ffn_norm.weight", ones
        yield f"blk.{layer}.attn_q.weight", matrix(WIDTH, WIDTH)
        yield f"blk.{layer}.attn_k.weight", matrix(keys, WIDTH)
        yield f"blk.{layer}.attn_v.weight", matrix(keys, WIDTH)
        yield f"blk.{layer}.attn_output.weight", matrix(WIDTH, WIDTH)
        yield f"blk.{layer}.ffn_gate.weight", matrix(FEED_FORWARD, WIDTH)
        yield f"blk.{layer}.ffn_up.weight", matrix(FEED_FORWARD, WIDTH)
        yield f"blk.{layer}.ffn_down.weight", matrix(WIDTH, FEED_FORWARD)


def prompts(passages: int, seed: int = 0) -> list[tuple[str, str]]:
    """Return question ids and prompts, five of a passage one after the other."""
    _, _, words = _vocabulary()
    generator = random.Random(seed)
    made = []
    for passage in range(passages):
        text = " ".join(generator.choices(words, k=PASSAGE_WORDS))
        for question in range(QUESTIONS_EACH):
            asked = " ".join(generator.choices(words, k=QUESTION_WORDS))
            made.append((f"p{passage}-q{question}", f"{text} {asked} {string.ascii_lowercase[0]}"))
    return made
