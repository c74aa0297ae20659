"""Hashes of files are remembered, and never when a file may have changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import time

import pytest
from gguf_files import define

import pytest_raq.store.tables as store_module
from pytest_raq import files
from pytest_raq.answering import EnginePool, ModelAnswers
from pytest_raq.engines.llamacpp.model_file import verify_model_file
from pytest_raq.errors import EngineStartError
from pytest_raq.progress import NoProgress
from pytest_raq.records import Answer, Question
from pytest_raq.store import Store
from pytest_raq.store import keys as digests

QUESTION = Question("q", "", "Berne is in Switzerland.", "Where is Berne?", ("Switzerland",))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def reads(monkeypatch):
    """The files that were read, in order."""
    seen = []

    def counted(path):
        seen.append(path.name)
        return files.hash_file(path)

    monkeypatch.setattr(store_module, "hash_file", counted)
    return seen


@pytest.fixture
def later(monkeypatch):
    """Let files written in the test be old enough to be trusted."""
    monkeypatch.setattr(digests.time, "time", lambda now=time.time: now() + 10)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.db") as made:
        yield made


@pytest.mark.usefixtures("later")
def test_a_file_is_read_once_for_all_runs(tmp_path, store, reads):
    path = tmp_path / "big.gguf"
    path.write_bytes(b"weights")
    assert store.file_hashes.sha256(path) == store.file_hashes.sha256(path) == sha256(b"weights")
    with Store(store.path) as another_run:
        assert another_run.file_hashes.sha256(path) == sha256(b"weights")
    assert reads == ["big.gguf"]


def test_a_file_that_changed_a_moment_ago_is_read_again(tmp_path, store, reads):
    path = tmp_path / "new.gguf"
    path.write_bytes(b"one")
    assert store.file_hashes.sha256(path) == sha256(b"one")
    path.write_bytes(b"two")
    assert store.file_hashes.sha256(path) == sha256(b"two")
    assert reads == ["new.gguf"] * 2


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("how", ["size", "time", "time set back", "another file", "future"])
def test_a_file_that_changed_is_never_taken_for_what_it_was(tmp_path, store, how):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"weights")
    before = path.stat()
    store.file_hashes.sha256(path)
    content = b"weightz"
    if how == "size":
        content = b"weights and more"
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif how == "another file":
        (tmp_path / "other").write_bytes(content)
        os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
        (tmp_path / "other").replace(path)
    else:
        time.sleep(0.02)
        path.write_bytes(content)
        if how == "time set back":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        elif how == "future":
            os.utime(path, (time.time() + 1000, time.time() + 1000))
    assert store.file_hashes.sha256(path) == sha256(content)


@pytest.mark.usefixtures("later")
def test_a_file_that_changes_while_it_is_read_is_not_remembered(tmp_path, store, monkeypatch):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"one")
    read = files.hash_file

    def slow(file):
        digest = read(file)
        time.sleep(0.02)
        path.write_bytes(b"two")
        return digest

    monkeypatch.setattr(store_module, "hash_file", slow)
    store.file_hashes.sha256(path)
    monkeypatch.setattr(store_module, "hash_file", read)
    assert store.file_hashes.sha256(path) == sha256(b"two")


def test_a_file_that_is_not_there_is_the_callers_to_tell(tmp_path, store):
    with pytest.raises(FileNotFoundError):
        store.file_hashes.sha256(tmp_path / "none.gguf")


@pytest.mark.usefixtures("later")
def test_a_remembered_hash_is_held_against_the_definition(tiny_gguf, store):
    path = tiny_gguf()
    digest = store.file_hashes.sha256(path)
    assert verify_model_file(define(path), store.file_hashes.sha256) == digest
    with pytest.raises(EngineStartError, match=r"its SHA-256 starts with"):
        verify_model_file(define(path, sha256="0" * 64), store.file_hashes.sha256)


@pytest.mark.usefixtures("later")
def test_a_run_with_a_real_model_reads_its_file_once_and_the_next_run_never(
    tiny_gguf, tmp_path, store, reads
):
    path = tmp_path / "model.gguf"
    shutil.copyfile(tiny_gguf(), path)
    model = define(path, max_tokens=2)

    def run():
        pool = EnginePool(digest=store.file_hashes.sha256)
        answers = ModelAnswers(model, [QUESTION], pool=pool, store=store, progress=NoProgress())
        outcome = answers.get("q")
        pool.close()
        return outcome

    first = run()
    assert isinstance(first, Answer)
    assert reads.count("model.gguf") == 1
    libraries = len(reads) - 1
    assert libraries > 0
    assert run() == first
    assert len(reads) == libraries + 1
