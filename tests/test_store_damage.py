"""A damaged store is set aside by name, what can be read of it is saved, the run goes on."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import replace

import pytest

from pytest_raq.errors import StoreError
from pytest_raq.records import Answer, EngineInfo, FinishReason, JudgeVerdict, Timing
from pytest_raq.store import Store, hash_parts

TIMING = Timing(10, 10, 3, 0.5, 0.4, 0.2, 0.7)
ANSWER = Answer("q1", "m", "Zürich", FinishReason.STOP, TIMING)
PAGE = 4096
KEYS = [hash_parts(number=number) for number in range(2000)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "store.db"


@pytest.fixture
def full(path):
    """A store of two thousand answers in one file, without a log."""
    with Store(path) as store:
        for number, key in enumerate(KEYS):
            store.answers.put(key, replace(ANSWER, text=f"answer {number}"))
        store.verdicts.put(KEYS[0], "j", JudgeVerdict(((0,), (1,))))
    assert not path.with_name("store.db-wal").exists()
    return path


def survivors(store):
    """Return how many answers can be read; each must be the one that was kept."""
    found = {a.question_id: a.text for a in store.answers.get_many({k: k for k in KEYS}, "m")}
    assert all(text == f"answer {KEYS.index(key)}" for key, text in found.items())
    return len(found)


def names(path):
    return sorted(item.name for item in path.parent.iterdir())


@pytest.mark.parametrize(
    "content",
    [
        b"no database at all, " * 100,
        b"SQLite format 3\0" + b"x" * 9000,
        b"\0" * 9000,
        b"x",
    ],
)
def test_garbage_is_set_aside_by_name(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with Store(path) as store:
        store.answers.put("k", ANSWER)
        assert len(store.notices) == 1
        assert store.notices[0].startswith(f"the store {path} could not be read (")
        assert store.notices[0].endswith("); it is kept as store.db.damaged-1")
        assert store.answers.get("k", "q1", "m") == ANSWER
    assert path.with_name("store.db.damaged-1").read_bytes() == content


def test_an_empty_file_becomes_a_store(path):
    path.parent.mkdir()
    path.touch()
    with Store(path) as store:
        store.answers.put("k", ANSWER)
        assert store.notices == []


def test_each_damaged_store_has_a_number(path):
    for number in (1, 2, 3):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"garbage")
        with Store(path) as store:
            assert store.notices[0].endswith(f"it is kept as store.db.damaged-{number}")
        for suffix in ("", "-wal", "-shm"):
            path.with_name(f"store.db{suffix}").unlink(missing_ok=True)


def test_the_log_goes_with_its_store(path):
    store = Store(path)
    store.answers.put("k", ANSWER)
    log = path.with_name("store.db-wal").read_bytes()
    assert log
    path.write_bytes(b"")  # as a full disk or a tool may leave it
    with Store(path) as other:
        assert "(it is empty, and its log is not); it is kept as" in other.notices[0]
    assert path.with_name("store.db.damaged-1-wal").read_bytes() == log
    store.close()


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DROP TABLE answers", "it has no table answers"),
        (
            "ALTER TABLE answers RENAME COLUMN payload TO x",
            "its table answers does not belong to a",
        ),
        (
            "ALTER TABLE run_models ADD COLUMN more",
            "its table run_models does not belong to a store",
        ),
        ("PRAGMA user_version = 0", "it has no format"),
    ],
)
def test_a_store_with_wrong_tables_is_set_aside(path, statement, why):
    with Store(path) as store:
        store.verdicts.put(KEYS[0], "j", JudgeVerdict(((0,),)))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(statement)
    other.close()
    with Store(path) as store:
        assert f"could not be read ({why}" in store.notices[0]
        assert store.notices[0].endswith("; 1 of its entries were saved")
        assert store.verdicts.get(KEYS[0]) == JudgeVerdict(((0,),))


def test_a_store_of_format_1_with_wrong_tables_is_set_aside(path):
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE entries (x)")
    other.execute("PRAGMA user_version = 1")
    other.close()
    with Store(path) as store:
        assert "its table entries does not belong to a store" in store.notices[0]


def test_a_table_that_vanishes_in_the_middle_of_a_run_is_a_new_store(full):
    with Store(full) as store:
        assert survivors(store) == 2000
        other = sqlite3.connect(full)
        other.execute("DROP TABLE answers")
        other.close()
        store.answers.put(KEYS[1], replace(ANSWER, text="answer 1"))
        assert survivors(store) == 1
        assert "no such table: answers" in store.notices[0]
        assert store.verdicts.get(KEYS[0])


@pytest.mark.parametrize("seed", range(6))
def test_pages_of_noise_cost_what_stood_on_them(full, seed):
    noise = random.Random(seed)  # noqa: S311 - seeded
    data = bytearray(full.read_bytes())
    pages = noise.sample(range(10, len(data) // PAGE), 3)
    for page in pages:
        data[page * PAGE : (page + 1) * PAGE] = noise.randbytes(PAGE)
    full.write_bytes(data)
    with Store(full) as store:
        survivors(store)
        store.answers.put(KEYS[0], replace(ANSWER, text="answer 0"))
        assert survivors(store) > 1700
        assert "it is kept as store.db.damaged-1; " in store.notices[0]
        assert store.notices[0].endswith(" of its entries were saved")
    assert full.with_name("store.db.damaged-1").read_bytes() == bytes(data)
    with Store(full) as again:
        assert survivors(again) > 1700
        assert again.notices == []


@pytest.mark.parametrize("seed", range(8))
def test_single_bytes_of_noise_never_become_an_answer(full, seed):
    noise = random.Random(seed)  # noqa: S311 - seeded
    data = bytearray(full.read_bytes())
    for _ in range(20):
        data[noise.randrange(100, len(data))] ^= 1 << noise.randrange(8)
    full.write_bytes(data)
    with Store(full) as store:
        survivors(store)
        store.answers.put(KEYS[0], replace(ANSWER, text="answer 0"))
        assert store.answers.get(KEYS[0], "q", "m").text == "answer 0"


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
def test_a_store_that_was_cut_short_is_set_aside(full, share):
    data = full.read_bytes()
    full.write_bytes(data[: int(len(data) * share)])
    with Store(full) as store:
        survivors(store)
        store.answers.put(KEYS[0], replace(ANSWER, text="answer 0"))
        assert survivors(store) >= 1
        assert len(store.notices) == 1


def test_a_damaged_store_is_not_touched_by_a_command_that_reads(full):
    full.write_bytes(b"garbage")
    with pytest.raises(StoreError, match=r"is damaged \(file is not a database\); the next run"):
        Store(full, mend=False)
    assert names(full) == ["store.db"]


def test_a_store_that_is_removed_in_the_middle_of_a_run_is_made_anew(full):
    with Store(full) as store:
        for item in full.parent.iterdir():
            item.unlink()
        full.parent.rmdir()
        store.answers.put("k", ANSWER)
    with Store(full) as again:
        assert again.answers.get("k", "q1", "m") == ANSWER


def test_a_store_that_another_process_set_aside_is_followed_to_the_new_one(full):
    first, second = Store(full), Store(full)
    data = bytearray(full.read_bytes())
    data[PAGE * 10 : PAGE * 60] = b"\xa5" * PAGE * 50
    full.write_bytes(data)
    with Store(full) as third:  # finds the damage, and saves what it can
        survivors(third)
        assert len(third.notices) == 1
    for number, store in enumerate((first, second)):
        store.answers.put(f"late {number}", ANSWER)
        store.close()
    with Store(full) as store:
        assert store.answers.get("late 0", "q1", "m") == ANSWER
        assert store.answers.get("late 1", "q1", "m") == ANSWER
    assert "store.db.damaged-2" not in names(full)


def test_a_full_disk_is_told_once_and_what_was_kept_can_still_be_read(full):
    store = Store(full, on_error="degrade")
    connection = store._access.database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(300):
        store.answers.put(f"new {number}", replace(ANSWER, text="x" * 2000))
    store.engines.put("k", EngineInfo("e", "1"))
    assert store.notices == [
        (
            f"answers are not stored from now on: {full}: cannot be used: database or disk is full;"
            " choose another with --raq-store"
        )
    ]
    assert next(store.answers.get_many({"q3": KEYS[3]}, "m")).text == "answer 3"
    store.close()
    with Store(full) as again:
        assert survivors(again) == 2000


def test_a_store_that_stays_locked_is_told_once_and_can_still_be_read(full):
    other = sqlite3.connect(full, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = Store(full, busy_seconds=0.1, on_error="degrade")
    for number in range(50):
        store.answers.put(f"new {number}", ANSWER)
    assert store.notices == [
        (
            f"answers are not stored from now on: {full}: cannot be used: database is locked;"
            " choose another with --raq-store"
        )
    ]
    assert store.verdicts.get(KEYS[0])
    store.close()
    other.execute("ROLLBACK")
    other.close()


def test_without_a_store_nothing_is_kept_and_nothing_fails(tmp_path):
    store = Store(tmp_path, on_error="degrade")
    store.answers.put("k", ANSWER)
    store.verdicts.put("k", "j", JudgeVerdict(((0,),)))
    store.engines.put("k", EngineInfo("e", "1"))
    assert list(store.answers.get_many({"q": "k"}, "m")) == []
    assert store.verdicts.get("k") is None
    assert store.engines.get("k") is None
    (tmp_path / "f").write_bytes(b"")
    assert store.file_hashes.sha256(tmp_path / "f").startswith("e3b0c44298fc")
    assert len(store.notices) == 1
    store.close()
    store.close()
