"""``raq store``: what is kept, and how it is made smaller."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
from projects import Project

from pytest_raq.cli import main
from pytest_raq.records import (
    Answer,
    FinishReason,
    JudgeIdentity,
    JudgeVerdict,
    Provenance,
    RunFigures,
    RunRecord,
    RunState,
    Timing,
)
from pytest_raq.store import Store

DAY = 86400
PATH = Path(".raq/store.db")
PROVENANCE = Provenance("s", "", "f", 2, JudgeIdentity("reference"), {}, {}, {})
RUN = RunRecord(
    "r", "mini", "", RunState.COMPLETE, 2, 1, PROVENANCE, {"m": RunFigures("m", "pass")}
)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def kept():
    """Ninety days of answers by two models, verdicts and runs."""
    with Store(PATH) as store:
        for number in range(90):
            for model in ("alpha", "beta\x1b[31m"):
                text = "many words " * 20
                answer = Answer("q", model, text, FinishReason.STOP, Timing())
                store.answers.put(f"{model} {number:02}", answer)
            store.verdicts.put(f"{number:02}", "gpt", JudgeVerdict(((0,), (1,))))
        for number in range(12):
            for suite in ("mini", "other"):
                store.runs.put(replace(RUN, id=f"r{number:02}", suite=suite, time=f"{number:02}"))
                store.results.put(f"r{number:02}", suite, {"number": number})
    other = sqlite3.connect(PATH)
    for table, key in (("answers", "key"), ("verdicts", "key"), ("results", "run")):
        age = f"cast(substr({key}, -2) AS INTEGER)"
        other.execute(
            f"UPDATE {table} SET created = ? - {DAY} * {age}",  # noqa: S608
            (int(time.time()) - 60,),
        )
    other.commit()
    other.close()


def store(capsys, *arguments):
    code = main(["store", *arguments])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out.splitlines()


def read(capsys, *arguments):
    return json.loads("\n".join(store(capsys, *arguments, "--json", "-")))


@pytest.mark.usefixtures("kept")
def test_info_tells_what_is_kept(capsys):
    lines = store(capsys, "info")
    assert lines[0].startswith(".raq/store.db: format 6, ")
    assert lines[0].endswith(" kB")
    assert lines[1:8] == [
        "answers          180  alpha 90, beta�[31m 90",
        "likelihoods        0",
        "engines            0",
        "verdicts          90  gpt 90",
        "files              0",
        "runs              24  mini 12, other 12",
        "results           24  mini 12, other 12",
    ]
    assert lines[8].startswith("answers and verdicts made from 20")
    table = read(capsys, "info")
    assert table["size"] == PATH.stat().st_size
    assert (table["format"], table["models"]["alpha"], table["runs"]["mini"]) == (6, 90, 12)
    assert table["oldest"] < table["newest"]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("options", "removed"),
    [
        (["--older-than", "30d"], (120, 60, 0, 0)),
        (["--older-than", "1w"], (166, 83, 0, 10)),
        (["--older-than", "24h"], (178, 89, 0, 22)),
        (["--model", "alpha"], (90, 0, 0, 0)),
        (["--model", "alpha", "--older-than", "30d"], (60, 0, 0, 0)),
        (["--all-but-last-runs", "5"], (0, 0, 14, 14)),
        (["--all-but-last-runs", "0"], (0, 0, 24, 24)),
        (["--all-but-last-runs", "5", "--older-than", "1w"], (166, 83, 14, 24)),
        (["--all-but-last-runs", "5", "--model", "alpha"], (90, 0, 14, 14)),
    ],
)
def test_prune_removes_what_is_selected(capsys, options, removed):
    expected = dict(
        zip(("answers", "verdicts", "runs", "results", "files"), (*removed, 0), strict=True)
    )
    before = read(capsys, "info")
    told = read(capsys, "prune", *options, "--dry-run")
    assert (told["removed"], told["dry_run"]) == (expected, True)
    assert read(capsys, "info") == before
    done = read(capsys, "prune", *options)
    assert done["removed"] == expected
    assert done["problem"] == ""
    after = read(capsys, "info")
    assert after["size"] == done["size_after"] <= done["size_before"]
    for kind, count in expected.items():
        assert before["entries"][kind] - after["entries"][kind] == count


@pytest.mark.usefixtures("kept")
def test_the_file_gets_smaller_and_the_last_runs_stay(capsys):
    size = PATH.stat().st_size
    lines = store(capsys, "prune", "--older-than", "10d", "--all-but-last-runs", "2")
    assert lines[0] == ".raq/store.db: removed: 160 answers, 80 verdicts, 20 runs, 24 results"
    assert lines[1].endswith(" now")
    assert PATH.stat().st_size < size / 2
    with Store(PATH) as left:
        assert [run.id for run in left.runs.latest("mini")] == ["r11", "r10"]
        assert [run.models["m"].verdict for run in left.runs.latest()] == ["pass"] * 4


@pytest.mark.usefixtures("kept")
def test_a_file_that_is_being_read_is_pruned_and_shrinks_later(capsys):
    reader = sqlite3.connect(PATH, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM answers").fetchone()
    from pytest_raq.store import database

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            database.Database.__init__,
            "__kwdefaults__",
            {"busy_seconds": 0.1, "mend": True, "notices": None},
        )
        lines = store(capsys, "prune", "--model", "alpha")
    assert lines[0] == ".raq/store.db: removed: 90 answers"
    assert lines[2] == (
        "the file could not be made smaller now: another process reads it; prune again later"
    )
    reader.close()


def test_hashes_of_files_that_are_gone_are_removed(capsys):
    Path("m.gguf").write_bytes(b"x")
    with Store(PATH) as store_, pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda now=time.time: now() + 10)
        store_.file_hashes.sha256(Path("m.gguf"))
    assert read(capsys, "info")["entries"]["files"] == 1
    assert read(capsys, "prune", "--older-than", "1d")["removed"]["files"] == 0
    Path("m.gguf").unlink()
    assert read(capsys, "prune", "--older-than", "1d")["removed"]["files"] == 1


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["prune"],
            (
                "raq: raq store prune: choose what to remove: --older-than 30d, --model NAME"
                " or --all-but-last-runs N"
            ),
        ),
        (
            ["prune", "--model", "gamma"],
            "raq: --model gamma: .raq/store.db keeps no answers of it; it has alpha, beta",
        ),
        (["info", "--store", "no.db"], "raq: no.db: does not exist; the first run creates it"),
        (["info", "--store", "."], "raq: .: is a folder; --raq-store needs a file"),
    ],
)
def test_a_mistake_is_one_line(capsys, arguments, message):
    assert main(["store", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)
    assert err.count("\n") == 1


@pytest.mark.parametrize("age", ["30", "d", "-1d", "30 days", "1.5d"])
def test_a_wrong_age_is_refused(capsys, age):
    with pytest.raises(SystemExit) as exit_:
        main(["store", "prune", f"--older-than={age}"])
    assert exit_.value.code == 2
    assert f"{age!r} is not an age: write 12h, 30d or 8w" in capsys.readouterr().err


def test_a_store_of_a_run_can_be_told(capsys, pytester, monkeypatch):
    project = Project(pytester)
    monkeypatch.chdir(project.root)
    project.run()
    capsys.readouterr()
    table = read(capsys, "info")
    assert table["models"] == {"first": 20, "second": 20}
    assert table["runs"] == {"small": 1}
    assert table["judges"] == {}
