"""Checks software and machine: versions, extras, processor, memory, disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_raq
from pytest_raq import __version__
from pytest_raq.doctor.context import file_size, finding, install_command
from pytest_raq.engines.llamacpp.instruction_sets import describe_features, processor_features
from pytest_raq.machine import describe_machine, describe_versions
from pytest_raq.records.command_results import Health
from pytest_raq.text import size_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.doctor.context import CheckContext
    from pytest_raq.records.command_results import Finding


_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_MEMINFO = Path("/proc/meminfo")

_PACKAGES = (
    *("numpy", "pydantic", "pytest-benchmark", "pytest-xdist"),
    *("openai", "httpx2", "huggingface_hub"),
)
"""Packages that are reported in addition to those in the provenance of a result."""
_NO_PLUGINS = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
_LEAST_DISK = 10**9
_OVERHEAD = 1.2
"""Memory of a loaded model relative to its file: cache and buffers."""

_EXTRAS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "llama": (("llama_cpp",), "GGUF models"),
    "datasets": (("datasets",), "questions of a hub or of Parquet files"),
    "openai": (("openai", "httpx2"), "models and judges behind a server"),
    "hub": (("huggingface_hub",), "raq models pull"),
    "history": (("sqlalchemy", "pyarrow"), "a shared history, and its export"),
}
"""Extra → the modules that it installs, and their purpose."""


def usable_cores() -> float:
    """Return the cores that this process may use: by affinity and by the container's quota."""
    try:
        cores = float(len(os.sched_getaffinity(0)))
    except AttributeError:
        cores = float(os.cpu_count() or 1)
    return min([cores, *_quotas()])


def machine_memory() -> int:
    """Return the memory of the machine in bytes; 0 if unknown."""
    return _meminfo("MemTotal") or _sysconf_memory()


def memory_limit() -> int:
    """Return the memory in bytes that this process may use; 0 if unknown."""
    limits = [limit for limit, _ in _memory_groups()]
    total = machine_memory()
    return min([total, *limits] if total else limits, default=0)


def free_memory() -> int:
    """Return the free memory in bytes; 0 if unknown."""
    free = _meminfo("MemAvailable")
    rooms = [max(0, limit - used) for limit, used in _memory_groups()]
    return min([free, *rooms] if free else rooms, default=0)


def _folders(controller: str) -> Iterator[Path]:
    """Yield the control groups of this process, version 2 and 1, with their parents."""
    yield from (_GROUPS, _GROUPS / controller)
    for line in _read(_OWN_GROUPS).splitlines():
        _, _, rest = line.partition(":")
        names, _, place = rest.partition(":")
        if names and controller not in names.split(","):
            continue
        tops = [_GROUPS / controller] if names else [_GROUPS, _GROUPS / "unified"]
        for top in tops:
            path = top / place.strip("/")
            while path != top:
                yield path
                path = path.parent


def _quotas() -> Iterator[float]:
    """Yield the cores of each group that has a limit."""
    for folder in _folders("cpu"):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        if not quota:
            quota = _read(folder / "cpu.cfs_quota_us")
            period = _read(folder / "cpu.cfs_period_us")
        if _number(quota) > 0 and _number(period) > 0:  # "max" and -1 mean no limit
            yield _number(quota) / _number(period)


def _memory_groups() -> Iterator[tuple[int, int]]:
    """Yield limit and use of each group, in bytes; the use excludes caches of files."""
    for folder in _folders("memory"):
        for limit, used, dropped in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            most = _number(_read(folder / limit))
            if most > 0:
                cached = _entry(_read(folder / "memory.stat"), dropped)
                yield most, max(0, _number(_read(folder / used)) - cached)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _entry(text: str, name: str) -> int:
    """Return the number that follows a name in a table of the system."""
    for line in text.splitlines():
        words = line.replace(":", " ").split()
        if words[:1] == [name] and len(words) > 1:
            return _number(words[1])
    return 0


def _meminfo(name: str) -> int:
    return _entry(_read(_MEMINFO), name) * 1024


def _sysconf_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def look_at_versions(_context: CheckContext) -> Iterator[Finding]:
    """Yield the versions of software that affects results, and their locations."""
    versions = describe_versions()
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    where = Path(pytest_raq.__file__).parent
    yield finding("versions", "pytest-raq", Health.OK, f"{__version__}, in {where}")
    yield finding("versions", "python", Health.OK, f"{versions['python']}, {sys.executable}")
    for name, found in sorted(versions.items()):
        if name not in {"pytest-raq", "python"}:
            yield finding("versions", name, Health.OK, found)
    if os.environ.get(_NO_PLUGINS):
        text = f"{_NO_PLUGINS} is set: pytest does not load pytest-raq by itself"
        step = f"unset {_NO_PLUGINS}, or run pytest -p pytest_raq.plugin"
        yield finding("versions", "pytest plugins", Health.WARNING, text, step)


def look_at_machine(context: CheckContext) -> Iterator[Finding]:
    """Yield processor, cores and memory that this process may use."""
    machine = describe_machine()
    system = f"{machine['system']} {machine['architecture']}"
    features = describe_features(processor_features())
    yield finding("machine", "processor", Health.OK, f"{machine['processor']}, {system}")
    yield finding("machine", "instructions", Health.OK, features)
    cores, limit = usable_cores(), os.cpu_count() or 1
    of_all = f" of {limit}" if cores < limit else ""
    yield finding("machine", "cores", Health.OK, f"{cores:g}{of_all} usable")
    yield _memory(context)


def _memory(context: CheckContext) -> Finding:
    free, total = free_memory(), memory_limit()
    told = f"{size_text(free)} free of {size_text(total)}" if free else size_text(total)
    if total < machine_memory():
        told += f" (the limit here; the machine has {size_text(machine_memory())})"
    sizes = {
        model.name: file_size(model.file_path) for model in context.readable_models if model.file
    }
    largest = max(sizes, key=lambda name: sizes[name], default="")
    if not largest or not sizes[largest]:
        return finding("machine", "memory", Health.OK, told)
    needed = int(sizes[largest] * _OVERHEAD)
    if (free or total) < needed:
        text = f"{told}; the file of {largest} has {size_text(sizes[largest])}"
        step = "end other programs, or choose a smaller quantization (raq quantize)"
        return finding("machine", "memory", Health.WARNING, text, step)
    return finding("machine", "memory", Health.OK, told)


def look_at_disk(context: CheckContext) -> Iterator[Finding]:
    """Yield the free space for the store, the models and temporary files, and write access."""
    yield _room("room for store", context.store.absolute().parent)
    yield _room("room for models", context.models_folder.absolute())
    name = "room for temporary files"
    try:
        yield _room(name, Path(tempfile.gettempdir()))
    except FileNotFoundError:
        text, step = "no folder can be written", "set TMPDIR to a folder that can be written"
        yield finding("machine", name, Health.FAILURE, text, step)


def _nearest_folder(path: Path) -> Path:
    """Return a folder, or its nearest existing parent."""
    return next((place for place in (path, *path.parents) if place.is_dir()), Path("/"))


def _room(name: str, place: Path) -> Finding:
    folder = _nearest_folder(place)
    if not os.access(folder, os.W_OK):
        step = f"check the owner and the permissions of {folder}"
        return finding("machine", name, Health.WARNING, f"{folder} cannot be written", step)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as exc:
        text = f"the free space of {folder} is unknown: {exc.strerror or exc}"
        return finding("machine", name, Health.WARNING, text, "check that disk")
    told = f"{size_text(free)} free in {folder}"
    if free < _LEAST_DISK:
        return finding("machine", name, Health.WARNING, told, "make space on this disk")
    return finding("machine", name, Health.OK, told)


def look_at_extras(context: CheckContext) -> Iterator[Finding]:
    """Yield the extras that are not installed, and the commands that install them."""
    needed = _needed_extras(context)
    for extra, (modules, purpose) in _EXTRAS.items():
        missing = [name for name in modules if find_spec(name) is None]
        command = install_command(extra)
        if not missing:
            yield finding("extras", extra, Health.OK, f"installed, for {purpose}")
        elif extra in needed:
            text = f"not installed, but {needed[extra]} needs it"
            yield finding("extras", extra, Health.FAILURE, text, command)
        else:
            text = f"not installed; only needed for {purpose}"
            yield finding("extras", extra, Health.OK, text, command)


def _needed_extras(context: CheckContext) -> dict[str, str]:
    """Return the part of the default suites that needs each extra."""
    needed: dict[str, str] = {}
    for model in context.readable_models:
        if model.name in context.needed:
            if model.engine == "openai":
                needed.setdefault("openai", model.name)
            elif not model.python:
                needed.setdefault("llama", model.name)
    for suite in context.readable_suites:
        is_parquet = suite.dataset.source.endswith(".parquet")
        if suite.default and (is_parquet or context.asks_hub(suite)):
            needed.setdefault("datasets", f"suite {suite.name}")
    return needed
