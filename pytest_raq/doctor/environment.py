"""What the software and the machine are: versions, extras, processor, memory, disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq import __version__
from pytest_raq.doctor.patient import finding
from pytest_raq.engines.llamacpp.instruction_sets import describe_features, processor_features
from pytest_raq.records.doctor import Health
from pytest_raq.report.text import size_text
from pytest_raq.store import describe_machine, describe_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.doctor.patient import Patient
    from pytest_raq.records.doctor import Finding

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
_LEAST_DISK = 10**9
_OVERHEAD = 1.2
"""Memory of a loaded model over its file: cache and buffers."""

_EXTRAS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "llama": (("llama_cpp",), "GGUF models"),
    "datasets": (("datasets",), "questions of a hub or of Parquet files"),
    "openai": (("openai", "httpx2"), "models and judges behind a server"),
    "hub": (("huggingface_hub",), "raq models pull"),
    "history": (("sqlalchemy", "pyarrow"), "a shared history, and its export"),
}
"""Extra → the modules that it installs, and what they are for."""


def look_at_versions(_patient: Patient) -> Iterator[Finding]:
    """Yield the versions of what shapes a result."""
    versions = describe_versions()
    versions.setdefault("pytest-raq", __version__)
    for name in ("pytest-raq", "python", "pytest"):
        yield finding("versions", name, Health.OK, versions.pop(name, "unknown"))
    for name, version in sorted(versions.items()):
        yield finding("versions", name, Health.OK, version)


def look_at_machine(patient: Patient) -> Iterator[Finding]:
    """Yield processor, cores and memory, as far as this process may use them."""
    machine = describe_machine()
    system = f"{machine['system']} {machine['architecture']}"
    features = describe_features(processor_features())
    yield finding("machine", "processor", Health.OK, f"{machine['processor']}, {system}")
    yield finding("machine", "instructions", Health.OK, features)
    cores, limit = usable_cores(), os.cpu_count() or 1
    of_all = f" of {limit}" if cores < limit else ""
    yield finding("machine", "cores", Health.OK, f"{cores:g}{of_all} usable")
    yield _memory(patient)


def usable_cores() -> float:
    """Return the cores that this process may use: by affinity and by the container's quota."""
    try:
        cores = float(len(os.sched_getaffinity(0)))
    except AttributeError:
        cores = float(os.cpu_count() or 1)
    quota = _cpu_quota()
    return min(cores, quota) if quota else cores


def _cpu_quota() -> float:
    """Return the cores of the container, by cgroup version 2 or 1; 0 where there is no limit."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
        return int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        quota, period = (
            (_CGROUP / f"cpu/cpu.cfs_{name}_us").read_text(encoding="ascii")
            for name in ("quota", "period")
        )
        return max(0.0, int(quota) / int(period))
    return 0.0


def memory_limit() -> int:
    """Return the bytes that this process may use: of the machine, or of its container."""
    total = _meminfo("MemTotal") or _sysconf_memory()
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            limit = int((_CGROUP / name).read_text(encoding="ascii"))
            return min(total, limit) if total else limit
    return total


def free_memory() -> int:
    """Return the bytes that are free now; 0 where that cannot be known."""
    free = _meminfo("MemAvailable")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):
            most, now = (
                int((_CGROUP / name).read_text(encoding="ascii")) for name in (limit, used)
            )
            return min(free, max(0, most - now))
    return free


def _meminfo(name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0]) * 1024
    return 0


def _sysconf_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def _memory(patient: Patient) -> Finding:
    free, total = free_memory(), memory_limit()
    told = f"{size_text(free)} free of {size_text(total)}" if free else size_text(total)
    sizes = {model.name: _size(model.file_path) for model in patient.readable_models if model.file}
    largest = max(sizes, key=lambda name: sizes[name], default="")
    if not largest or not sizes[largest]:
        return finding("machine", "memory", Health.OK, told)
    needed = int(sizes[largest] * _OVERHEAD)
    if (free or total) < needed:
        text = f"{told}; the file of {largest} has {size_text(sizes[largest])}"
        step = "end other programs, or choose a smaller quantization (raq quantize)"
        return finding("machine", "memory", Health.WARNING, text, step)
    return finding("machine", "memory", Health.OK, told)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def look_at_disk(patient: Patient) -> Iterator[Finding]:
    """Yield the room where the store, the models and temporary files go, and who may write."""
    places = {
        "store": patient.store.absolute().parent,
        "models": patient.models_folder.absolute(),
        "temporary files": Path(tempfile.gettempdir()),
    }
    for name, place in places.items():
        yield _room(f"room for {name}", _nearest_folder(place))


def _nearest_folder(path: Path) -> Path:
    """Return a folder, or the one above it that is there already."""
    return next((place for place in (path, *path.parents) if place.is_dir()), Path("/"))


def _room(name: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    told = f"{size_text(free)} free in {folder}"
    if not os.access(folder, os.W_OK):
        text = f"{folder} cannot be written"
        return finding("machine", name, Health.WARNING, text, f"check the permissions of {folder}")
    if free < _LEAST_DISK:
        return finding("machine", name, Health.WARNING, told, "make room on this disk")
    return finding("machine", name, Health.OK, told)


def look_at_extras(patient: Patient) -> Iterator[Finding]:
    """Yield what is not installed, and the command that installs it."""
    needed = _needed_extras(patient)
    for extra, (modules, purpose) in _EXTRAS.items():
        missing = [name for name in modules if find_spec(name) is None]
        command = f"pip install 'pytest-raq[{extra}]'"
        if not missing:
            yield finding("extras", extra, Health.OK, f"installed: {purpose}")
        elif extra in needed:
            text = f"not installed, and {needed[extra]} needs it"
            yield finding("extras", extra, Health.FAILURE, text, command)
        else:
            text = f"not installed; only needed for {purpose}: {command}"
            yield finding("extras", extra, Health.OK, text)


def _needed_extras(patient: Patient) -> dict[str, str]:
    """Return what of the default suites needs an extra."""
    needed: dict[str, str] = {}
    for model in patient.readable_models:
        if model.name in patient.needed:
            needed.setdefault("openai" if model.engine == "openai" else "llama", model.name)
    for suite in patient.readable_suites:
        source = suite.dataset.source
        is_file = (suite.path.parent / Path(source).expanduser()).exists()
        if suite.default and (source.endswith(".parquet") or not (is_file or Path(source).suffix)):
            needed.setdefault("datasets", f"suite {suite.name}")
    return needed
