"""How llama.cpp is compiled: by make and its script, and what is in the result."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import venv
from pathlib import Path

import pytest

from pytest_raq.answering.identity import library_files
from pytest_raq.engines.llamacpp import engine_build
from pytest_raq.engines.llamacpp.engine_build import LEVELS, cache_folder, level
from pytest_raq.engines.llamacpp.instruction_sets import (
    LibraryBuild,
    explain_build,
    library_build,
    missing_features,
    reinstall_command,
)

ROOT = Path(__file__).parent.parent
SCRIPT = "pytest_raq/engines/llamacpp/engine_build.py"
HASWELL = frozenset(["fpu", "sse4_2", "avx", "avx2", "bmi2", "f16c", "fma"])
SAPPHIRE_RAPIDS = HASWELL | frozenset(["avx512f", "amx_tile", "amx_int8", "amx_bf16"])
JASPER_LAKE = frozenset(["fpu", "sse4_2", "sha_ni"])


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", HASWELL, "avx2"),
        ("AMD64", SAPPHIRE_RAPIDS, "avx2"),
        ("x86_64", HASWELL - {"f16c"}, "sse42"),
        ("x86_64", JASPER_LAKE, "sse42"),
        ("x86_64", frozenset(), "avx2"),
        ("aarch64", frozenset({"asimd", "asimddp"}), "dotprod"),
        ("aarch64", frozenset({"asimd"}), "generic"),
        ("arm64", frozenset(), "generic"),
        ("riscv64", frozenset(), "generic"),
    ],
)
def test_a_processor_has_a_level(machine, flags, expected):
    assert level(machine, flags) == expected


def test_no_level_is_native():
    assert all("-DGGML_NATIVE=OFF" in arguments for arguments in LEVELS.values())


def test_what_is_compiled_otherwise_is_kept_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engine_build, "processor_flags", lambda: SAPPHIRE_RAPIDS)
    portable = cache_folder(LEVELS["avx2"], native=False)
    native = cache_folder(engine_build.NATIVE, native=True)
    monkeypatch.setattr(engine_build, "processor_flags", lambda: HASWELL)
    assert cache_folder(LEVELS["avx2"], native=False) == portable  # it may travel
    assert cache_folder(engine_build.NATIVE, native=True) != native  # this may not
    monkeypatch.setenv("CXX", "clang++")
    assert cache_folder(LEVELS["avx2"], native=False) != portable
    assert portable.parent == native.parent == tmp_path / "pytest-raq/engines"


PIP = """#!{python}
import json, os, sys
with open({log!r}, "a") as file:
    print(json.dumps([sys.argv[1:], os.environ.get("CMAKE_ARGS")]), file=file)
sys.exit({code})
"""


def fake_python(tmp_path, code=0):
    path = tmp_path / "python"
    path.write_text(PIP.format(python=sys.executable, log=str(tmp_path / "log"), code=code))
    path.chmod(0o755)
    return path


def run_script(tmp_path, *options, code=0, **variables):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), **variables}
    done = subprocess.run(
        [sys.executable, "-I", str(ROOT / SCRIPT), str(fake_python(tmp_path, code)), *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    arguments, cmake = json.loads((tmp_path / "log").read_text().splitlines()[-1])
    return done, arguments, cmake


def test_the_script_compiles_for_others_and_keeps_the_wheel_apart(tmp_path, monkeypatch):
    monkeypatch.delenv("CMAKE_ARGS", raising=False)
    done, arguments, cmake = run_script(tmp_path, "--constraints", "constraints.txt")
    assert done.returncode == 0
    assert "-DGGML_NATIVE=OFF" in cmake.split()
    assert arguments[:3] == ["-m", "pip", "install"]
    # A wheel that pip compiled for this machine alone, and kept, must not be taken.
    place = arguments[arguments.index("--cache-dir") + 1]
    assert place.startswith(str(tmp_path / "cache/pytest-raq/engines/"))
    assert arguments[-3:] == ["--constraint", "constraints.txt", "llama-cpp-python"]
    assert "--no-binary" in arguments
    assert "compiled, which takes minutes" in done.stdout


def test_the_script_compiles_for_this_processor_when_asked(tmp_path, monkeypatch):
    monkeypatch.delenv("CMAKE_ARGS", raising=False)
    _, arguments, cmake = run_script(tmp_path, "--native")
    assert cmake == "-DGGML_NATIVE=ON"
    assert "/engines/native-" in arguments[arguments.index("--cache-dir") + 1]


def test_an_exported_portable_build_does_not_undo_native(tmp_path):
    """README has CMAKE_ARGS exported for pip; the last of two arguments counts for CMake."""
    _, _, cmake = run_script(tmp_path, "--native", CMAKE_ARGS="-DGGML_NATIVE=OFF")
    assert cmake.split()[-1] == "-DGGML_NATIVE=ON"


def test_own_arguments_of_cmake_are_kept(tmp_path):
    _, arguments, cmake = run_script(tmp_path, CMAKE_ARGS="-DGGML_CUDA=on '-DX=a b'")
    assert cmake.startswith("-DGGML_CUDA=on '-DX=a b' -DGGML_NATIVE=OFF")
    _, others, _ = run_script(tmp_path, CMAKE_ARGS="")
    place = arguments.index("--cache-dir") + 1
    assert arguments[place] != others[place]


BACKEND = """
import os, zipfile
from pathlib import Path

def build_wheel(folder, settings=None, metadata=None):
    name = "llama_cpp_python-0.3.36-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        wheel.writestr("llama_cpp.py", f"MADE = {os.environ.get('CMAKE_ARGS', 'for one')!r}")
        info = "llama_cpp_python-0.3.36.dist-info"
        about = "Metadata-Version: 2.1\\nName: llama-cpp-python\\nVersion: 0.3.36\\n"
        wheel.writestr(f"{info}/METADATA", about)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


def write_source(folder):
    """Write a llama-cpp-python that keeps what it is compiled with, in no time."""
    source = folder / "llama_cpp_python-0.3.36"
    source.mkdir(parents=True)
    (source / "backend.py").write_text(BACKEND.replace("\\\\", "\\"))
    (source / "PKG-INFO").write_text(
        "Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 0.3.36\n"
    )
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "llama-cpp-python"\nversion = "0.3.36"\n'
    )
    with tarfile.open(f"{source}.tar.gz", "w:gz") as archive:
        archive.add(source, source.name)


def test_pip_takes_no_engine_that_it_compiled_for_one_machine(tmp_path, monkeypatch):
    """With pip itself, whose cache holds an engine of the same version."""
    write_source(tmp_path / "index")
    venv.create(tmp_path / "env", with_pip=False)
    made, python = str(tmp_path / "env/bin/python"), str(tmp_path / "python")
    pip = ("-m", "pip", "--python", made)  # the one of this environment spares a second
    Path(python).write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} {" ".join(pip)} "$@"\n')
    Path(python).chmod(0o755)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("CMAKE_ARGS", "PIP_CACHE_DIR", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)

    def install(*command, **variables):
        environment = {**os.environ, **variables}
        subprocess.run([sys.executable, *command], env=environment, check=True)
        told = subprocess.run(
            [made, "-c", "import llama_cpp; print(llama_cpp.MADE)"],
            check=True,
            capture_output=True,
            text=True,
        )
        return told.stdout.strip()

    again = (*pip, "install", "-q", "--force-reinstall")
    others = {"CMAKE_ARGS": "-DGGML_NATIVE=OFF"}
    assert install(*again, "llama-cpp-python") == "for one"
    assert install(*again, "llama-cpp-python", **others) == "for one"  # why all this is needed
    assert "-DGGML_NATIVE=OFF" in install(str(ROOT / SCRIPT), python)
    assert install(str(ROOT / SCRIPT), python, "--native") == "-DGGML_NATIVE=ON"
    assert "-DGGML_NATIVE=OFF" in install(str(ROOT / SCRIPT), python)
    assert install(*again, "--no-cache-dir", "llama-cpp-python", **others) == "-DGGML_NATIVE=OFF"


def test_a_failed_compilation_fails(tmp_path):
    assert run_script(tmp_path, code=7)[0].returncode == 7


def make(tmp_path, *options):
    """Return what make would do in a clone without an environment."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", SCRIPT):
        if not (tmp_path / name).exists():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    done = subprocess.run(
        ["make", "-n", "suites", *options], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="install make")
def test_make_installs_what_travels_unless_asked(tmp_path):
    portable = next(line for line in make(tmp_path).splitlines() if "engine_build.py" in line)
    assert "--native" not in portable
    native = make(tmp_path, "NATIVE=1")
    assert re.search(r"engine_build\.py .* --native", native)
    assert native.index("engine_build.py") < native.index("-e '.[dev]'")  # pip finds it there
    # What was chosen stays, and can be changed.
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/.engine-native").touch()
    assert "engine_build.py" not in make(tmp_path)
    assert "engine_build.py" in make(tmp_path, "NATIVE=0")
    # What is to be compiled has changed.
    os.utime(tmp_path / SCRIPT, (time.time() + 60, time.time() + 60))
    assert "engine_build.py" in make(tmp_path)


# What no processor without a feature can run: registers and instructions, as objdump writes them.
_BEYOND = {
    "AMX_INT8": r"%tmm\d",
    "AVX512": r"%zmm|\{%k\d\}|%[xy]mm(?:1[6-9]|2\d|3[01])\b|\tk(?:mov|and|or|xor)\w ",
    "AVX512_VNNI": r"\tvpdp(?:bu|w)s",
    "AVX512_BF16": r"\tv(?:dpbf16|cvtne2?ps2bf16)",
    "AVX512_VBMI": r"\tvperm[it]?2?b |\tvpmultishiftqb ",
    "AVX_VNNI": r"\{vex\} vpdp",
    "AVX": r"\tv\w+ .*%[xy]mm",
    "AVX2": r"\tvp(?!erm(?:il|2f)|test)\w+ .*%ymm",
    "FMA": r"\tvf(?:n?m(?:add|sub))\w+",
    "F16C": r"\tvcvtp[hs]2p[hs]\b",
    "BMI2": r"\t(?:mulx|pdep|pext|rorx|sarx|shlx|shrx)\b",
}


@pytest.mark.skipif(shutil.which("objdump") is None, reason="install binutils")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="reads x86-64")
def test_the_installed_library_holds_nothing_beyond_what_it_was_compiled_for():
    """For any build: a portable one holds no AVX-512, a native one what it says."""
    build = library_build()
    assert build.problem == ""
    path = next(path for path in library_files() if path.name == "libggml-cpu.so")
    with subprocess.Popen(
        ["objdump", "-d", "--no-show-raw-insn", path], stdout=subprocess.PIPE, text=True
    ) as objdump:
        found = dict.fromkeys(_BEYOND, "")
        absent = {
            name: re.compile(text) for name, text in _BEYOND.items() if name not in build.features
        }
        lines = 0
        for line in objdump.stdout:
            lines += 1
            for name, pattern in absent.items():
                if not found[name] and pattern.search(line):
                    found[name] = line.strip()
    assert lines > 10_000
    assert {name: line for name, line in found.items() if line} == {}
    assert missing_features(build) == ()


def test_a_library_for_another_processor_is_explained(monkeypatch):
    build = LibraryBuild("/env/bin/python", "0.3.36", frozenset({"AVX2", "AVX512", "AMX_INT8"}))
    module = "pytest_raq.engines.llamacpp.instruction_sets"
    monkeypatch.setattr(f"{module}.processor_features", lambda: frozenset({"AVX2"}))
    assert missing_features(build) == ("AVX512", "AMX_INT8")
    assert explain_build(build) == (
        "llama.cpp was compiled for AVX2 AVX512 AMX_INT8; this processor has no AVX512, AMX_INT8"
    )
    monkeypatch.setattr(f"{module}.processor_features", lambda: frozenset(build.features))
    assert explain_build(build).endswith("AMX_INT8; this processor has all of that")
    monkeypatch.setattr(f"{module}.processor_features", frozenset)
    assert explain_build(build).endswith("for AVX2 AVX512 AMX_INT8")
    monkeypatch.setattr(f"{module}.cmake_arguments", lambda: LEVELS["sse42"])
    assert reinstall_command(build) == (
        'CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX=OFF -DGGML_AVX2=OFF -DGGML_BMI2=OFF'
        ' -DGGML_F16C=OFF -DGGML_FMA=OFF" /env/bin/python -m pip install --force-reinstall'
        " --no-deps --no-cache-dir llama-cpp-python==0.3.36"
    )


def test_an_environment_that_cannot_be_asked_is_explained(tmp_path):
    assert library_build(tmp_path / "nowhere").problem.endswith(
        f"No such file or directory: '{tmp_path}/nowhere'"
    )
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -ILL $$\n")
    killed.chmod(0o755)
    assert library_build(killed).problem == "its libraries end a process with SIGILL"
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexit 0\n")
    silent.chmod(0o755)
    assert explain_build(library_build(silent)) == (
        "what llama.cpp was compiled for is unknown (it prints no JSON)"
    )
