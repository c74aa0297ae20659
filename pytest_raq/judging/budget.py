"""What judging costs, and when to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.judging.protocol import Spending

if TYPE_CHECKING:
    from pytest_raq.config import JudgeSettings
    from pytest_raq.judging.asking import Ask, Reply

_CHARACTERS_OF_A_TOKEN = 3
"""So few that what is not known yet is rather taken for too dear."""
_MILLION = 1_000_000


class Budget:
    """Counts what a run spends, in flight included, against the limits of the settings.

    What an ask will take is estimated from its length until the server has
    counted: so a limit is kept even where many are in flight.
    """

    def __init__(self, settings: JudgeSettings, path: object) -> None:
        self._settings, self._path = settings, path
        self._flying: dict[int, tuple[int, int]] = {}
        self._flying_prompt = self._flying_completion = 0
        self._calls = self._prompt = self._completion = 0

    @property
    def spending(self) -> Spending:
        """What was spent so far."""
        priced = self._settings.input_price is not None
        return Spending(
            calls=self._calls,
            prompt_tokens=self._prompt,
            completion_tokens=self._completion,
            cost=self.cost(self._prompt, self._completion),
            currency=self._settings.currency if priced else "",
        )

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
        """Return what tokens cost; 0 without prices."""
        settings = self._settings
        spent = prompt_tokens * (settings.input_price or 0.0)
        return (spent + completion_tokens * (settings.output_price or 0.0)) / _MILLION

    def refuse(self, ask: Ask) -> str:
        """Return why an ask would be too much; empty when it is not."""
        settings = self._settings
        prompt, completion = self._estimate(ask)
        prompt += self._prompt + self._flying_prompt
        completion += self._completion + self._flying_completion
        asked = {
            "max_calls": (settings.max_calls, self._calls + 1),
            "max_tokens": (settings.max_tokens, prompt + completion),
            "max_cost": (settings.max_cost, self.cost(prompt, completion)),
        }
        for name, (limit, amount) in asked.items():
            if limit is not None and amount > limit:
                return (
                    f"budget spent: {name} = {limit} in {self._path}; what was judged is kept,"
                    " and the next run goes on from there"
                )
        return ""

    def _estimate(self, ask: Ask) -> tuple[int, int]:
        return len(ask.prompt) // _CHARACTERS_OF_A_TOKEN + 1, ask.max_tokens

    def start(self, ticket: int, ask: Ask) -> None:
        """Count an ask that is sent."""
        self._calls += 1
        self._flying[ticket] = prompt, completion = self._estimate(ask)
        self._flying_prompt += prompt
        self._flying_completion += completion

    def settle(self, ticket: int, reply: Reply) -> dict[str, float]:
        """Count what an ask took; return that with its cost.

        Where the server counted nothing, what was estimated stands.
        """
        usage, estimate = reply.usage, self._flying.pop(ticket)
        self._flying_prompt -= estimate[0]
        self._flying_completion -= estimate[1]
        if not usage and not reply.problem:
            usage = dict(zip(("prompt_tokens", "completion_tokens"), estimate, strict=True))
        prompt = int(usage.get("prompt_tokens", 0))
        completion = int(usage.get("completion_tokens", 0))
        self._prompt += prompt
        self._completion += completion
        if self._settings.input_price is None:
            return dict(usage)
        return {**usage, "cost": self.cost(prompt, completion)}

    def forget(self) -> None:
        """Count nothing in flight any more."""
        self._flying.clear()
        self._flying_prompt = self._flying_completion = 0
