"""What llama.cpp was compiled for, against what this processor offers.

The names are llama.cpp's own: AVX2, AVX512_VNNI, AMX_INT8, DOTPROD, …
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.engines.llamacpp.engine_build import LEVELS, cmake_arguments, processor_flags
from pytest_raq.engines.llamacpp.variables import foreign_variables, worker_variables
from pytest_raq.engines.llamacpp.worker_process import signal_name
from pytest_raq.errors import ConfigError
from pytest_raq.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.config import ModelDefinition

_PROBE = Path(__file__).with_name("library_probe.py")
_SECONDS = 60

_FLAGS: Mapping[str, tuple[str, ...]] = {
    "SSE3": ("pni",),
    "SSSE3": ("ssse3",),
    "AVX": ("avx",),
    "AVX_VNNI": ("avx_vnni",),
    "AVX2": ("avx2",),
    "F16C": ("f16c",),
    "FMA": ("fma",),
    "BMI2": ("bmi2",),
    "AVX512": ("avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw"),
    "AVX512_VBMI": ("avx512vbmi",),
    "AVX512_VNNI": ("avx512_vnni",),
    "AVX512_BF16": ("avx512_bf16",),
    "AMX_INT8": ("amx_tile", "amx_int8"),
    "NEON": ("asimd",),
    "ARM_FMA": ("asimd",),
    "FP16_VA": ("fphp", "asimdhp"),
    "DOTPROD": ("asimddp",),
    "MATMUL_INT8": ("i8mm",),
    "SVE": ("sve",),
    "SME": ("sme",),
}
"""Feature → the flags of Linux's /proc/cpuinfo that it takes."""

_SYSCTL: Mapping[str, str] = {
    "NEON": "hw.optional.AdvSIMD",
    "ARM_FMA": "hw.optional.AdvSIMD",
    "FP16_VA": "hw.optional.arm.FEAT_FP16",
    "DOTPROD": "hw.optional.arm.FEAT_DotProd",
    "MATMUL_INT8": "hw.optional.arm.FEAT_I8MM",
    "SME": "hw.optional.arm.FEAT_SME",
    "AVX": "hw.optional.avx1_0",
    "AVX2": "hw.optional.avx2_0",
    "FMA": "hw.optional.fma",
    "F16C": "hw.optional.f16c",
    "BMI2": "hw.optional.bmi2",
    "SSE3": "hw.optional.sse3",
    "SSSE3": "hw.optional.supplementalsse3",
    "AVX512": "hw.optional.avx512f",
}
"""Feature → the variable of macOS that is 1 where the processor has it."""


_ROUNDING = (
    *("AVX", "AVX2", "F16C", "FMA", "AVX512", "AVX512_BF16"),
    *("NEON", "ARM_FMA", "FP16_VA", "DOTPROD", "MATMUL_INT8", "SVE", "SME"),
)
"""Features with which sums are rounded otherwise; the others move data or add whole numbers."""
_WITHIN: Mapping[str, str] = {"AVX": "AVX2", "AVX2": "AVX512"}
"""Feature → the one that makes it no news."""

_NO_VECTORS = "no vector instructions"
_ARITHMETIC: Mapping[str, str] = {
    "sse42": _NO_VECTORS,
    "avx2": "AVX2 F16C FMA",
    "avx512": "F16C FMA AVX512",
    "avx512_bf16": "F16C FMA AVX512 AVX512_BF16",
    "neon": "NEON ARM_FMA",
    "dotprod": "NEON ARM_FMA DOTPROD",
}
"""What a definition can ask for → what `arithmetic_of` says of a build for it."""


@dataclass(frozen=True, slots=True)
class LibraryBuild:
    """What a llama-cpp-python was compiled for.

    ``features`` are those of its one ggml-cpu library, or, where it has several
    ``variants`` (file names) of which llama.cpp takes the best that runs, those
    of the simplest. ``problem`` says why nothing is known.
    """

    python: str
    version: str = ""
    features: frozenset[str] = frozenset()
    variants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    problem: str = ""


def processor_features() -> frozenset[str]:
    """Return what this processor offers; empty where the system does not say."""
    flags = processor_flags()
    if not flags and platform.system() == "Darwin":
        return _darwin_features()
    return frozenset(name for name, needed in _FLAGS.items() if flags.issuperset(needed))


def _darwin_features() -> frozenset[str]:
    found = set()
    for feature, variable in _SYSCTL.items():
        try:
            said = subprocess.run(  # noqa: S603 - a program of the system
                ["/usr/sbin/sysctl", "-n", variable], capture_output=True, timeout=5, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return frozenset()
        if said.stdout.strip() == b"1":
            found.add(feature)
    return frozenset(found)


@cache
def library_build(python: Path | None = None) -> LibraryBuild:
    """Return what the llama-cpp-python of an interpreter was compiled for; of this one when None.

    Never raises: what goes wrong is the ``problem``.
    """
    interpreter = str(python or sys.executable)
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that the user named
            [interpreter, str(_PROBE)],
            capture_output=True,
            env=foreign_variables() if python else worker_variables(),
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return LibraryBuild(interpreter, problem=one_line(str(exc)))
    if done.returncode < 0:
        end = signal_name(-done.returncode)
        return LibraryBuild(interpreter, problem=f"its libraries end a process with {end}")
    try:
        return _read(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError, AttributeError):
        lines = done.stderr.decode("utf-8", "replace").splitlines() or [""]
        return LibraryBuild(interpreter, problem=one_line(lines[-1]) or "it prints no JSON")


def _read(told: Mapping[str, object]) -> LibraryBuild:
    libraries = told["libraries"]
    assert isinstance(libraries, dict)
    variants = {str(name): frozenset(map(str, found)) for name, found in libraries.items()}
    simplest = min(variants.values(), key=len, default=frozenset[str]())
    return LibraryBuild(
        python=str(told["python"]),
        version=str(told["version"]),
        features=simplest,
        variants=variants if len(variants) > 1 else {},
        problem=str(told["problem"]),
    )


@cache
def arithmetic_of(python: Path | None = None) -> str:
    """Return the instruction set that decides the bits of what an interpreter's llama.cpp computes.

    For example ``AVX2 F16C FMA``; empty where what it was compiled for is unknown.
    """
    build = library_build(None if str(python) == sys.executable else python)
    offered = processor_features()
    runnable = [found for found in build.variants.values() if not offered or found <= offered]
    used = max(runnable, key=len, default=build.features)
    names = [name for name in _ROUNDING if name in used and _WITHIN.get(name) not in used]
    return " ".join(names) or ("" if build.problem else _NO_VECTORS)


def require_instruction_set(definition: ModelDefinition, python: Path | None = None) -> None:
    """Raise ConfigError if a model asks for another instruction set than llama.cpp was built for.

    ``python`` is the interpreter that runs the model; this one if None.
    """
    wanted = definition.instruction_set
    if wanted is None or arithmetic_of(python) == _ARITHMETIC[wanted]:
        return
    build = library_build(None if str(python) == sys.executable else python)
    found = arithmetic_of(python)
    told = f"llama.cpp of {build.python} computes with {found}" if found else explain_build(build)
    raise ConfigError(
        f'{definition.path}: instruction_set = "{wanted}" is asked for, but {told}: compile it'
        f" with {reinstall_command(build, LEVELS[wanted])}, or name an environment that has such"
        " a build with python ="
    )


def missing_features(build: LibraryBuild) -> tuple[str, ...]:
    """Return what the library was compiled for and this processor does not have, in order."""
    offered = processor_features()
    if not offered:
        return ()
    return tuple(name for name in _FLAGS if name in build.features - offered)


def describe_features(features: frozenset[str]) -> str:
    """Return features in the order in which they came to processors."""
    return " ".join(name for name in _FLAGS if name in features) or "nothing special"


def explain_build(build: LibraryBuild) -> str:
    """Return, as part of a sentence, what was compiled for what, and how to reinstall it."""
    if build.problem:
        return f"what llama.cpp was compiled for is unknown ({build.problem})"
    compiled = f"llama.cpp was compiled for {describe_features(build.features)}"
    if missing := missing_features(build):
        return f"{compiled}; this processor has no {', '.join(missing)}"
    if not processor_features():
        return compiled
    return f"{compiled}; this processor has all of that"


def reinstall_command(build: LibraryBuild, arguments: Sequence[str] = ()) -> str:
    """Return the command that compiles llama-cpp-python again, for all processors of this kind.

    Or with other ``arguments`` of CMake.
    """
    pin = f"=={build.version}" if build.version else ""
    return (
        f'CMAKE_ARGS="{" ".join(arguments or cmake_arguments())}" {build.python} -m pip install'
        f" --force-reinstall --no-deps --no-cache-dir llama-cpp-python{pin}"
    )
