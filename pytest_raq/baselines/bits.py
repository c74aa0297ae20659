"""Whether a model computes the same bits as when its baseline was accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.engines.llamacpp.reproducible import VERIFIED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records import ModelProvenance

_SPELLED = {"AVX512": "AVX-512", "AVX512_BF16": "AVX-512 BF16", "": "nothing more"}
"""Feature as llama.cpp names it → as people write it."""


def same_bits(before: ModelProvenance, now: ModelProvenance) -> str:
    """Return ``yes``, or ``no, because`` and the first reason why not.

    Empty if neither side is reproducible, or if an engine was not loaded and so
    nothing is known of it.
    """
    if not (before.template_sha256 and now.template_sha256):
        return ""
    if not (before.reproducible or now.reproducible):
        return ""
    why = next(_reasons(before, now), "")
    return f"no, because {why}" if why else "yes"


def _reasons(before: ModelProvenance, now: ModelProvenance) -> Iterator[str]:
    if not before.reproducible:
        yield "the baseline was accepted without reproducible = true"
    if not now.reproducible:
        yield "only the baseline is reproducible"
    if before.reproducible != VERIFIED:
        yield "the self-test of the baseline failed"
    if now.reproducible != VERIFIED:
        yield "the self-test failed"
    if before.file_sha256 != now.file_sha256:
        yield "the file is another one"
    if before.instruction_set != now.instruction_set:
        yield _against(now.instruction_set, before.instruction_set)
    if _version(before) != _version(now):
        yield f"llama.cpp is another one ({_version(now)} against {_version(before)})"
    if before.template_sha256 != now.template_sha256:
        yield "the chat template is another one"
    options = [
        name
        for name in sorted(before.options.keys() | now.options.keys())
        if before.options.get(name) != now.options.get(name)
    ]
    if options:
        yield f"other options: {', '.join(options)}"


def _against(now: str, before: str) -> str:
    """Return what one instruction set has and the other does not, e.g. AVX-512 against AVX2."""
    today, then = now.split(), before.split()
    more = " ".join(_spelled(name) for name in today if name not in then)
    less = " ".join(_spelled(name) for name in then if name not in today)
    return f"{more or _SPELLED['']} against {less or _SPELLED['']}"


def _spelled(name: str) -> str:
    return _SPELLED.get(name, name)


def _version(model: ModelProvenance) -> str:
    """Return the version of a build without the instructions that it uses."""
    version, _, inner = model.build.partition(" (")
    llama = inner.partition(";")[0]
    return f"{version} ({llama})" if llama.startswith("llama.cpp") else version
