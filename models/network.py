"""The three families as one small decoder-only transformer.

What differs is what llama.cpp's architectures ``gemma`` and ``llama`` differ
in: activation, embedding scale, the layout of rotary positions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

ROPE_BASE = 10000.0
NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class Shape:
    """The dimensions of a network; ``window`` is the attention span in training."""

    architecture: str
    width: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    window: int | None = None

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


def rotate(x: Tensor, cos: Tensor, sin: Tensor, *, interleaved: bool) -> Tensor:
    """Rotary positions: neighbours in pairs for ``llama``, halves in pairs for ``gemma``."""
    if interleaved:
        first, second = x[..., 0::2], x[..., 1::2]
        turned = (first * cos - second * sin, first * sin + second * cos)
        return torch.stack(turned, -1).flatten(-2)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), -1)


class Norm(nn.Module):
    """RMSNorm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        return F.rms_norm(x, (x.shape[-1],), self.weight, NORM_EPSILON)


class Block(nn.Module):
    """Grouped-query attention, then a gated feed-forward network."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width, kv_width = shape.width, shape.kv_heads * shape.head_size
        self.attn_norm, self.ffn_norm = Norm(width), Norm(width)
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, kv_width, bias=False)
        self.attn_v = nn.Linear(width, kv_width, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_gate = nn.Linear(width, shape.feed_forward, bias=False)
        self.ffn_up = nn.Linear(width, shape.feed_forward, bias=False)
        self.ffn_down = nn.Linear(shape.feed_forward, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None) -> Tensor:
        """Map (rows, tokens, width) to the same."""
        x = x + self._attend(self.attn_norm(x), cos, sin, mask)
        h = self.ffn_norm(x)
        gate = self.ffn_gate(h)
        gemma = self.shape.architecture == "gemma"
        gate = F.gelu(gate, approximate="tanh") if gemma else F.silu(gate)
        return x + self.ffn_down(gate * self.ffn_up(h))

    def _attend(self, h: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None) -> Tensor:
        rows, tokens, width = h.shape
        shape, interleaved = self.shape, self.shape.architecture == "llama"
        q = self.attn_q(h).view(rows, tokens, shape.heads, -1).transpose(1, 2)
        k = self.attn_k(h).view(rows, tokens, shape.kv_heads, -1).transpose(1, 2)
        v = self.attn_v(h).view(rows, tokens, shape.kv_heads, -1).transpose(1, 2)
        q = rotate(q, cos, sin, interleaved=interleaved)
        k = rotate(k, cos, sin, interleaved=interleaved)
        repeats = shape.heads // shape.kv_heads
        k, v = k.repeat_interleave(repeats, 1), v.repeat_interleave(repeats, 1)
        out = F.scaled_dot_product_attention(
            q.to(v.dtype), k.to(v.dtype), v, attn_mask=mask, is_causal=mask is None
        )
        return self.attn_output(out.transpose(1, 2).reshape(rows, tokens, width))


class Reader(nn.Module):
    """Token ids (rows, tokens) to logits (rows, tokens, vocabulary); tied embeddings."""

    def __init__(self, shape: Shape, vocabulary: int) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape.width)
        self.scale = math.sqrt(shape.width) if shape.architecture == "gemma" else 1.0
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the logits of each next token."""
        tokens, half = ids.shape[1], self.shape.head_size // 2
        steps = torch.arange(tokens)[:, None]
        angles = steps * ROPE_BASE ** (-torch.arange(half) / half)
        cos, sin = angles.cos(), angles.sin()
        mask = self._window_mask(tokens)
        x = self.token_embd(ids) * self.scale
        for block in self.blk:
            x = block(x, cos, sin, mask)
        return F.linear(self.output_norm(x), self.token_embd.weight)

    def _window_mask(self, tokens: int) -> Tensor | None:
        window = self.shape.window
        if window is None or tokens <= window:
            return None
        distance = torch.arange(tokens)[:, None] - torch.arange(tokens)[None, :]
        return (distance >= 0) & (distance < window)
