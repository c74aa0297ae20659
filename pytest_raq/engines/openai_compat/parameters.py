"""What servers differ in: parameters that some of them do not take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.engines.openai_compat.problems import Problem


class Parameters:
    """Writes requests in the way that a server takes them, learnt from what it refuses.

    Only what changes nothing is given up: the newer name of the token limit,
    the seed of a greedy reply, the wish for token counts in a stream.
    """

    def __init__(self, *, greedy: bool) -> None:
        self._greedy = greedy
        self._left_out: set[str] = set()
        self._renamed: dict[str, str] = {}

    def write(self, body: Mapping[str, object]) -> dict[str, object]:
        """Return the body as this server takes it."""
        return {
            self._renamed.get(name, name): value
            for name, value in body.items()
            if name not in self._left_out
        }

    def learn(self, problem: Problem, sent: Mapping[str, object]) -> bool:
        """Whether a request that was refused should be written anew and sent again."""
        if "max_tokens" in sent and problem.refuses("max_completion_tokens"):
            self._renamed["max_tokens"] = "max_completion_tokens"
            return True
        for name in ("stream_options", "seed"):
            may_go = name != "seed" or self._greedy
            if name in sent and may_go and problem.refuses(name):
                self._left_out.add(name)
                return True
        return False
