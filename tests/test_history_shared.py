"""The history of a team: SQLite and a real PostgreSQL, many writers, failures that are told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from histories import figures, run
from postgres import PASSWORD, QUOTED, Postgres
from projects import Project

from pytest_raq.errors import ConfigError, StoreError
from pytest_raq.history.shared import SharedHistory, deliver, history_place
from pytest_raq.store import Store

WRITER = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from histories import run
from pytest_raq.history.shared import SharedHistory, history_place

first, count = int(sys.argv[2]), int(sys.argv[3])
with SharedHistory(history_place()) as history:
    print("ready", flush=True)
    sys.stdin.readline()
    for run_id, _ in history.put_runs(run(number) for number in range(first, first + count)):
        print(run_id, flush=True)
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def server():
    made = Postgres(free_port())
    yield made
    made.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'history.db'}"
    made = request.getfixturevalue("server")
    name = f"db_{time.time_ns()}"
    made.execute(f"CREATE DATABASE {name}")
    return made.url(name)


def place(url):
    return history_place({"RAQ_HISTORY": url})


def put(url, *runs):
    with SharedHistory(place(url)) as history:
        return list(history.put_runs(runs))


def kept(url, suite="", **options):
    with SharedHistory(place(url)) as history:
        return list(history.latest(suite, **options))


def execute(url, statement):
    with SharedHistory(place(url)) as history, history._engine.begin() as connection:
        connection.exec_driver_sql(statement)


def start(url, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, Path(__file__).parent, *map(str, arguments)],
        env={**os.environ, "RAQ_HISTORY": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_runs_survive_a_round_trip(url):
    other = run(1, figures("a", f1=None), figures("b", p_value=float("nan")), suite="other")
    assert put(url, run(2), run(0), other) == [
        (item.id, item.suite) for item in (run(0), other, run(2))
    ]
    assert kept(url, "mini") == [run(2), run(0)]
    (found,) = kept(url, "other")
    assert found == replace(
        other, models={"a": figures("a", f1=None), "b": figures("b", p_value=None)}
    )
    assert [item.suite for item in kept(url)] == ["mini", "other", "mini"]
    assert kept(url, "mini", last=1) == [run(2)]
    assert kept(url, "none") == []


def test_a_run_that_arrives_twice_is_there_once(url):
    put(url, run(0))
    put(url, run(0, figures("m", f1=0.1)), run(1))
    assert kept(url) == [run(1), run(0)]


def test_two_writers_that_start_on_an_empty_database_lose_nothing(url):
    writers = [start(url, 0, 60), start(url, 40, 60)]  # twenty runs are written by both
    for writer in writers:
        assert writer.stdout.readline() == "ready\n", writer.stderr.read()
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
    assert kept(url) == [run(number) for number in reversed(range(100))]


def test_a_writer_that_is_killed_leaves_whole_runs_behind(url):
    writer = start(url, 0, 3_000)
    writer.stdin.write("\n")
    writer.stdin.flush()
    written = [writer.stdout.readline() for _ in range(10)][1:]
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    found = kept(url)
    assert {item.id for item in found} >= {line.strip() for line in written}
    assert all(item.models for item in found)
    put(url, run(99_999))
    assert len(kept(url)) == len(found) + 1


def test_a_newer_format_is_left_as_it_is(url):
    put(url, run(0))
    execute(url, "UPDATE raq_history SET format = 7")
    for work in (lambda: put(url, run(1)), lambda: kept(url)):
        with pytest.raises(
            StoreError, match=r"its format is 7, this version knows up to 1: use the newer"
        ):
            work()


def test_columns_that_an_older_version_did_not_know_are_added(url):
    put(url, run(0))
    execute(url, "ALTER TABLE raq_run_models DROP COLUMN f1")
    assert [item.models["m"].f1 for item in kept(url)] == [None]
    put(url, run(1))
    assert [item.models["m"].f1 for item in kept(url)] == [0.8, None]


def test_an_empty_database_holds_no_runs_and_reading_makes_no_table(server):
    server.execute("CREATE DATABASE untouched")
    assert kept(server.url("untouched")) == []
    assert server.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
                          "untouched") == [(0,)]  # fmt: skip


def test_a_writer_needs_no_right_to_make_tables_that_are_there(server):
    server.execute("CREATE DATABASE rights")
    put(server.url("rights"), run(0))
    server.execute(f"CREATE ROLE ci LOGIN PASSWORD '{PASSWORD}'")
    server.execute("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO ci", "rights")
    put(server.url("rights", user="ci"), run(1))
    assert len(kept(server.url("rights", user="ci"))) == 2


def test_a_file_that_is_not_there_is_not_made_by_reading(tmp_path):
    path = tmp_path / "none.db"
    with pytest.raises(
        StoreError, match=r"^history .*none\.db: does not exist; the first delivered run"
    ):
        kept(f"sqlite:///{path}")
    assert not path.exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "RAQ_HISTORY: is not a database URL; write postgresql://USER@HOST/DATABASE"),
        ("postgresql://u:hush@h:port/d", "RAQ_HISTORY: is not a database URL; write"),
        ("mysql://u:hush@h/d", "RAQ_HISTORY: 'mysql' is not supported: history is kept in"),
        ("postgresql+psycopg2://u:hush@h/d", "RAQ_HISTORY: 'postgresql+psycopg2' is not supported"),
        ("sqlite://", "RAQ_HISTORY: names no file; write"),
    ],
)
def test_a_wrong_url_is_told_without_its_password(url, message):
    with pytest.raises(ConfigError) as caught:
        place(url)
    assert str(caught.value).startswith(message)
    assert "hush" not in str(caught.value)
    assert "hush" not in "".join(map(str, [caught.value.__context__, caught.value.__cause__]))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:hush@h:1/d", "postgresql://u@h:1/d"),
        ("postgres://u:hush@h/d?sslmode=require", "postgresql://u@h/d"),
        ("postgresql+psycopg://u@h/d?password=hush", "postgresql://u@h/d"),
        ("sqlite:////data/history.db", "/data/history.db"),
    ],
)
def test_a_place_is_shown_without_password_and_options(url, shown):
    found = place(url)
    assert found.shown == shown
    assert found.hide("said hush") == ("said ***" if "hush" in url else "said hush")


def test_users_of_one_database_deliver_to_the_same_place():
    one, other = place("postgresql://a:x@h/d"), place("postgresql+psycopg://b@h:5432/d")
    assert one.identity == other.identity != place("postgresql://a:x@h/e").identity


def test_no_variable_is_no_place():
    assert history_place({}) is None
    assert history_place({"RAQ_HISTORY": " "}) is None


def test_a_missing_driver_is_told_with_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(
        ConfigError,
        match=r"^RAQ_HISTORY needs sqlalchemy, which is not installed: pip install 'pytest-raq",
    ):
        place("postgresql://h/d")


def down() -> str:
    return f"postgresql://raq:{QUOTED}@127.0.0.1:{free_port()}/postgres"


def test_a_server_that_is_down_is_one_line_and_its_run_is_delivered_next_time(tmp_path, server):
    server.execute("CREATE DATABASE later")
    url = server.url("later")
    with Store(tmp_path / "store.db") as store:
        store.runs.put(run(0))
        server.stop()
        (told,) = deliver(store, place(url), [run(0)])
        assert told == (
            f"history postgresql://raq@127.0.0.1:{server.port}/later: Connection refused;"
            f" 1 run waits in {tmp_path / 'store.db'} for the next delivery"
        )
        server.start()
        store.runs.put(run(1))
        assert deliver(store, place(url), [run(1)]) == [
            f"history postgresql://raq@127.0.0.1:{server.port}/later: also got 1 run from before"
        ]
        assert kept(url) == [run(1), run(0)]
        assert store.runs.deliveries(place(url).identity).keys() == []
        store.runs.put(run(2))
        assert deliver(store, place(url), [run(2)]) == []


def test_without_a_store_a_run_is_delivered_or_lost(server):
    (told,) = deliver(None, place(down()), [run(0)])
    assert told.endswith("Connection refused; 1 run is lost for this history")
    server.execute("CREATE DATABASE direct")
    assert deliver(None, place(server.url("direct")), [run(0)]) == []
    assert kept(server.url("direct")) == [run(0)]


def test_a_wrong_password_is_told_and_not_shown(server):
    (told,) = deliver(None, place(server.url().replace(QUOTED, "guessed")), [run(0)])
    assert 'password authentication failed for user "raq"' in told
    assert "guessed" not in told


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr("pytest_raq.history.shared.database.CONNECT_SECONDS", 2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://raq:{QUOTED}@127.0.0.1:{silent.getsockname()[1]}/postgres"
        begun = time.monotonic()
        (told,) = deliver(None, place(url), [run(0)])
        assert time.monotonic() - begun < 8
    assert "timeout" in told


def test_what_was_delivered_elsewhere_is_not_mixed_up(tmp_path):
    with Store(tmp_path / "store.db") as store:
        store.runs.put(run(0))
        store.runs.deliveries("one").add([(run(0).id, "mini")])
        assert store.runs.deliveries("other").keys() == []
        assert store.runs.deliveries("one").keys() == [(run(0).id, "mini")]


@pytest.fixture
def project(pytester):
    return Project(pytester)


def test_a_run_of_pytest_is_delivered(project, monkeypatch):
    project.accept()
    url = f"sqlite:///{project.root / 'team.db'}"
    monkeypatch.setenv("RAQ_HISTORY", url)
    result = project.run()
    assert result.ret == 0
    (found,) = kept(url)
    assert found.models["first"].verdict == "unchanged"
    assert "team.db" not in result.stdout.str()


def test_a_build_does_not_fail_for_its_history(project, monkeypatch):
    project.accept()
    monkeypatch.setenv("RAQ_HISTORY", down())
    result = project.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["history postgresql://raq@127.0.0.1:*: Connection refused; 1 run waits in .raq/store.db*"]
    )
    assert PASSWORD not in result.stdout.str() and QUOTED not in result.stdout.str()
    monkeypatch.setenv("RAQ_HISTORY", f"mysql://u:{QUOTED}@h/d")
    result = project.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["RAQ_HISTORY: 'mysql' is not supported*kept only in the store"])
    assert QUOTED not in result.stdout.str()
