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


KILLER = """
import signal
_with_extra = []
def _die(number=signal.NUMBER):
    import os
    with open(DEATHS, "a") as file:
        file.write(f"{number.name}\\n")
    os.kill(os.getpid(), number)

_load = llama_model_load_from_file
def llama_model_load_from_file(path, params):
    _with_extra[:] = [bool(params.use_extra_bufts)]
    if AT_LOAD:
        _die()
    return _load(path, params)

_decode = llama_decode
def llama_decode(context, batch):
    if AT_BATCH:
        _die()
    return _decode(context, batch)
"""

ONLY_WITH_EXTRA = "_with_extra[0]"
"""The condition of a llama.cpp whose repacked or AMX kernels are at fault."""


def make_killing_environment(
    folder: Path,
    *,
    load: str = "False",
    batch: str = "False",
    imported: str = "",
    number: str = "SIGILL",
) -> Path:
    """Make an environment whose llama.cpp ends its process, and return its python.

    It does so when a model is loaded, or a batch evaluated, and a condition
    holds; ``imported`` is run when it is imported. Each death is a line of
    ``deaths`` beside the folder.
    """
    patch = KILLER.replace("NUMBER", number).replace("AT_LOAD", load).replace("AT_BATCH", batch)
    patch = patch.replace("DEATHS", repr(str(folder.parent / "deaths")))
    return make_environment(folder, patch=f"\n{imported}\n{patch}") / "bin/python"


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
