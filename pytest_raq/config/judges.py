"""``[judge]`` of ``models/NAME.toml``: how a model judges."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pytest_raq.config.base import Settings

Price = Annotated[float, Field(ge=0)]


class JudgeSettings(Settings):
    """How a model is asked to rank answers, and how much that may cost in one run."""

    orders: Literal[1, 2] = 1
    """2 asks in the drawn order of the answers and in its reverse, and averages the ranks."""
    passage: bool = False
    """Whether the judge reads the passage beside the references."""
    max_answer_length: Annotated[int, Field(ge=40)] = 2000
    """Characters of an answer that the judge reads; cut at a word, with a mark."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How often a question is asked until the reply is a complete order."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 8
    """Questions in flight at once; sequences decoded together for a GGUF file."""
    max_calls: Annotated[int, Field(ge=1)] | None = None
    """Budget of a run: calls."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Budget of a run: tokens of prompts and replies."""
    max_cost: Annotated[float, Field(gt=0)] | None = None
    """Budget of a run: money, by the prices."""
    input_price: Price | None = None
    """What a million tokens of prompts cost."""
    output_price: Price | None = None
    """What a million tokens of replies cost."""
    currency: Annotated[str, Field(min_length=1, max_length=8)] = "USD"
    """In what the prices and max_cost are."""

    @model_validator(mode="after")
    def _require_prices(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("input_price and output_price go together: give both")
        if self.max_cost is not None and self.input_price is None:
            raise ValueError("max_cost needs input_price and output_price, per million tokens")
        return self
