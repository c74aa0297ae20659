"""The messages about a signal that ends llama.cpp while it loads a model."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from pytest_raq.engines.llamacpp.instruction_sets import (
    explain_build,
    library_build,
    reinstall_command,
)
from pytest_raq.errors import EngineDiedError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_raq.engines.llamacpp.instruction_sets import LibraryBuild
    from pytest_raq.errors import EngineCrashError

_FAULTS = frozenset(
    {signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP}
)
"""Signals of a process to itself: its code or its data are wrong; others come from outside."""

EXTRA_BUFFERS_OFF = "extra buffer types off"
"""llama.cpp's own name for kernels on rearranged weights: repacked, and AMX."""


def recovery_note(death: EngineDiedError, python: Path) -> str:
    """Return why a model runs without the kernels that were there when its first process ended."""
    told = (
        f"llama.cpp {death} while it loaded the model, and runs with {EXTRA_BUFFERS_OFF}"
        " (no repacked and no AMX kernels): answers are right but slower, and a few may differ"
        " from those with them"
    )
    if not is_fault(death):
        return f"{told}; check the free memory"
    build = _build_of(python)
    return (
        f"{told}; {explain_build(build)}; a better build costs only the time to compile it:"
        f" {reinstall_command(build)}"
    )


def tell_deaths(death: EngineDiedError, python: Path) -> str:
    """Return why a model does not load, with and without the extra buffer types."""
    advice = advise(death, python) or ": check the free memory"
    return (
        f"the llama.cpp worker {death} while it loaded the model, also with"
        f" {EXTRA_BUFFERS_OFF}{advice}"
    )


def advise(death: EngineCrashError, python: Path) -> str:
    """Return what to do about a process that died of a fault; empty for another end."""
    if not (isinstance(death, EngineDiedError) and is_fault(death)):
        return ""
    build = _build_of(python)
    again = f"{explain_build(build)}; to compile it again: {reinstall_command(build)}"
    if death.signal == signal.SIGILL:
        return f": {again}"
    return f": check the file and the free memory; {again}"


def is_fault(death: EngineDiedError) -> bool:
    """Whether a process ended by its own fault, which the next one would have too."""
    return death.signal in _FAULTS


def _build_of(python: Path) -> LibraryBuild:
    """Return what was compiled for what: of this environment, if that is the one."""
    return library_build(None if str(python) == sys.executable else python)
