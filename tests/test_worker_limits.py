"""What a worker may not have: the secrets of its parent, and all memory of the machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.config import ModelDefinition
from pytest_raq.engines.llamacpp.engine import LlamaCppEngine
from pytest_raq.engines.llamacpp.environment import find_environment
from pytest_raq.engines.llamacpp.variables import foreign_variables, worker_variables
from pytest_raq.engines.llamacpp.worker.cache import most_cells, shared_layouts, stream_layouts
from pytest_raq.engines.llamacpp.worker.memory import _size, address_space
from pytest_raq.engines.llamacpp.worker.questions import LoadError
from pytest_raq.records import Answer, Prompt

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "s1",
    "GITHUB_TOKEN": "s2",
    "OPENAI_API_KEY": "s3",
    "DATABASE_URL": "postgres://me:s4@host",
    "LLAMA_API_KEY": "s5",
    "CI_JOB_JWT": "s6",
    "PYTHON_KEYRING_PASSWORD": "s7",
}
NEEDED = {
    "OMP_NUM_THREADS": "2",
    "GGML_CPU_X": "1",
    "CUDA_VISIBLE_DEVICES": "0",
    "LD_LIBRARY_PATH": "/x",
    "LC_ALL": "C",
    "PYTHONHASHSEED": "1",
    "COV_CORE_SOURCE": "x",
}


@pytest.fixture
def variables(monkeypatch):
    for name, value in {**SECRETS, **NEEDED, "PYTHONPATH": "/y"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("variables")
def test_only_named_variables_go_to_a_worker(monkeypatch):
    found = worker_variables()
    assert not SECRETS.keys() & found.keys()
    assert {**NEEDED, "PYTHONPATH": "/y"}.items() <= found.items()
    assert found["PATH"]
    assert foreign_variables() == {k: v for k, v in found.items() if k != "PYTHONPATH"}
    monkeypatch.setenv("RAQ_WORKER_VARIABLES", "GITHUB_TOKEN, OTHER")
    assert worker_variables() == {**found, "GITHUB_TOKEN": "s2"}


@pytest.mark.usefixtures("variables")
def test_an_interpreter_that_a_definition_names_sees_no_secret(tmp_path):
    python = tmp_path / "python"
    told = {"python": [3, 11], "version": "1.0.0", "origin": "/x/llama_cpp/__init__.py"}
    python.write_text(
        f"#!{sys.executable}\nimport json, os\n"
        f"json.dump(dict(os.environ), open({str(tmp_path / 'seen')!r}, 'w'))\n"
        f"print({json.dumps(told)!r})\n"
    )
    python.chmod(0o755)
    find_environment(python)
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["OMP_NUM_THREADS"] == "2"
    assert not SECRETS.keys() & seen.keys()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the limits of a process")
@pytest.mark.usefixtures("variables")
def test_a_worker_has_no_secrets_a_limit_and_answers(tiny_gguf):
    path = tiny_gguf()
    model = ModelDefinition(
        name="m", path=path.with_name("m.toml"), file=str(path), prompt="{question}", max_tokens=4
    )
    with LlamaCppEngine(model) as engine:
        process = Path("/proc") / str(engine._worker.pid)
        variables = (process / "environ").read_bytes().split(b"\0")
        limits = (process / "limits").read_text().splitlines()
        taken = 4096 * int((process / "statm").read_text().split()[0])
        (outcome,) = engine.answers([Prompt("q1", "ab")])
    assert isinstance(outcome, Answer)
    seen = {item.partition(b"=")[0].decode() for item in variables}
    (line,) = [line for line in limits if line.startswith("Max address space")]
    assert not SECRETS.keys() & seen
    assert "OMP_NUM_THREADS" in seen
    limit = int(line.split()[3])
    assert taken < limit < taken + 2**36


SIZE = st.integers(0, 2**40)


@given(SIZE, SIZE, st.integers(1, 2**20), st.integers(1, 256))
def test_the_limit_grows_with_the_file_and_not_beyond_the_machine(small, large, cells, threads):
    small, large = sorted((small, large))

    def limit(size, cells=cells, memory=2**35):
        return address_space(size, cells=cells, threads=threads, taken=2**30, memory=memory)

    assert 2**30 + 3 * small < limit(small) <= limit(large)
    assert limit(small) <= limit(small, cells=cells + 1)
    assert limit(small, cells=2**40) - limit(small, cells=0) == 2**35


@pytest.mark.parametrize(
    ("file", "cells", "cell_bytes"),
    [
        (4.9e9, 131_072, 131_072),  # Llama 3 8B, Q4_K_M
        (2.2e9, 131_072, 393_216),  # Phi 3 mini
        (4.1e9, 65_536, 524_288),  # Llama 2 7B
        (98e6, 131_072, 23_040),  # SmolLM2 135M
    ],
)
def test_known_models_with_long_caches_fit_below_the_limit(file, cells, cell_bytes):
    limit = address_space(int(file), cells=cells, threads=8, taken=0, memory=2**37)
    assert limit > 2 * file + 1.5 * cells * cell_bytes


@given(st.integers(16, 20_000), st.integers(1, 64), st.integers(1, 10**6))
def test_no_cache_is_larger_than_the_limit_expects(limit, parallel, cell):
    most = most_cells(limit, parallel, streams=False)
    for layout in shared_layouts(limit, parallel, bytes_of_a_cell=cell, trained=0):
        assert layout.cells <= most
    most = most_cells(limit, parallel, streams=True)
    try:
        layouts = list(stream_layouts(limit, parallel, bytes_of_a_cell=cell))
    except LoadError:
        return
    assert all(layout.cells <= most for layout in layouts)


def test_a_split_model_counts_with_all_its_files(tmp_path):
    for number in (1, 2):
        (tmp_path / f"m-0000{number}-of-00002.gguf").write_bytes(b"x" * number * 100)
    (tmp_path / "other-00001-of-00002.gguf").write_bytes(b"x" * 5)
    assert _size(tmp_path / "m-00001-of-00002.gguf") == 300
    assert _size(tmp_path / "other-00001-of-00002.gguf") == 5
