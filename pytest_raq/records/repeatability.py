"""Whether answers stay the same when nothing of a model changes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repeats:
    """Questions that were asked a second time, and how many answers were different then."""

    asked: int
    changed: int

    def __add__(self, other: Repeats) -> Repeats:
        """Return both together."""
        return Repeats(self.asked + other.asked, self.changed + other.changed)


@dataclass(frozen=True, slots=True)
class Repeatability:
    """What a run knows of how repeatable the answers of a model are.

    ``self_test`` is ``verified``, or what the self-test of a reproducible model
    found; empty if it was not asked for. ``same_bits`` is ``yes`` if the model
    computes the same bits as in the baseline, ``no, because …`` if not, and
    empty if neither of them is reproducible. ``again`` counts the questions
    that a server was asked twice, ``otherwise`` those that were also asked with
    the settings of the baseline.
    """

    self_test: str = ""
    same_bits: str = ""
    again: Repeats | None = None
    otherwise: Repeats | None = None
