"""Whether llama.cpp runs here: what it was compiled for, and one model of each quantization."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.config import ModelDefinition
from pytest_raq.doctor.patient import finding, split_step
from pytest_raq.doctor.tiny_model import PROMPT, write_tiny_model
from pytest_raq.engines.llamacpp import LlamaCppEngine
from pytest_raq.engines.llamacpp.environment import find_environment
from pytest_raq.engines.llamacpp.instruction_sets import (
    describe_features,
    library_build,
    missing_features,
    reinstall_command,
)
from pytest_raq.engines.llamacpp.quantizer import Quantizer
from pytest_raq.errors import RaqError
from pytest_raq.records import Answer, Prompt
from pytest_raq.records.doctor import Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.doctor.patient import Patient
    from pytest_raq.engines.llamacpp.instruction_sets import LibraryBuild
    from pytest_raq.records.doctor import Finding

_SECTION = "llama.cpp"
_KINDS = ("F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "IQ4_XS")
"""A kind of each family of kernels."""
_QUESTIONS, _TOKENS, _CONTEXT = 4, 32, 512
_SILENCE = 30.0
"""Seconds after which a model of 3 MB will not answer any more."""


def look_at_engine(patient: Patient) -> Iterator[Finding]:
    """Yield what llama.cpp was compiled for, and whether each kind of quantization answers."""
    try:
        python = find_environment(patient.python).python if patient.python else None
    except RaqError as exc:
        yield finding(_SECTION, "python", Health.FAILURE, *split_step(str(exc)))
        return
    build = library_build(python)
    if build.problem == "llama-cpp-python is not installed":
        needed = any(m.engine == "llama-cpp" and m.name in patient.needed for m in _models(patient))
        health = Health.FAILURE if needed else Health.WARNING
        step = "pip install 'pytest-raq[llama]'"
        yield finding(_SECTION, "llama-cpp-python", health, "not installed", step)
        return
    yield from _build(build)
    yield from _kinds(python)


def _models(patient: Patient) -> Iterator[ModelDefinition]:
    return patient.readable_models


def _build(build: LibraryBuild) -> Iterator[Finding]:
    where = f"{build.version or 'of unknown version'}, of {build.python}"
    yield finding(_SECTION, "llama-cpp-python", Health.OK, where)
    if build.problem:
        step = reinstall_command(build)
        yield finding(_SECTION, "compiled for", Health.FAILURE, build.problem, step)
        return
    told = describe_features(build.features)
    if build.variants:
        told = f"{len(build.variants)} kinds of processor, chosen when it starts"
    missing = missing_features(build)
    if missing and not build.variants:
        told += f"; this processor has no {', '.join(missing)}"
        yield finding(_SECTION, "compiled for", Health.FAILURE, told, reinstall_command(build))
    else:
        yield finding(_SECTION, "compiled for", Health.OK, told)


def _kinds(python: Path | None) -> Iterator[Finding]:
    """Make a model of each kind with llama.cpp's own quantizer, and let it answer."""
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="raq-doctor-") as folder:
        source = Path(folder) / "tiny.gguf"
        write_tiny_model(source)
        yield from _answer("F32", source, python, notes)
        try:
            with Quantizer(source, python) as quantizer:
                for kind in _KINDS:
                    if kind in quantizer.source.types:
                        path = Path(folder) / f"{kind}.gguf"
                        yield from _quantized(quantizer, kind, path, python, notes)
        except RaqError as exc:
            yield _failure("quantizer", exc)
    if notes:
        text, step = split_step(notes[0])
        yield finding(_SECTION, "extra buffer types", Health.WARNING, text, step)


def _quantized(
    quantizer: Quantizer, kind: str, path: Path, python: Path | None, notes: list[str]
) -> Iterator[Finding]:
    try:
        quantizer.quantize(kind, path)
    except RaqError as exc:
        yield _failure(kind, exc)
    else:
        yield from _answer(kind, path, python, notes)


def _answer(kind: str, path: Path, python: Path | None, notes: list[str]) -> Iterator[Finding]:
    """Yield whether a file answers; what its engine has to say goes to ``notes``."""
    definition = ModelDefinition(
        name=kind,
        path=path.with_suffix(".toml"),
        file=path.name,
        prompt="{question}",
        context_length=_CONTEXT,
        max_tokens=_TOKENS,
        parallel=_QUESTIONS,
        timeout=_SILENCE,
    )
    prompts = [Prompt(str(number), f"{PROMPT}{number}") for number in range(_QUESTIONS)]
    try:
        with LlamaCppEngine(definition, python) as engine:
            started = time.perf_counter()
            outcomes = list(engine.answers(prompts))
            seconds = time.perf_counter() - started
            info = engine.info
    except RaqError as exc:
        yield _failure(kind, exc)
        return
    if kind == "F32":
        yield finding(_SECTION, "build", Health.OK, info.build)
    failed = [outcome for outcome in outcomes if not isinstance(outcome, Answer)]
    if failed:
        yield finding(_SECTION, kind, Health.FAILURE, *split_step(failed[0].reason))
        return
    tokens = sum(item.timing.generated_tokens for item in outcomes if isinstance(item, Answer))
    told = f"answers: {tokens} tokens in {seconds:.2f} s"
    if info.note:
        notes.append(info.note)
        yield finding(_SECTION, kind, Health.WARNING, f"{told}, with extra buffer types off")
    else:
        yield finding(_SECTION, kind, Health.OK, told)


def _failure(kind: str, exc: RaqError) -> Finding:
    return finding(_SECTION, kind, Health.FAILURE, *split_step(str(exc)))
