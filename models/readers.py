"""What each reader is and how long it is trained."""

from __future__ import annotations

from dataclasses import dataclass

from network import Shape


@dataclass(frozen=True)
class Recipe:
    """One reader: its shape and its training, in steps."""

    shape: Shape
    seed: int
    steps: int
    copy_steps: int = 500
    one_entity_steps: int = 800
    mixed_steps: int = 500
    answers_only_from: int = 10_000
    rows: int = 12
    warm_up: int = 50
    decay_share: float = 0.3
    muon_rate: float = 3e-3
    adam_rate: float = 3e-3
    threads: int = 1
    early_step: int = 0


READERS = {
    "reader-llama": Recipe(
        Shape("llama", width=256, layers=4, heads=4, kv_heads=2, feed_forward=768),
        seed=1,
        steps=4000,
        decay_share=0.25,
        early_step=700,
        answers_only_from=2400,
    ),
    "reader-gemma": Recipe(
        Shape("gemma", width=256, layers=3, heads=4, kv_heads=1, feed_forward=768),
        seed=2,
        steps=2200,
        mixed_steps=900,
    ),
    "reader-mistral": Recipe(
        Shape("llama", width=256, layers=3, heads=8, kv_heads=4, feed_forward=512, window=256),
        seed=3,
        steps=3200,
        one_entity_steps=600,
        mixed_steps=1200,
        answers_only_from=1400,
    ),
}
