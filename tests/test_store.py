"""The store: what outlives a run, and what happens when its file is not what it was."""

from __future__ import annotations

import os
import sqlite3
import threading

import pytest

from pytest_raq.errors import StoreError
from pytest_raq.records import Answer, EngineInfo, FinishReason, Timing
from pytest_raq.store import AnswerStore, ForgivingStore, answer_key, write_atomically

TIMING = Timing(10, 10, 3, 0.5, 0.4, 0.2, 0.7)
ANSWER = Answer("q1", "m", "Zürich \u0000 \U0001f600", FinishReason.LENGTH, TIMING)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "store.db"


def test_an_answer_survives_the_run_that_made_it(path):
    store = AnswerStore(path)
    store.put_answer("k", ANSWER)
    store.close()
    again = AnswerStore(path)
    assert again.get_answer("k", "q1", "m") == ANSWER
    assert again.get_answer("other", "q1", "m") is None
    again.close()


def test_an_engine_survives_the_run_that_loaded_it(path):
    info = EngineInfo("llama-cpp", "1", "Q4_K_M", "aa", "bb", 7)
    store = AnswerStore(path)
    store.put_engine("k", info)
    assert store.get_engine("k") == info
    assert store.get_engine("other") is None
    store.close()


def test_a_key_depends_on_every_part_and_on_no_order():
    key = answer_key(model="m", options={"a": 1, "b": 2})
    assert key == answer_key(options={"b": 2, "a": 1}, model="m")
    assert key != answer_key(model="m", options={"a": 1, "b": 3})


@pytest.mark.parametrize(
    "content", [b"no database at all, " * 100, b"SQLite format 3\0" + b"x" * 9000]
)
def test_a_damaged_store_is_set_aside_by_name(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    store = AnswerStore(path)
    store.put_answer("k", ANSWER)
    assert "could not be read" in store.notice
    assert store.notice.endswith("it is kept as store.db.damaged-1")
    assert (path.parent / "store.db.damaged-1").read_bytes() == content
    store.close()


def test_a_store_of_another_format_is_set_aside(path):
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    store = AnswerStore(path)
    assert "its format is 99, this version writes 1" in store.notice
    store.close()


def test_a_folder_is_no_store(tmp_path):
    with pytest.raises(StoreError, match=r"is a folder; --raq-store wants a file$"):
        AnswerStore(tmp_path)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be used: .*; choose another with --raq-store$"):
        AnswerStore(tmp_path / "file" / "store.db")


def test_many_writers_share_one_store(path):
    AnswerStore(path).close()

    def write(writer):
        store = AnswerStore(path)
        for number in range(50):
            store.put_answer(f"{writer}-{number}", ANSWER)
        store.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = AnswerStore(path)
    for writer in range(4):
        assert store.get_answer(f"{writer}-49", "q1", "m") == ANSWER
    store.close()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "result.json"
    write_atomically(path, "one\n")
    assert path.read_bytes() == b"one\n"

    def no_room(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(
        StoreError, match=r"result.json: cannot be written: No space left on device"
    ):
        write_atomically(path, "two\n")
    assert path.read_bytes() == b"one\n"
    assert list(path.parent.iterdir()) == [path]


def test_the_first_error_ends_the_use_of_a_store_and_is_told_once(path):
    store = ForgivingStore(path)
    store.put_answer("k", ANSWER)
    other = sqlite3.connect(path)
    other.execute("DROP TABLE entries")
    other.close()
    store.put_answer("l", ANSWER)
    assert store.get_answer("k", "q1", "m") is None
    assert store.get_engine("k") is None
    store.put_engine("k", EngineInfo("e", "1"))
    assert len(store.notices) == 1
    assert store.notices[0].startswith("answers are not kept from here on: ")
    store.close()
