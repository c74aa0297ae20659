"""A Python whose llama.cpp does extra work at each evaluation, for measuring the gate for speed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PATCH = """
import importlib.abc, importlib.util, os, sys, time

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "llama_cpp":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            slow_down(module)
        spec.loader.exec_module = exec_module
        return spec

def slow_down(module):
    decode = module.llama_decode
    def slower(context, batch):
        start = time.perf_counter()
        code = decode(context, batch)
        end = start + FACTOR * (time.perf_counter() - start)
        while time.perf_counter() < end:
            sum(range(50))
        return code
    module.llama_decode = slower

sys.meta_path.insert(0, Finder())
"""


def write_slow_python(folder: Path, factor: float) -> Path:
    """Write an interpreter whose evaluations take ``factor`` times as long; return its path."""
    code = folder / "site"
    code.mkdir(parents=True)
    (code / "sitecustomize.py").write_text(f"FACTOR = {factor}\n{_PATCH}")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexport PYTHONPATH="{code}"\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return python
