"""Where the answers of a run came from: the store, or an engine of this run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(slots=True)
class Origins:
    """The questions of one model whose answers were recalled from the store, or generated.

    In a run of several processes an answer may be both: one generated it, and another found it
    in the store afterwards. Such an answer is new.
    """

    recalled: set[str] = field(default_factory=set)
    generated: set[str] = field(default_factory=set)

    @property
    def stored(self) -> set[str]:
        """The questions whose answers an earlier run gave."""
        return self.recalled - self.generated

    def export(self) -> dict[str, list[str]]:
        """Return both for another process."""
        return {"recalled": sorted(self.recalled), "generated": sorted(self.generated)}

    def absorb(self, table: Mapping[str, Iterable[str]]) -> None:
        """Take over what another process exported."""
        self.recalled.update(table.get("recalled", ()))
        self.generated.update(table.get("generated", ()))
