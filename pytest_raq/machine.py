"""The machine of a run: speed is compared only between equal machines."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("pytest-raq", "pytest", "llama-cpp-python", "datasets", "scipy", "scikit-posthocs")


def describe_machine() -> dict[str, str]:
    """Return processor, usable cores, memory, system and architecture.

    The speeds of two runs with equal descriptions can be compared. Host names
    are not included: the runners of one pool count as one machine.
    """
    return {
        "processor": _processor(),
        "cores": str(usable_cores()),
        "memory_gib": str(_memory_gib()),
        "system": platform.system(),
        "architecture": platform.machine(),
    }


def describe_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that affect results."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def usable_cores() -> int:
    """Return the cores that this process may use, by its affinity."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> int:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError, AttributeError):
        return 0


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or "unknown"
