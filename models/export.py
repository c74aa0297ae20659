"""Write a trained reader as a GGUF file that llama.cpp runs.

Tensor and key names are those of llama.cpp's architectures ``llama`` and
``gemma``; norm weights and embeddings are written as they are trained, since
llama.cpp applies Gemma's embedding scale itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import gguf
import numpy as np
import torch
from network import NORM_EPSILON, ROPE_BASE, Shape
from tokenizer import BOS, EOS, PATH, SPECIAL, UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = 1024

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\\nAnswer:' }}{% endif %}"
)
"""Renders ``{passage}\\nQuestion: {question}`` to the plain prompt of the readers."""


def export(state: Path, shape: Shape, name: str, path: Path) -> None:
    """Write the weights of a checkpoint as F16."""
    weights = torch.load(state, map_location="cpu")
    writer = gguf.GGUFWriter(path, shape.architecture)
    _add_shape(writer, shape, name)
    _add_tokenizer(writer)
    for key, tensor in weights.items():
        values = tensor.float().numpy()
        # Vectors stay at 32 bits, as in every GGUF file.
        writer.add_tensor(key, values if values.ndim == 1 else values.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: gguf.GGUFWriter, shape: Shape, name: str) -> None:
    writer.add_name(name)
    writer.add_license("MIT")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_size)
    writer.add_value_length(shape.head_size)
    writer.add_rope_dimension_count(shape.head_size)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(NORM_EPSILON)


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    model = json.loads(PATH.read_text(encoding="utf-8"))["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    types = [
        gguf.TokenType.CONTROL if index < len(SPECIAL) else gguf.TokenType.NORMAL
        for index in range(len(tokens))
    ]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_add_bos_token(True)
    writer.add_chat_template(CHAT_TEMPLATE)
