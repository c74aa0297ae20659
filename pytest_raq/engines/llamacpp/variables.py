"""The environment variables that a process with llama.cpp inherits: named ones, and no secrets.

What reads a file of others needs no key of a cloud: it gets what finds programs and libraries,
and what tunes the libraries of numbers and graphics cards.
"""

from __future__ import annotations

import os
import re

MORE = "RAQ_WORKER_VARIABLES"
"""Names of more variables for the processes with llama.cpp, separated by commas."""

_NAMED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "LANG", "LANGUAGE", "TZ", "TERM"),
        *("TMPDIR", "TMP", "TEMP", "NO_COLOR", "VIRTUAL_ENV", "CONDA_PREFIX", "GLIBC_TUNABLES"),
        *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "LOCALAPPDATA", "APPDATA"),
        *("PROGRAMDATA", "NUMBER_OF_PROCESSORS", "__PYVENV_LAUNCHER__", "FORCE_COLOR"),
    }
)
_FAMILIES = re.compile(
    r"(?:LC|LD|DYLD|XDG|MALLOC|OMP|GOMP|KMP|OPENBLAS|GOTO|MKL|BLIS|VECLIB|GGML|LLAMA"
    r"|CUDA|NVIDIA|HIP|HSA|ROCM|ROCR|GPU|VK|VULKAN|MESA|SYCL|ONEAPI|ZE|ZES|MTL|METAL|ASCEND|MUSA"
    r"|ASAN|UBSAN|TSAN|COV_CORE|COVERAGE|SLURM_CPUS)_[A-Z0-9_]*|PYTHON[A-Z0-9_]*"
)
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH", re.IGNORECASE)
_BOUND_TO_ONE_PYTHON = frozenset(
    {"PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__", "LLAMA_CPP_LIB_PATH"}
)


def worker_variables() -> dict[str, str]:
    """Return the environment of a process with llama.cpp under this Python."""
    more = {name.strip() for name in os.environ.get(MORE, "").split(",")}
    return {
        name: value
        for name, value in os.environ.items()
        if name in more or name.upper() in _NAMED or _is_of_family(name)
    }


def foreign_variables() -> dict[str, str]:
    """Return the environment of a process under another Python: without what binds this one."""
    return {
        name: value
        for name, value in worker_variables().items()
        if name not in _BOUND_TO_ONE_PYTHON
    }


def _is_of_family(name: str) -> bool:
    return bool(_FAMILIES.fullmatch(name)) and not _SECRET.search(name)
