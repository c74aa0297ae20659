"""A store that somebody planted: refused before it computes, fills the memory, or is believed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
import zlib

import pytest
from projects import Project

from pytest_raq.cli import main
from pytest_raq.errors import ConfigError, StoreError
from pytest_raq.records import Answer, FinishReason, Timing
from pytest_raq.running.transfer import export_text
from pytest_raq.store import Store, codec, database, open_for_run, runs

ANSWER = Answer("q", "m", "text", FinishReason.STOP, Timing())
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT "


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "store.db"
    with Store(path) as store:
        store.answers.put("k", ANSWER)
        store.results.put("r1", "mini", {"a": 1})
    return path


def change(path, *statements):
    other = sqlite3.connect(path)
    for statement in statements:
        other.execute(*(statement if isinstance(statement, tuple) else (statement,)))
    other.commit()
    other.close()


ACTIVE = [
    (
        (
            "DROP TABLE answers",
            (
                f"CREATE VIEW answers AS {ENDLESS} x AS key, x AS model, x AS payload,"
                " x AS checksum, x AS created FROM c"
            ),
        ),
        "the view answers",
    ),
    (
        (f"CREATE TRIGGER late AFTER INSERT ON answers BEGIN {ENDLESS} max(x) FROM c; END",),
        "the trigger late",
    ),
    (("CREATE INDEX slow ON answers (length(payload))",), "the index slow"),
    (
        (
            "DROP TABLE answers",
            (
                "CREATE TABLE answers (key TEXT PRIMARY KEY, model, payload, checksum, created,"
                " CHECK (length(payload) > 0))"
            ),
        ),
        "the table answers",
    ),
    (("CREATE VIRTUAL TABLE extra USING fts5(text)",), "the table extra"),
]


@pytest.mark.parametrize(("statements", "what"), ACTIVE)
def test_a_store_that_computes_is_refused_and_not_changed(path, statements, what):
    change(path, *statements)
    before = path.read_bytes()
    started = time.monotonic()
    with pytest.raises(StoreError) as caught:
        Store(path)
    assert str(caught.value) == (
        f"{path}: it has {what}, which no store has in this form; it was not changed: remove it, or"
        " choose another with --raq-store"
    )
    with Store(path, on_error="degrade") as store:  # as a run opens it
        assert store.answers.get("k", "q", "m") is None
        assert store.notices == [f"answers are not stored from now on: {caught.value}"]
    assert time.monotonic() - started < 5
    assert path.read_bytes() == before
    assert main(["store", "info", "--store", str(path)]) == 2


def test_a_damaged_store_with_a_view_is_set_aside_without_reading_the_view(path):
    change(path, *ACTIVE[0][0], "DROP TABLE verdicts")
    aside = path.with_name("aside")
    path.rename(aside)
    with Store(path) as store:
        connection = sqlite3.connect(path, isolation_level=None)
        assert database.salvage(aside, connection) == 0
        connection.close()
        assert store.answers.get("k", "q", "m") is None


def test_functions_in_the_schema_are_not_trusted(path):
    with Store(path) as store:
        connection = store.runs._access.database._connection
        assert connection.execute("PRAGMA trusted_schema").fetchone() == (0,)


def test_a_row_that_is_too_large_is_not_read(path, monkeypatch):
    monkeypatch.setattr(database, "MOST_ROW_BYTES", 100_000)
    text = "x" * 200_000
    payload = codec.to_payload({"text": text, "finish_reason": "stop", "timing": {}})
    row = ("k", "m", payload, codec.checksum("k", payload), 1)
    change(path, ("REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", row))
    with (
        pytest.raises(StoreError, match="string or blob too big; choose another"),
        Store(path) as s,
    ):
        s.answers.get("k", "q", "m")
    with Store(path, on_error="degrade") as store:
        assert store.answers.get("k", "q", "m") is None


def plant_result(path, payload):
    values = (payload, codec.checksum_of_bytes("r1", "mini", payload))
    change(path, ("UPDATE results SET payload = ?, checksum = ?", values))


@pytest.mark.parametrize(
    "payload",
    [
        zlib.compress(b"[" * 3_000_000),  # longer than the limit of this test
        zlib.compress(b"[" * 100_000),  # deeper than Python can read
        zlib.compress(json.dumps({"a": 1}).encode())[:-5],
        b"no zlib",
    ],
)
def test_a_result_that_would_fill_the_memory_is_damage(path, monkeypatch, payload):
    monkeypatch.setattr(runs, "_MOST_BYTES", 1_000_000)
    plant_result(path, payload)
    with pytest.raises(StoreError, match="is damaged"), Store(path, mend=False) as store:
        store.results.get("r1", "mini")


def test_a_result_that_is_too_long_is_not_kept_and_that_is_said(path, monkeypatch):
    monkeypatch.setattr(runs, "_MOST_BYTES", 2**20)
    with Store(path) as store:
        store.results.put("r2", "mini", {"long": "x" * 2**20})
        assert store.results.get("r2", "mini") is None
        assert store.notices == [
            (
                "the result of mini is longer than 1 MiB and not kept for raq report: write it with"
                " --raq-json FILE"
            )
        ]


@pytest.mark.parametrize(
    "payload",
    [
        "{}",
        '{"text": 7, "finish_reason": "stop", "timing": {}}',
        '{"text": "x", "finish_reason": "never", "timing": {}}',
        '{"text": "x", "finish_reason": "stop", "timing": {"total_seconds": "soon"}}',
        '{"text": "x", "finish_reason": "stop", "timing": {"other": 1}}',
    ],
)
def test_an_answer_of_another_form_is_no_answer(path, payload):
    values = (payload, codec.checksum("k", payload))
    change(path, ("UPDATE answers SET payload = ?, checksum = ?", values))
    with Store(path) as store:
        assert store.answers.get("k", "q", "m") is None
        assert store.notices == []


@pytest.mark.parametrize("payload", ["[" * 100_000, "no JSON", 7])
def test_a_value_that_is_no_json_is_damage(path, payload):
    values = (payload, codec.checksum("k", payload))
    change(path, ("UPDATE answers SET payload = ?, checksum = ?", values))
    with pytest.raises(StoreError, match="is damaged"), Store(path, mend=False) as store:
        store.answers.get("k", "q", "m")


def git(folder, *command):
    subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)


def test_a_store_that_git_tracks_is_refused(path):
    git(path.parent, "init")
    with open_for_run(path):
        pass
    git(path.parent, "add", "-f", "store.db")
    with pytest.raises(ConfigError) as caught:
        open_for_run(path)
    assert str(caught.value) == (
        f"{path}: is tracked by git, so whoever changes it decides what the models answered: run"
        f" git rm --cached store.db in {path.parent}, and ignore it, or choose another with"
        " --raq-store"
    )
    link = path.parent / "link"
    link.mkdir()
    (link / "store.db").symlink_to(path)
    with pytest.raises(ConfigError, match="is tracked by git"):
        open_for_run(link / "store.db")
    git(path.parent, "rm", "--cached", "store.db")
    path.with_name("store.db-wal").touch()
    git(path.parent, "add", "-f", "store.db-wal")
    with pytest.raises(ConfigError, match=r"git rm --cached store\.db-wal"):
        open_for_run(path)


def test_a_run_says_how_many_answers_come_from_the_store(pytester):
    project = Project(pytester)
    command = ("suites", "-k", "not speed", "--raq-json", "run.json", "--raq-report", "page.html")
    markdown = ("--raq-markdown", "run.md")
    first = pytester.runpytest_inprocess(*command, *markdown, "--raq-update")
    assert "from the store" not in first.stdout.str()
    assert read(project)["from_store"] == {"first": 0, "second": 0}
    project.write("models/first.gguf", "other weights")
    pytester.runpytest_inprocess(*command, "--raq-models", "second").stdout.fnmatch_lines(
        ["20 of 20 answers from the store; --raq-fresh asks again"]
    )
    again = pytester.runpytest_inprocess(*command, *markdown)
    again.stdout.fnmatch_lines(["20 of 40 answers from the store; --raq-fresh asks again"])
    assert read(project)["from_store"] == {"first": 0, "second": 20}
    for name in ("page.html", "run.md"):
        text = (project.root / name).read_text(encoding="utf-8")
        assert "20 of 40 answers from the store" in text
    fresh = pytester.runpytest_inprocess(*command, "--raq-fresh")
    assert "from the store" not in fresh.stdout.str()


def read(project):
    table = json.loads((project.root / "run.json").read_text(encoding="utf-8"))
    return table["suites"]["small"]


def test_processes_of_one_run_do_not_count_each_other_as_stored():
    from pytest_raq.answering.origins import Origins

    here, there = Origins(), Origins()
    here.generated.add("q1")
    there.recalled.update(("q1", "q2"))
    text = export_text([], {}, {}, origins={"m": there.export()})
    here.absorb(json.loads(text)["origins"]["m"])
    assert here.stored == {"q2"}
    here.absorb({})
    assert here.stored == {"q2"}
