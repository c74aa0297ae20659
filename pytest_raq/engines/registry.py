"""The one place that binds the name of an engine to its adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines.protocol import Engine

    Digest = Callable[[Path], str]


def open_engine(
    definition: ModelDefinition,
    python: Path | None = None,
    *,
    digest: Digest | None = None,
    is_verified: bool = False,
) -> Engine:
    """Load a model and return the engine that runs it.

    ``python`` is the interpreter or the folder of a virtual environment with
    another llama-cpp-python to run the model under; when None, that of the
    definition, or else this one. ``digest``
    returns the SHA-256 of a file; it is read when None. A model that
    ``is_verified`` to be reproducible is not tried again. ConfigError when the
    definition is wrong, EngineStartError when the model does not load or its
    server cannot be used.
    """
    adapter = _ADAPTERS[definition.engine]
    return adapter(definition, python, digest=digest, is_verified=is_verified)


def _open_llama_cpp(
    definition: ModelDefinition,
    python: Path | None,
    *,
    digest: Digest | None,
    is_verified: bool,
) -> Engine:
    from pytest_raq.engines.llamacpp import LlamaCppEngine
    from pytest_raq.engines.llamacpp.environment import find_environment
    from pytest_raq.engines.llamacpp.instruction_sets import require_instruction_set

    if other := python or definition.python_path:
        python = find_environment(other).python
    require_instruction_set(definition, python)
    return LlamaCppEngine(definition, python, digest, is_verified=is_verified)


def _open_openai(definition: ModelDefinition, _python: Path | None, **_known: object) -> Engine:
    from pytest_raq.engines.openai_compat import OpenAIEngine

    return OpenAIEngine(definition)


_ADAPTERS: Mapping[str, Callable[..., Engine]] = {
    "llama-cpp": _open_llama_cpp,
    "openai": _open_openai,
}
