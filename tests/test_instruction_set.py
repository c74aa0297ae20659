"""`instruction_set`: a model is answered by a llama.cpp that was compiled for it, or by none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
from gguf_files import define
from small_projects import write_small_project

from pytest_raq.config import ModelDefinition, load_model
from pytest_raq.config.models import InstructionSet
from pytest_raq.doctor.engine import _look_at_instruction_sets
from pytest_raq.engines import open_engine
from pytest_raq.engines.llamacpp import instruction_sets
from pytest_raq.engines.llamacpp.engine_build import LEVELS
from pytest_raq.engines.llamacpp.instruction_sets import (
    _ARITHMETIC,
    LibraryBuild,
    arithmetic_of,
    require_instruction_set,
)
from pytest_raq.errors import ConfigError
from pytest_raq.records.command_results import Health

BUILDS = {
    "sse42": {"SSE3", "SSSE3"},
    "avx2": {"SSE3", "AVX", "AVX2", "F16C", "FMA", "BMI2"},
    "avx512": {"AVX", "AVX2", "F16C", "FMA", "BMI2", "AVX512"},
    "avx512_bf16": {"AVX", "AVX2", "F16C", "FMA", "AVX512", "AVX512_VNNI", "AVX512_BF16"},
    "neon": {"NEON", "ARM_FMA"},
    "dotprod": {"NEON", "ARM_FMA", "DOTPROD"},
}


@pytest.fixture
def compiled_for(monkeypatch):
    def build(features, problem=""):
        found = LibraryBuild("/env/bin/python", "0.3.36", frozenset(features), problem=problem)
        monkeypatch.setattr(instruction_sets, "library_build", lambda _python: found)
        arithmetic_of.cache_clear()

    yield build
    arithmetic_of.cache_clear()


def asking(wanted):
    path = Path("models/m.toml")
    return ModelDefinition(name="m", path=path, file="m.gguf", instruction_set=wanted)


def test_every_set_has_a_build_and_fits_this_build_alone(compiled_for):
    assert set(BUILDS) == set(get_args(InstructionSet)) == set(_ARITHMETIC)
    assert set(BUILDS) <= set(LEVELS)
    for name, features in BUILDS.items():
        compiled_for(features)
        require_instruction_set(asking(None))
        for wanted in BUILDS:
            if wanted == name:
                require_instruction_set(asking(wanted))
            else:
                with pytest.raises(ConfigError, match="instruction_set"):
                    require_instruction_set(asking(wanted))


def test_a_refusal_says_what_there_is_and_how_to_get_the_other(compiled_for):
    compiled_for(BUILDS["avx512"])
    with pytest.raises(ConfigError) as told:
        require_instruction_set(asking("avx2"))
    assert str(told.value) == (
        'models/m.toml: instruction_set = "avx2" is asked for, but llama.cpp of /env/bin/python'
        ' computes with F16C FMA AVX512: compile it with CMAKE_ARGS="-DGGML_NATIVE=OFF"'
        " /env/bin/python -m pip install --force-reinstall --no-deps --no-cache-dir"
        " llama-cpp-python==0.3.36, or name an environment that has such a build with python ="
    )


def test_an_unknown_build_is_refused_too(compiled_for):
    compiled_for((), problem="it cannot be loaded")
    with pytest.raises(ConfigError, match=r"was compiled for is unknown \(it cannot be loaded\)"):
        require_instruction_set(asking("avx2"))


@pytest.fixture
def other():
    """An instruction set that the llama.cpp of this environment does not have."""
    return "neon" if arithmetic_of() != _ARITHMETIC["neon"] else "sse42"


def test_no_engine_is_opened_for_it(tiny_gguf, other):
    with pytest.raises(ConfigError, match=f'instruction_set = "{other}" is asked for'):
        open_engine(define(tiny_gguf(), instruction_set=other))


def test_an_engine_that_was_built_for_it_is(tiny_gguf):
    ours = next((name for name, told in _ARITHMETIC.items() if told == arithmetic_of()), None)
    if ours is None:
        pytest.skip(f"no name for builds with {arithmetic_of()}: add it to _ARITHMETIC")
    with open_engine(define(tiny_gguf(), instruction_set=ours)) as engine:
        assert engine.info.engine == "llama-cpp"


def test_a_suite_asks_for_it_before_anything_is_asked(pytester, other):
    write_small_project(pytester.path, "reader-llama", "reader-llama-f16.gguf")
    suite = pytester.path / "suites/small.toml"
    suite.write_text(f'instruction_set = "{other}"\n{suite.read_text()}')
    result = pytester.runpytest_inprocess("suites", "--raq-suite", "small")
    result.stdout.fnmatch_lines([f'*models/reader.toml: instruction_set = "{other}" is asked for*'])
    assert result.ret == 2


def test_doctor_says_which_models_it_refuses(compiled_for):
    compiled_for(BUILDS["avx2"])
    context = SimpleNamespace(
        runnable_models=[asking("avx512"), asking("avx2"), asking(None)],
        python=None,
        trouble=lambda _name: Health.FAILURE,
    )
    refused, fine = _look_at_instruction_sets(context)
    assert refused.health is Health.FAILURE
    assert refused.text.endswith("computes with AVX2 F16C FMA")
    assert refused.next_step.startswith("compile it with CMAKE_ARGS=")
    assert (fine.health, fine.name, fine.text) == (Health.OK, "instruction_set of m", "avx2")


def test_of_a_server_it_cannot_be_asked(tmp_path):
    server = '[openai]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "x"\n'
    (tmp_path / "s.toml").write_text(f'engine = "openai"\ninstruction_set = "avx2"\n{server}')
    with pytest.raises(ConfigError, match="instruction_set is for GGUF files: remove it"):
        load_model(tmp_path, "s")
