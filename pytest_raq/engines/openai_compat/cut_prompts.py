"""Servers that cut long prompts without a word show it in their token counts."""

from __future__ import annotations

FEWEST_TOKENS = 256
"""A shorter prompt is not cut by any context that is in use."""

FEWEST_PROMPTS = 3
"""Prompts with the same number of tokens that show a ceiling."""

UNLIKE = 1.3
"""Ratio of lengths that no two texts with equally many tokens have."""


class CutPrompts:
    """Finds the ceiling of a server's prompts: the same token count for texts of unlike length."""

    def __init__(self) -> None:
        self._lengths: dict[int, list[int]] = {}

    def is_cut(self, characters: int, tokens: int) -> bool:
        """Return whether a prompt of so many characters was cut to so many tokens.

        The first prompts of a server can show no ceiling yet. A count that
        another prompt exceeds is none.
        """
        if tokens < FEWEST_TOKENS:
            return False
        lengths = self._lengths.setdefault(tokens, [])
        lengths.append(characters)
        if tokens < max(self._lengths) or len(lengths) < FEWEST_PROMPTS:
            return False
        return max(lengths) >= UNLIKE * min(lengths) and characters > min(lengths)
