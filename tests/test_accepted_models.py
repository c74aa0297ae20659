"""The accepted model is looked for on this machine: its file, and the engine that ran it."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest

from pytest_raq.config import ModelDefinition
from pytest_raq.records import AcceptedSpeed, ModelProvenance
from pytest_raq.running import accepted_models
from pytest_raq.running.accepted_models import AcceptedModels
from pytest_raq.store import Store, tables

OLD = b"GGUF old weights"
OLD_SHA256 = hashlib.sha256(OLD).hexdigest()
OURS, OTHERS = "libraries of ours", "libraries of others"


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.db") as made:
        yield made


@pytest.fixture(autouse=True)
def remembers_new_files(monkeypatch):
    """The hash of a file that was just written is not remembered otherwise."""
    monkeypatch.setattr(tables, "is_racy", lambda _found: False)


@pytest.fixture(autouse=True)
def engines(monkeypatch):
    """Our own environment has one build of llama.cpp, any other Python another one."""
    monkeypatch.setattr(
        accepted_models,
        "libraries_sha256",
        lambda model, _digest: OTHERS if model.python else OURS,
    )


def definition(tmp_path, file="new.gguf", **changes):
    path = tmp_path / file
    path.write_bytes(changes.pop("weights", b"GGUF new weights"))
    return ModelDefinition(name="m", path=tmp_path / "m.toml", file=str(path), **changes)


def before(sha256=OLD_SHA256, build="0.3.36", threads=0):
    options = {"threads": threads}
    return ModelProvenance("llama-cpp", build, "old.gguf", sha256, "", "", "", options)


def find(store, today, speed=None, *, folders=(), originals=None, **given):
    models = AcceptedModels(store, originals or {}, folders)
    return models.find(today, before(**given), speed or AcceptedSpeed(libraries=OURS))


def test_a_file_is_found_in_the_definition_without_the_swap(store, tmp_path):
    original = definition(tmp_path, "old.gguf", weights=OLD)
    found, why = find(store, definition(tmp_path), originals={"m": original})
    assert (found.file, why) == (str(tmp_path / "old.gguf"), "")
    assert (found.name, found.python, found.sha256) == ("m (accepted)", None, None)


def test_a_file_is_found_where_the_store_saw_it(store, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "renamed.gguf"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(OLD)
    assert store.file_hashes.sha256(elsewhere) == OLD_SHA256
    today = definition(tmp_path)
    assert find(store, today)[0].file == str(elsewhere)
    elsewhere.write_bytes(b"GGUF other")  # what the store knew is not true any more
    assert find(store, today) == (None, "the accepted file old.gguf is not on this machine")


def test_a_file_is_found_in_the_folders_of_the_project(store, tmp_path):
    kept = tmp_path / ".raq" / "hub" / "old.gguf"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(OLD)
    found, _ = find(store, definition(tmp_path), folders=(tmp_path / ".raq",))
    assert found.file == str(kept)


def test_a_file_that_is_nowhere_is_named(store, tmp_path):
    assert find(store, definition(tmp_path), sha256="") == (
        None,
        "the accepted file old.gguf is not on this machine",
    )


def test_what_runs_today_is_not_taken_for_the_accepted_engine(store, tmp_path):
    """The environment on trial has the same libraries, and may be slower for another reason."""
    given = {"weights": OLD, "python": "venv/bin/python"}
    today = definition(tmp_path, **given, python_allowed=True)
    found, _ = find(store, today)
    assert found.python is None
    found, _ = find(store, today, AcceptedSpeed(libraries=OTHERS, python="old/bin/python"))
    assert found.python == str(tmp_path / "old/bin/python")


def test_a_program_that_a_baseline_names_is_run_only_if_that_was_allowed(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr(accepted_models, "_version", lambda _model: "0.4.0")
    today = definition(tmp_path, weights=OLD)
    found, why = find(store, today, AcceptedSpeed(libraries=OTHERS, python="evil.sh"))
    assert (found, why) == (None, "the accepted engine, llama-cpp-python 0.3.36, is not here")


def test_an_engine_of_an_environment_that_ran_before_is_found(store, tmp_path, monkeypatch):
    root = tmp_path / "old"
    library = root / "lib/python3.12/site-packages/llama_cpp/lib/libllama.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"code")
    (root / "pyvenv.cfg").write_text("")
    monkeypatch.setattr(accepted_models, "folder_sha256", lambda folder, _digest: f"of {folder}")
    hashes = SimpleNamespace(
        sha256=store.file_hashes.sha256, paths_of=lambda _: [], paths_like=lambda _: [library]
    )
    models = AcceptedModels(SimpleNamespace(file_hashes=hashes))
    today = definition(tmp_path, weights=OLD)
    speed = AcceptedSpeed(libraries=f"of {library.parent}")
    found, why = models.find(today, before(), speed)
    assert (found.python, why) == (str(root), "")
    gone = AcceptedSpeed(libraries="of a build that is gone")
    monkeypatch.setattr(accepted_models, "_version", lambda _model: "0.4.0")
    assert models.find(today, before(), gone) == (
        None,
        "the accepted engine, llama-cpp-python 0.3.36, is not here",
    )


def test_the_pattern_of_the_store_finds_libraries(store, tmp_path):
    paths = []
    for name in ("llama_cpp/lib/libllama.so", "other/lib/libllama.so", "llama_cpp/lib/libggml.so"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"code")
        store.file_hashes.sha256(path)
        paths.append(path)
    assert store.file_hashes.paths_like(accepted_models._LIBRARIES) == paths[:1]


def test_an_older_baseline_knows_the_version_only(store, tmp_path, monkeypatch):
    monkeypatch.setattr(accepted_models, "_version", lambda _model: "0.3.36")
    models = AcceptedModels(store)
    today = definition(tmp_path, weights=OLD)
    found, _ = models.find(today, before(threads=3), None)
    assert (found.python, found.threads) == (None, 3)
    assert models.find(today, before(build="0.3.30"), None)[0] is None
    compiled_elsewhere = AcceptedSpeed(libraries="other bytes of the same version")
    described = before(build="0.3.36 (llama.cpp; CPU : AVX2)")
    assert models.find(today, described, compiled_elsewhere)[0].python is None


def test_threads_are_those_that_were_accepted(store, tmp_path):
    today = definition(tmp_path, weights=OLD, threads=8)
    assert find(store, today, AcceptedSpeed(libraries=OURS, threads=2))[0].threads == 2
    assert find(store, today, AcceptedSpeed(libraries=OURS))[0].threads is None
