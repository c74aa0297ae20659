"""How llama.cpp is compiled so that it also runs on the next machine.

pip compiles llama-cpp-python for the processor at hand, with every instruction set
that it has, and keeps the result: on another machine that shares the cache, the
first kernel may be an illegal instruction. So it is compiled here for a *level*
that all processors of a kind have, and kept in a cache of its own for that level.

Also a script that needs nothing but the standard library::

    python engine_build.py PYTHON [--constraints FILE] [--native]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_CPUINFO = Path("/proc/cpuinfo")
_PACKAGE = "llama-cpp-python"
EXTRA = "'pytest-raq[llama]'"
"""What brings llama.cpp along, as one types it."""
_V3 = frozenset({"avx", "avx2", "bmi2", "f16c", "fma"})
_OLD = ("AVX", "AVX2", "BMI2", "F16C", "FMA")

LEVELS: Mapping[str, tuple[str, ...]] = {
    "avx2": ("-DGGML_NATIVE=OFF",),
    "sse42": ("-DGGML_NATIVE=OFF", *(f"-DGGML_{name}=OFF" for name in _OLD)),
    "avx512": ("-DGGML_NATIVE=OFF", "-DGGML_AVX512=ON"),
    "avx512_bf16": ("-DGGML_NATIVE=OFF", "-DGGML_AVX512=ON", "-DGGML_AVX512_BF16=ON"),
    "dotprod": ("-DGGML_NATIVE=OFF", "-DGGML_CPU_ARM_ARCH=armv8.2-a+dotprod"),
    "neon": ("-DGGML_NATIVE=OFF", "-DGGML_CPU_ARM_ARCH=armv8-a"),
    "generic": ("-DGGML_NATIVE=OFF",),
}
"""Level → arguments of CMake.

``avx2``: Intel Core and Xeon since 2013, AMD since 2015. ``sse42``: other x86-64
processors since 2009, among them Pentium, Celeron and Atom of the last ten years
that have no AVX2. ``dotprod``: 64-bit Arm since 2018 (Graviton 2, Apple M1,
Raspberry Pi 5). ``generic``: any other. ``avx512``, ``avx512_bf16`` and ``neon``
(64-bit Arm without dot products) are never chosen, but a definition can ask for them.
"""

_TRAVELS: Mapping[str, str] = {
    "avx2": "every x86-64 processor with AVX2",
    "sse42": "every x86-64 processor with SSE 4.2",
    "dotprod": "every 64-bit Arm processor with dot products",
    "generic": "every processor of this architecture",
}

NATIVE = ("-DGGML_NATIVE=ON",)


def processor_flags() -> frozenset[str]:
    """Return the flags of the processor as Linux names them; empty where it does not."""
    try:
        text = _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return frozenset(value.split())
    return frozenset()


def level(machine: str, flags: frozenset[str]) -> str:
    """Return the level of a processor by its architecture and flags.

    Where the flags are unknown (macOS) it is that of all machines of its kind
    that are sold today.
    """
    if machine.lower() in {"x86_64", "amd64"}:
        return "avx2" if not flags or flags >= _V3 else "sse42"
    if machine.lower() in {"aarch64", "arm64"} and "asimddp" in flags:
        return "dotprod"
    return "generic"


def cmake_arguments(*, native: bool = False) -> tuple[str, ...]:
    """Return the arguments of CMake for this processor's level, or for this processor alone."""
    return NATIVE if native else LEVELS[level(platform.machine(), processor_flags())]


def pip_install(*what: str, pip: str = "pip") -> str:
    """Return the command that installs what llama.cpp comes with, compiled for others too.

    pip takes a wheel from its cache whatever it was compiled for, so it must not look there.
    """
    arguments = " ".join(cmake_arguments())
    return f'CMAKE_ARGS="{arguments}" {pip} install --no-cache-dir {" ".join(what)}'


def cache_folder(arguments: tuple[str, ...], *, native: bool) -> Path:
    """Return where what is compiled so is kept: apart by all that it depends on.

    A wheel fits every machine of its level with the same C library; a native
    one the processors with the same flags.
    """
    names = ("CC", "CXX", "CFLAGS", "CXXFLAGS")
    variables = [f"{name}={os.environ.get(name, '')}" for name in names]
    parts = [*arguments, *variables, *platform.libc_ver(), platform.machine(), platform.system()]
    flags = sorted(processor_flags()) if native else []
    digest = hashlib.sha256("\0".join([*parts, *flags]).encode()).hexdigest()[:12]
    name = "native" if native else level(platform.machine(), processor_flags())
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "pytest-raq" / "engines" / f"{name}-{digest}"


def install(python: str, constraints: str | None, *, native: bool) -> int:
    """Install llama-cpp-python into an environment, compiled or from the cache; pip's exit code."""
    # Ours come last and so prevail: whoever exported CMAKE_ARGS for pip may still ask for native.
    arguments = (*shlex.split(os.environ.get("CMAKE_ARGS", "")), *cmake_arguments(native=native))
    command = [
        *(python, "-m", "pip", "install", "--quiet"),
        *("--force-reinstall", "--no-deps", "--no-binary", _PACKAGE),
        *("--cache-dir", str(cache_folder(arguments, native=native))),
        *(("--constraint", constraints) if constraints else ()),
        _PACKAGE,
    ]
    environment = {**os.environ, "CMAKE_ARGS": shlex.join(arguments)}
    told = f"llama.cpp for {_describe(native=native)} ({shlex.join(arguments)});"
    sys.stdout.write(f"{told} the first time it is compiled, which takes minutes\n")
    sys.stdout.flush()
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603


def _describe(*, native: bool) -> str:
    kind = level(platform.machine(), processor_flags())
    return "this processor alone" if native else _TRAVELS[kind]


def main() -> int:
    """Install as the arguments say."""
    parser = argparse.ArgumentParser(description="Compile and install llama-cpp-python.")
    parser.add_argument("python", help="the python of the environment to install into")
    parser.add_argument("--constraints", help="a constraints file of pip")
    parser.add_argument("--native", action="store_true", help="for this processor alone")
    options = parser.parse_args()
    return install(options.python, options.constraints, native=options.native)


if __name__ == "__main__":
    sys.exit(main())
