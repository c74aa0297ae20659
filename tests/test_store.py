"""The store: what outlives a run."""

from __future__ import annotations

import json
import os
import sqlite3
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_raq.errors import StoreError
from pytest_raq.files import write_atomically
from pytest_raq.records import (
    Answer,
    EngineInfo,
    FinishReason,
    JudgeExchange,
    JudgeIdentity,
    JudgeVerdict,
    Prompt,
    Question,
    Timing,
)
from pytest_raq.store import AnswerKeys, Store, hash_parts, verdict_key
from pytest_raq.store.schema import FORMAT, TABLES
from pytest_raq.text import well_formed

TIMING = Timing(10, 10, 3, 0.5, 0.4, 0.2, 0.7)
ANSWER = Answer("q1", "m", "Zürich \u0000 \U0001f600", FinishReason.LENGTH, TIMING)
QUESTION = Question("q1", "T", "A passage.", "What?", ("this", "that"))
VERDICT = JudgeVerdict(
    ((1,), (0, 2)), exchanges=(JudgeExchange("Rank these.", "2 > 1 = 3", {"cost": 0.01}),)
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "store.db"


def test_an_answer_survives_the_run_that_made_it(path):
    with Store(path) as store:
        store.answers.put("k", ANSWER)
    with Store(path) as again:
        assert again.answers.get("k", "q1", "m") == ANSWER
        assert again.answers.get("k", "q2", "other") == replace(
            ANSWER, question_id="q2", model="other"
        )
        assert again.answers.get("other", "q1", "m") is None


def test_many_answers_are_read_with_few_statements(path):
    with Store(path) as store:
        for number in range(1200):
            store.answers.put(f"k{number}", replace(ANSWER, text=str(number)))
        wanted = {f"q{number}": f"k{number}" for number in range(1300)}
        found = {answer.question_id: answer.text for answer in store.answers.get_many(wanted, "m")}
    assert found == {f"q{number}": str(number) for number in range(1200)}


def test_questions_with_one_prompt_share_an_answer(path):
    with Store(path) as store:
        store.answers.put("k", ANSWER)
        found = store.answers.get_many({"q1": "k", "q2": "k", "q3": "none"}, "m")
        assert [answer.question_id for answer in found] == ["q1", "q2"]


def test_an_engine_survives_the_run_that_loaded_it(path):
    info = EngineInfo("llama-cpp", "1", "Q4_K_M", "aa", "bb", 7)
    with Store(path) as store:
        store.engines.put("k", info)
        assert store.engines.get("k") == info
        assert store.engines.get("other") is None


def test_a_verdict_survives_with_what_was_said_to_the_judge(path):
    with Store(path) as store:
        store.verdicts.put("k", "gpt", VERDICT)
    with Store(path) as again:
        assert again.verdicts.get("k") == VERDICT
        assert again.verdicts.get("other") is None


TEXTS = st.text(st.characters(codec=None))


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, reply=TEXTS)
def test_any_text_survives_except_half_a_surrogate_pair_in_an_answer(tmp_path_factory, text, reply):
    path = tmp_path_factory.mktemp("store") / "store.db"
    verdict = JudgeVerdict((), text, (JudgeExchange(text, reply),))
    with Store(path) as store:
        store.answers.put("k", replace(ANSWER, text=text))
        store.verdicts.put("k", "j", verdict)
        assert store.answers.get("k", "q1", "m").text == well_formed(text)
        assert store.verdicts.get("k") == verdict


def test_a_key_depends_on_every_part_and_on_no_order():
    key = hash_parts(model="m", options={"a": 1, "b": 2})
    assert key == hash_parts(options={"b": 2, "a": 1}, model="m")
    assert key != hash_parts(model="m", options={"a": 1, "b": 3})


@given(text=TEXTS, other=TEXTS, chat=st.booleans())
def test_the_key_of_an_answer_depends_on_prompt_and_model_not_on_the_question(text, other, chat):
    keys = AnswerKeys(model="m")
    key = keys.key(Prompt("q1", text, chat=chat))
    assert key == keys.key(Prompt("q2", text, chat=chat))
    assert key != keys.key(Prompt("q1", text, chat=not chat))
    assert (key == keys.key(Prompt("q1", other, chat=chat))) == (text == other)
    assert key != AnswerKeys(model="n").key(Prompt("q1", text, chat=chat))


def test_the_key_of_a_verdict_depends_on_judge_question_and_texts():
    judge = JudgeIdentity("gpt", "aa", {"model": "x", "order_seed": "0"})
    key = verdict_key(judge, QUESTION, ("a", "b"))
    assert key == verdict_key(judge, QUESTION, ("b", "a", "a"))
    others = [
        verdict_key(judge, QUESTION, ("a", "c")),
        *(
            verdict_key(replace(judge, **change), QUESTION, ("a", "b"))
            for change in ({"name": "x"}, {"prompt_sha256": "bb"}, {"options": {"order_seed": "1"}})
        ),
        *(
            verdict_key(judge, replace(QUESTION, **change), ("a", "b"))
            for change in ({"references": ("this",)}, {"question": "Who?"}, {"passage": "B"})
        ),
    ]
    assert len({key, *others}) == len(others) + 1


def test_a_folder_is_no_store(tmp_path):
    with pytest.raises(StoreError, match=r"is a folder; --raq-store needs a file$"):
        Store(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match=r"is not a regular file; --raq-store needs one$"):
        Store(tmp_path / "pipe")


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be used: .*; choose another with --raq-store$"):
        Store(tmp_path / "file" / "store.db")


def test_a_command_that_reads_makes_no_store(path):
    with pytest.raises(StoreError, match=r"store.db: does not exist; the first run creates it$"):
        Store(path, mend=False)
    assert not path.parent.exists()


def test_the_format_stands_in_the_file(path):
    Store(path).close()
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA user_version").fetchone() == (FORMAT,)
    assert other.execute("PRAGMA application_id").fetchone() == (0x52415131,)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    names = {row[0] for row in other.execute("SELECT name FROM sqlite_master")}
    assert names >= set(TABLES)
    other.close()


def test_other_tables_are_another_format():
    """Where this fails: count `FORMAT` up, migrate, then write the new hash here."""
    assert (FORMAT, hash_parts(tables=TABLES)[:12]) == (6, "c2aaf217bc2b")


def test_a_store_of_a_newer_format_is_left_as_it_is(path):
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.execute("CREATE TABLE later (x)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(
        StoreError,
        match=r"store.db: its format is 99, this version knows up to 6; it was not changed:"
        r" use the newer pytest-raq, or choose another with --raq-store$",
    ):
        Store(path)
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == ["store.db"]


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_database_of_something_else_is_left_as_it_is(path, version):
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (x)")
    other.execute(f"PRAGMA user_version = {version}")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"it is the database of another program; it was not"):
        Store(path)
    assert path.read_bytes() == before


def former_store(path, *rows):
    """Write a store as format 1 did."""
    path.parent.mkdir(parents=True, exist_ok=True)
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("PRAGMA journal_mode = WAL")
    old.execute(
        "CREATE TABLE entries (kind TEXT NOT NULL, key TEXT NOT NULL,"
        " payload TEXT NOT NULL, created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,"
        " PRIMARY KEY (kind, key)) WITHOUT ROWID"
    )
    old.executemany("INSERT INTO entries (kind, key, payload) VALUES (?, ?, ?)", rows)
    old.execute("PRAGMA user_version = 1")
    old.close()


def test_a_store_of_format_1_becomes_one_of_this_format_and_keeps_what_it_had(path):
    timing = {"prompt_tokens": 10, "total_seconds": 0.7}
    answer = {"text": "Zürich", "finish_reason": "stop", "timing": timing}
    engine = {"engine": "llama-cpp", "build": "1"}
    former_store(
        path,
        ("answer", "a", json.dumps(answer, ensure_ascii=False)),
        ("engine", "e", json.dumps(engine)),
        ("answer", "bad", "{"),
    )
    with Store(path) as store:
        assert store.answers.get_former("a", "q1", "m") == Answer(
            "q1", "m", "Zürich", FinishReason.STOP, Timing(10, total_seconds=0.7)
        )
        assert store.engines.get_former("e") == EngineInfo("llama-cpp", "1")
        assert store.answers.get_former("bad", "q1", "m") is None
        assert store.answers.get_former("none", "q1", "m") is None
        store.answers.put("k", ANSWER)
    with Store(path) as again:
        assert again.answers.get("k", "q1", "m") == ANSWER
        assert again.notices == []


def test_memory_does_not_grow_with_answers_kept(path):
    with Store(path) as store:
        for number in range(200):
            store.answers.put(f"warm {number}", ANSWER)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(3000):
            store.answers.put(f"k{number}", ANSWER)
        kept = tracemalloc.get_traced_memory()[0] - before
        assert kept < 100_000
        wanted = {f"q{number}": f"k{number}" for number in range(3000)}
        tracemalloc.reset_peak()
        start = tracemalloc.get_traced_memory()[0]
        assert sum(1 for _ in store.answers.get_many(wanted, "m")) == 3000
        peak = tracemalloc.get_traced_memory()[1] - start
        tracemalloc.stop()
    assert peak < 1_500_000


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
