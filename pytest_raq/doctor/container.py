"""Cores and memory that this process may use, of the machine or of its container."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_MEMINFO = Path("/proc/meminfo")


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
