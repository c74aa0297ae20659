"""Whole results of the last runs, compressed in the store."""

from __future__ import annotations

import sqlite3

import pytest

from pytest_raq.records import Answer, FinishReason, Timing
from pytest_raq.store import Store
from pytest_raq.store.runs import KEPT

RESULT = {"questions": {"q1": {"passage": "Zürich \ud800 \u202e " * 200}}, "models": {}}
ANSWER = Answer("q", "m", "text", FinishReason.STOP, Timing())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.db"


def change(path, statement, *values):
    other = sqlite3.connect(path)
    other.execute(statement, values)
    other.commit()
    other.close()


def test_a_result_survives_a_round_trip(path):
    with Store(path) as store:
        store.results.put("r1", "mini", RESULT)
        store.results.put("r2", "mini", {"later": True})
        store.results.put("r2", "another", RESULT)
        assert store.results.get("r1", "mini") == RESULT
        assert store.results.get("r1", "another") is None
        assert store.results.names() == [("r2", "another"), ("r2", "mini"), ("r1", "mini")]
        store.results.put("r1", "mini", {})
        assert store.results.get("r1", "mini") == {}


def test_a_result_is_small(path):
    with Store(path) as store:
        store.results.put("r1", "mini", RESULT)
    other = sqlite3.connect(path)
    assert other.execute("SELECT length(payload) FROM results").fetchone()[0] < 300
    other.close()


def test_the_last_results_of_each_suite_stay(path):
    with Store(path) as store:
        store.results.put("r000", "other", {})
        for number in range(KEPT + 10):
            store.results.put(f"r{number:03}", "mini", {"number": number})
        names = store.results.names()
        assert len(names) == KEPT + 1
        assert names[0] == (f"r{KEPT + 9:03}", "mini")
        assert store.results.get("r009", "mini") is None
        assert store.results.get("r010", "mini") == {"number": 10}
        assert store.results.get("r000", "other") == {}


_LATER = (
    "DROP TABLE results",
    "DROP TABLE likelihoods",
    *(
        f"ALTER TABLE run_models DROP COLUMN {name}"
        for name in (
            "likelihood_p_value",
            "contains",
            "reasoning_tokens",
            "reasoning_seconds",
            "time_to_first_answer",
        )
    ),
)
"""What format 2 did not have."""


def test_a_store_of_format_2_gets_the_table_and_keeps_the_others(path):
    with Store(path) as store:
        store.answers.put("k", ANSWER)
    for statement in (*_LATER, "PRAGMA user_version = 2"):
        change(path, statement)
    with Store(path) as store:
        assert store.notices == []
        assert store.answers.get("k", "q", "m") == ANSWER
        store.results.put("r", "mini", RESULT)
        assert store.results.get("r", "mini") == RESULT


def test_a_store_of_format_2_that_lost_a_table_is_set_aside(path):
    with Store(path) as store:
        store.answers.put("k", ANSWER)
    for statement in (*_LATER, "DROP TABLE files", "PRAGMA user_version = 2"):
        change(path, statement)
    with Store(path) as store:
        assert "it has no table files" in store.notices[0]


def test_a_result_that_is_not_what_was_written_is_no_result(path):
    with Store(path) as store:
        store.results.put("r1", "mini", RESULT)
        store.results.put("r2", "mini", RESULT)
    change(path, "UPDATE results SET payload = ? WHERE run = 'r1'", b"noise")
    with Store(path) as store:
        assert store.results.get("r1", "mini") is None
        assert "was changed or damaged" in store.notices[0]
        assert store.notices[0].endswith("; 1 of its entries were saved")
        assert store.results.get("r2", "mini") == RESULT
