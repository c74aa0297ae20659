"""What makes llama.cpp compute the same bits in every batch, and what is said of it.

The worker turns off what depends on the number of columns: rearranged weights,
flash attention, cells that sequences share. Tiled products know only an
environment variable. docs/reproducible.md says what each of them changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

VARIABLES: Mapping[str, str] = {"GGML_CPU_TILED_MM": "0"}
"""What a worker finds in its environment."""

VERIFIED = "verified"

_STEPS: Mapping[str, str] = {
    "among others": "computed among other sequences",
    "cut": "evaluated in pieces",
    "copied": "copied to another sequence",
}


def outcome(broken: Sequence[str]) -> str:
    """Return what provenance says: ``verified``, or where bits changed."""
    return f"not verified: {', '.join(broken)}" if broken else VERIFIED


def notes(broken: Sequence[str], *, wanted: int, parallel: int) -> Iterable[str]:
    """Yield what a reader should know of a model that was asked to be reproducible."""
    if broken:
        steps = " and ".join(_STEPS.get(step, step) for step in broken)
        yield (
            f"not reproducible: the self-test found other bits for a prompt {steps}; answers may"
            " depend on parallel, on threads and on the questions beside them, so they are not"
            " stored: try another llama-cpp-python"
        )
    if parallel < wanted:
        yield (
            f"memory has room for {parallel} of {wanted} sequences: the answers are the same, only"
            " slower; a smaller context_length makes room for more"
        )
