"""One store, many processes; some of them are killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_raq.records import Answer, FinishReason, Timing
from pytest_raq.store import Store, hash_parts
from pytest_raq.store.maintenance import Selection, prune_store

ANSWER = Answer("q", "m", "text", FinishReason.STOP, Timing())

WRITER = """
import sys
from pathlib import Path
from pytest_raq.records import Answer, FinishReason, Timing
from pytest_raq.store import Store, hash_parts

path, writer, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = Store(path)
for number in range(count):
    answer = Answer("q", "m", f"{writer} {number}", FinishReason.STOP, Timing())
    store.answers.put(hash_parts(writer=writer, number=number), answer)
    print(number, flush=True)
print(*store.notices, file=sys.stderr)
store.close()
"""

READER_AS_NOBODY = """
import fcntl
import os
import sys
from pathlib import Path
from pytest_raq.records import Answer, FinishReason, Timing
from pytest_raq.store import Store, hash_parts

os.setuid(65534)  # after the imports: nobody may read them
store = Store(Path(sys.argv[1]), on_error="degrade")
store.answers.put("new", Answer("q", "m", "text", FinishReason.STOP, Timing()))
print(len(list(store.answers.get_many({"q": hash_parts(writer="a", number=0)}, "m"))))
print(*store.notices, sep="\\n")
"""


def start(script, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def kept(store, writer, count):
    wanted = {str(number): hash_parts(writer=writer, number=number) for number in range(count)}
    found = {answer.question_id: answer.text for answer in store.answers.get_many(wanted, "m")}
    assert all(text == f"{writer} {number}" for number, text in found.items())
    return len(found)


@pytest.mark.parametrize("content", [None, b"garbage" * 1000])
def test_processes_that_start_together_share_one_store(tmp_path, content):
    path = tmp_path / "folder" / "store.db"
    if content:
        path.parent.mkdir()
        path.write_bytes(content)
    writers = [start(WRITER, path, name, 150) for name in "abcd"]
    told = ""
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
        told += errors.strip()
    with Store(path) as store:
        assert [kept(store, name, 150) for name in "abcd"] == [150] * 4
        assert store.notices == []
    aside = [item.name for item in path.parent.iterdir() if "damaged" in item.name]
    assert aside == (["store.db.damaged-1"] if content else [])
    assert told.count("it is kept as store.db.damaged-1") == (1 if content else 0)


def test_a_store_damaged_under_many_writers_costs_no_later_answer(tmp_path):
    path = tmp_path / "store.db"
    Store(path).close()
    writers = [start(WRITER, path, name, 400) for name in "abc"]
    for writer in writers:
        for _ in range(50):
            writer.stdout.readline()
    with path.open("r+b") as file:  # not even a database any more
        file.write(os.urandom(100))
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
    with Store(path) as store:
        for name in "abc":
            last = store.answers.get(hash_parts(writer=name, number=399), "q", "m")
            assert last.text == f"{name} 399"


@pytest.mark.parametrize("moment", range(5))
def test_a_killed_process_loses_at_most_the_answer_in_flight(tmp_path, moment):
    path = tmp_path / "store.db"
    writer = start(WRITER, path, "a", 100_000)
    for _ in range(20 + 37 * moment):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    said = writer.stdout.read()
    writer.communicate(timeout=60)
    written = 20 + 37 * moment + len(said.splitlines())
    with Store(path) as store:
        assert store.notices == []
        assert kept(store, "a", written + 5) in (written, written + 1)
    check = sqlite3.connect(path)
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()


def test_pruning_while_others_write_costs_them_nothing(tmp_path):
    path = tmp_path / "store.db"
    with Store(path) as store:
        for number in range(3000):
            store.answers.put(f"old {number}", ANSWER)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("UPDATE answers SET created = 0")
    other.close()
    writers = [start(WRITER, path, name, 1500) for name in "ab"]
    for writer in writers:
        writer.stdout.readline()
    report = prune_store(path, Selection(before=1000))
    assert report.removed["answers"] == 3000
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert (writer.returncode, errors.strip()) == (0, "")
    with Store(path) as store:
        assert [kept(store, name, 1500) for name in "ab"] == [1500] * 2
        assert store.answers.get("old 1", "q", "m") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("log", [False, True])
def test_a_folder_that_cannot_be_written_is_read_and_told(log):
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "store.db"
        store = Store(path)
        store.answers.put(hash_parts(writer="a", number=0), ANSWER)
        if not log:
            store.close()
        Path(folder).chmod(0o755)
        before = path.read_bytes()
        reader = start(READER_AS_NOBODY, path)
        said, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
        answers, *notices = said.splitlines()
        assert len(notices) == 1
        assert notices[0].startswith(
            f"answers are not stored from now on: {path}: cannot be used: "
        )
        if not log:  # else the log cannot be shared with who may not write it
            assert answers == "1"
        assert path.read_bytes() == before
        store.close()


def test_a_lock_on_the_folder_that_is_never_released_is_not_waited_for_for_ever(tmp_path):
    import fcntl

    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    started = time.monotonic()
    with Store(tmp_path / "store.db", busy_seconds=0.2) as store:
        store.answers.put("k", ANSWER)
    assert time.monotonic() - started < 5
    os.close(folder)
