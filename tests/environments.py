"""Virtual environments with another llama-cpp-python, made without compiling or downloading."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

WORSE = """
def llama_sampler_init_greedy():
    chain = llama_sampler_chain_init(llama_sampler_chain_default_params())
    llama_sampler_chain_add(chain, llama_sampler_init_temp(6.0))
    llama_sampler_chain_add(chain, llama_sampler_init_dist(7))
    return chain
"""
"""An engine whose greedy answers are hardly that."""

CRASHES = """
def llama_sampler_init_greedy():
    import os, signal
    os.kill(os.getpid(), signal.SIGSEGV)
"""


def make_environment(folder: Path, *, version: str = "", patch: str = "") -> Path:
    """Make a virtual environment that sees the packages of this one, and return its folder.

    With ``version`` or ``patch`` its llama_cpp is another one: the same
    libraries, that version, and code that is run at the end of the import.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    origin = Path(find_spec("llama_cpp").origin)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "outer.pth").write_text(f"{origin.parent.parent}\n")
    if version or patch:
        overlay = packages / "llama_cpp"
        overlay.mkdir()
        for entry in origin.parent.iterdir():
            if entry.name not in {"__init__.py", "__pycache__"}:
                (overlay / entry.name).symlink_to(entry)
        text = origin.read_text()
        text = re.sub(r'__version__ = ".*"', f'__version__ = "{version or "0.3.99"}"', text)
        (overlay / "__init__.py").write_text(text + patch)
    return folder


def make_empty_environment(folder: Path) -> Path:
    """Make a virtual environment without llama-cpp-python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder
