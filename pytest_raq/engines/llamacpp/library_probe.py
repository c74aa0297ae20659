"""What llama.cpp's processor libraries were compiled for, asked without running a kernel.

Run as a script under the Python that has llama_cpp, in a process of its own:
a library that this processor cannot run may kill it. Only the standard library
is needed; llama_cpp itself is not imported, because its import starts llama.cpp.

Prints one JSON object: ``version`` of llama-cpp-python, ``python``, ``libraries``
with the features of each ggml-cpu library by its file name, and ``problem``.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

FEATURES = (
    *("SSE3", "SSSE3", "AVX", "AVX_VNNI", "AVX2", "F16C", "FMA", "BMI2"),
    *("AVX512", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16", "AMX_INT8"),
    *("NEON", "ARM_FMA", "FP16_VA", "DOTPROD", "MATMUL_INT8", "SVE", "SME"),
)
"""As ggml-cpu.h and llama.cpp's own system information spell them."""

_LIBRARIES = ("libggml-cpu*.so", "libggml-cpu*.dylib", "ggml-cpu*.dll")


def library_folder() -> Path | None:
    """Return where llama-cpp-python loads its libraries from; None where it is not installed."""
    override = os.environ.get("LLAMA_CPP_LIB_PATH")
    if override is not None:
        return Path(override)
    spec = find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "lib"


def compiled_for(library: Path) -> list[str]:
    """Return what a library was compiled to use; OSError when it cannot be loaded.

    ``ggml_cpu_has_*`` are constants of the compiler: to call them needs no
    instruction set.
    """
    loaded = ctypes.CDLL(str(library))
    found = []
    for feature in FEATURES:
        has = getattr(loaded, f"ggml_cpu_has_{feature.lower()}", None)
        if has is not None and has():
            found.append(feature)
    return found


def read_version(folder: Path) -> str:
    """Return the version that the package beside the libraries states; empty when it does not."""
    try:
        text = (folder.parent / "__init__.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    return found[1] if found else ""


def probe() -> dict[str, object]:
    """Return the object that is printed."""
    told: dict[str, object] = {"python": sys.executable, "version": "", "libraries": {}}
    folder = library_folder()
    if folder is None:
        return {**told, "problem": "llama-cpp-python is not installed"}
    told["version"] = read_version(folder)
    libraries: dict[str, list[str]] = {}
    problem = ""
    found = sorted({path for pattern in _LIBRARIES for path in folder.glob(pattern)})
    for path in found:
        try:
            libraries[path.name] = compiled_for(path)
        except OSError as exc:
            problem = f"{path.name} cannot be loaded: {exc}"
    if not found:
        problem = f"{folder} holds no ggml-cpu library"
    return {**told, "libraries": libraries, "problem": problem}


if __name__ == "__main__":
    sys.path[:] = [folder for folder in sys.path if folder != str(Path(__file__).parent)]
    sys.stdout.write(json.dumps(probe()))
