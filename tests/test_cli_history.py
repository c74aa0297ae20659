"""``raq history``: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json
import math
from html.parser import HTMLParser

import pyarrow.parquet as pq
import pytest
from histories import figures, run

from pytest_raq.cli import main
from pytest_raq.history.export import COLUMNS
from pytest_raq.history.shared import SharedHistory, history_place
from pytest_raq.store import Store

HOSTILE = "</script><script>alert(1)</script><!-- \x1b[31m \u202e ]]> \" ' &"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Return a store with forty runs of two models, slower from the 28th on."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ".raq/store.db"
    with Store(path) as kept:
        for number in range(40):
            slow = 0.88 if number >= 28 else 1.0
            speed = (400 + number * 7 % 5) * slow
            kept.runs.put(
                run(
                    number,
                    figures("one", decode_tokens_per_second=speed),
                    figures("two", p_value=math.nan),
                    accepted=number == 3,
                    reason=HOSTILE if number == 3 else "",
                )
            )
    return path


def raq(capsys, *arguments):
    """Return the exit code and what was printed."""
    code = main(["history", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.usefixtures("store")
def test_trends_changes_and_runs_are_shown(capsys):
    code, out, err = raq(capsys)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "mini: 40 runs from 2026-11-01 to 2026-12-10, in .raq/store.db"
    assert max(map(len, lines)) <= 80
    said = " ".join(out.split())
    assert "one: decode speed fell 12 % at the run of 00001c on 2026-11-29 (402 → 354" in said
    assert "baseline accepted: </script><script>" in said
    assert "\x1b" not in out and "\u202e" not in out


@pytest.mark.usefixtures("store")
def test_a_model_and_the_last_runs_can_be_chosen(capsys):
    _, out, _ = raq(capsys, "--model", "two", "--last", "5")
    assert out.startswith("mini: 5 runs from 2026-12-06")
    assert "one" not in out


@pytest.mark.usefixtures("store")
def test_json_is_the_same_for_programs(capsys):
    code, out, _ = raq(capsys, "--suite", "mini", "--json", "-")
    mini = json.loads(out)["suites"]["mini"]
    assert code == 0
    assert len(mini["runs"]) == 40
    (change,) = mini["changes"]
    assert (change["measure"], change["run"]) == ("decode_tokens_per_second", run(28).id)
    assert change["text"].startswith("one: decode speed fell 12 %")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "big"], "--suite big: no run of it in .raq/store.db; there are runs of mini"),
        (["--model", "six"], "--model six: no run of it in .raq/store.db; there are one, two"),
        (["--store", "none.db"], "none.db: does not exist; the first run creates it"),
        (
            ["export", "--out", "table.xlsx"],
            "--out table.xlsx: add --format parquet or --format csv",
        ),
        (["sync"], "RAQ_HISTORY is not set: it names the database that runs are sent to"),
        (["--html", "."], ".: cannot be written: "),
        (["export", "--out", "file/table.parquet"], "file/table.parquet: cannot be written: "),
    ],
)
def test_a_mistake_is_one_line(store, capsys, arguments, message):
    (store.parent.parent / "file").write_text("")
    code, _, err = raq(capsys, *arguments)
    assert code == 2
    assert err.startswith(f"raq: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5"])
def test_a_count_that_is_none_is_refused(capsys, number):
    with pytest.raises(SystemExit) as caught:
        main(["history", "--last", number])
    assert caught.value.code == 2
    assert f"'{number}' is not a whole number from 1 on" in capsys.readouterr().err


def test_a_store_without_runs_says_what_fills_it(tmp_path, capsys):
    Store(tmp_path / "store.db").close()
    code, _, err = raq(capsys, "--store", tmp_path / "store.db")
    assert code == 2
    assert err.endswith("store.db holds no run yet: pytest suites/ keeps one\n")


def test_csv_has_a_row_a_run_and_model(store, capsys):
    path = store.parent / "table.csv"
    code, out, _ = raq(capsys, "export", "--out", path, "--format", "csv")
    assert code == 0
    assert out.endswith("table.csv: 80 rows of 40 runs\n")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 80
    assert (rows[0]["run"], rows[0]["model"], rows[0]["time"]) == (
        run(0).id,
        "one",
        "2026-11-01T12:00:00Z",
    )
    assert rows[0]["decode_tokens_per_second"] == "400.0"
    assert rows[1]["p_value"] == ""
    assert (rows[6]["accepted"], rows[6]["reason"]) == ("true", HOSTILE)
    assert json.loads(rows[0]["machine"]) == {"processor": "fast", "cores": "4"}


def test_parquet_has_types(store, capsys):
    path = store.parent / "table.parquet"
    code, _, _ = raq(capsys, "export", "--suite", "mini", "--model", "two", "--out", path)
    assert code == 0
    table = pq.read_table(path)
    assert table.num_rows == 40
    assert str(table.schema.field("time").type) == "timestamp[s, tz=UTC]" or str(
        table.schema.field("time").type
    ).startswith("timestamp[ms")
    rows = table.to_pylist()
    assert rows[0]["time"].isoformat() == "2026-11-01T12:00:00+00:00"
    assert (rows[0]["answered"], rows[0]["f1"], rows[0]["p_value"]) == (60, 0.8, None)
    assert [row["accepted"] for row in rows].index(True) == 3


@pytest.mark.usefixtures("store")
def test_options_before_an_action_count_too(capsys, tmp_path):
    code, out, _ = raq(capsys, "--last", "2", "export", "--out", tmp_path / "table.csv")
    assert (code, out.endswith("4 rows of 2 runs\n")) == (0, True)


def test_a_database_is_read_where_one_is_named_and_filled_by_sync(store, capsys, monkeypatch):
    monkeypatch.setenv("RAQ_HISTORY", f"sqlite:///{store.parent / 'team.db'}")
    code, _, err = raq(capsys)
    assert code == 3 or err.endswith("team.db: does not exist; the first delivered run creates"
                                     " it\n")  # fmt: skip
    with Store(store) as kept:
        kept.runs.deliveries(history_place().identity).add(
            [(run(0).id, "mini"), (run(1).id, "mini")]
        )
    assert raq(capsys, "sync")[1].endswith("team.db: 2 runs delivered\n")
    assert raq(capsys)[1].startswith("mini: 2 runs from 2026-11-01")
    assert raq(capsys, "sync", "--all")[1].endswith("team.db: 40 runs delivered\n")
    assert raq(capsys, "sync")[1].endswith("team.db: 0 runs delivered\n")
    assert raq(capsys)[1].startswith("mini: 40 runs")
    with SharedHistory(history_place()) as team, Store(store) as kept:
        assert list(team.latest()) == list(kept.runs.latest())
        kept.runs.deliveries(history_place().identity).add([(run(0).id, "mini")])
    assert raq(capsys)[1].endswith("1 run in .raq/store.db not delivered yet: raq history sync\n")
    assert "in .raq/store.db" in raq(capsys, "--store", ".raq/store.db")[1]


class Page(HTMLParser):
    """What a page holds, by element."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.scripts, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in {"meta", "link", "line", "path", "polyline", "circle"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in {"line", "path", "polyline", "circle"}:
            assert self.open.pop() == tag

    def handle_data(self, data):
        (self.scripts if self.open and self.open[-1] == "script" else self.text).append(data)


def test_a_page_is_whole_asks_no_host_and_shows_text_as_text(store, capsys):
    path = store.parent / "page.html"
    code, out, _ = raq(capsys, "--html", path)
    assert (code, out.splitlines()[-1]) == (0, f"page written to {path}")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert sum(tag == "script" for tag, _ in page.tags) == 2
    for tag, attributes in page.tags:
        assert not {"src", "srcset", "action", "style", "onclick"} & attributes.keys(), tag
        assert attributes.get("href", "data:,") == "data:,"
    assert "http" not in text.replace("http-equiv", "")
    shown = " ".join("".join(page.text).split())
    assert "one: decode speed fell 12 % at the run of 00001c on 2026-11-29" in shown
    assert "</script><script>alert(1)</script><!--" in shown
    assert not {"\x1b", "\u202e"} & set(text)
    data = json.loads(page.scripts[0])
    assert data["models"] == ["one", "two"]
    assert len(data["runs"]) == 40
    assert data["values"]["decode_tokens_per_second"][0][0] == "400"
    assert {tag["data-measure"] for name, tag in page.tags if name == "figure"} == {
        "mean_rank", "net_preference", "f1", "words_per_second", "decode_tokens_per_second",
    }  # fmt: skip
