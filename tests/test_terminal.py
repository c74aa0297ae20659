"""What the terminal shows: within its width, no more than asked for, nothing left behind."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import replace

import pyte
import pytest
from projects import CONFTEST, Project
from test_report import result, summary

from pytest_raq.records import (
    Decision,
    Interval,
    JudgeIdentity,
    JudgeReport,
    Provenance,
    QualityEvidence,
    Verdict,
)
from pytest_raq.report import suite_lines
from pytest_raq.text import fitted, fold, shorten, width, wrap

LONG = "qwen2.5-3b-instruct-q4_k_m"


@pytest.fixture
def project(pytester):
    return Project(pytester)


def several(*names, decision=Decision.NOT_MEASURED):
    figures = {
        "mean_rank": 1.5, "interval": Interval(1.25, 1.75), "exact_match": 0.5, "f1": 0.5,
        "words": 12.5, "words_per_second": 1234.5, "decode_tokens_per_second": 4321.0,
    }  # fmt: skip
    return result(
        None,
        models={name: summary(name, **figures) for name in names},
        verdicts={name: Verdict(name, decision, ("why",)) for name in names},
    )


def judged(first, second):
    """Like `several`, where the first model lost on 36 of 120 questions."""
    quality = QualityEvidence(
        questions=120, passages=40, worse=32, better=4, tied=84, net_preference=-0.23,
        interval=Interval(-0.32, -0.15), p_value=0.0005, adjusted_p=0.001, exact=False,
    )  # fmt: skip
    shown = several(first, second)
    verdict = Verdict(first, Decision.REGRESSION, ("worse",), quality)
    return replace(shown, verdicts={**shown.verdicts, first: verdict})


@pytest.mark.parametrize(
    "names", [("reader-llama", "b"), (LONG, "b"), ("모" * 30, "b"), ("x" * 200, "y" * 79)]
)
def test_the_table_fits_80_columns(names):
    for line in suite_lines(several(*names)):
        assert width(line.text) <= 80 or line.text.startswith("NOT MEASURED")


def test_a_long_name_has_a_line_of_its_own():
    lines = [line.text for line in suite_lines(judged(LONG, "b"))]
    assert lines[1:6] == [
        "               net pref.   mean rank    EM    F1  words/s  tok/s  verdict",
        LONG,
        "  −0.23 (−0.32 to −0.15)  1.50 ±0.25  0.50  0.50   1234.5   4321  REGRESSION",
        "b",
        "                       –  1.50 ±0.25  0.50  0.50   1234.5   4321  NOT MEASURED",
    ]
    wide = [line.text for line in suite_lines(several(LONG, "b"), size=100)]
    assert wide[2].startswith(f"{LONG}  1.50 ±0.25")


def test_the_table_shows_the_net_preference_that_decides_with_its_interval():
    lines = [line.text for line in suite_lines(judged("llama", "b"), size=100)]
    assert lines[1:4] == [
        "model               net pref.   mean rank    EM    F1  words  words/s  tok/s  verdict",
        "llama  −0.23 (−0.32 to −0.15)  1.50 ±0.25  0.50  0.50   12.5   1234.5   4321  REGRESSION",
        "b                           –  1.50 ±0.25  0.50  0.50   12.5   1234.5   4321  NOT MEASURED",  # noqa: E501
    ]


def test_a_narrow_terminal_leaves_out_what_decides_nothing():
    lines = [line.text for line in suite_lines(judged("reader-llama", "b"), size=80)]
    assert lines[1:4] == [
        "model                     net pref.  mean rank   EM   F1 tok/s verdict",
        "reader-llama −0.23 (−0.32 to −0.15) 1.50 ±0.25 0.50 0.50  4321 REGRESSION",
        "b                                 – 1.50 ±0.25 0.50 0.50  4321 NOT MEASURED",
    ]


def test_quiet_shows_the_table_and_what_is_no_pass():
    shown = several("a", "b")
    passed = replace(shown.verdicts["a"], decision=Decision.PASS)
    shown = replace(shown, verdicts={"a": passed, "b": shown.verdicts["b"]}, notes=("a note",))
    quiet = [line.text for line in suite_lines(shown, verbosity=-1)]
    assert quiet[0] == "mini: 1 question in 1 passage, judge reference"
    assert quiet[4:] == ["NOT MEASURED b: why"]
    assert [line.text for line in suite_lines(shown, verbosity=-2)] == ["NOT MEASURED b: why"]
    assert "note: a note" in [line.text for line in suite_lines(shown)]


def test_quiet_tells_that_the_judges_are_not_trusted():
    shown = replace(several("a", "b"), verdicts={}, judges=JudgeReport(("j",), problems=("why",)))
    assert [line.text for line in suite_lines(shown, verbosity=-2)] == ["NOT MEASURED: why"]


def test_verbose_shows_more_examples_and_where_figures_come_from():
    shown = result(Verdict("m", Decision.REGRESSION, ("worse",)))
    machine = Provenance("mini.json", "", "f" * 64, 1, JudgeIdentity("reference"), {}, {},
                         {"cores": "4"})  # fmt: skip
    shown = replace(shown, questions=shown.questions * 12, provenance=machine)
    plain = [line.text for line in suite_lines(shown)]
    verbose = [line.text for line in suite_lines(shown, verbosity=1)]
    assert (plain.count("    today      today"), plain[-1]) == (3, "  and 9 more")
    assert verbose.count("    today      today") == 12
    assert verbose[-3:] == [
        "questions: mini.json, fingerprint ffffffffffff",
        "versions: ",
        "machine: cores 4",
    ]


def test_a_log_holds_no_progress_of_a_short_run_and_no_colour(project):
    told = project.run().stdout.str()
    assert "raq first" not in told
    assert "\x1b" not in told
    summary_of_ours = told.split("relative answer quality")[1].split("\n---")[0]
    wide = [line for line in summary_of_ours.splitlines() if width(line) > 80]
    assert [line for line in wide if not line.startswith("NO BASELINE")] == []


def test_quiet_runs_are_short(project):
    project.accept()
    assert "PASS" not in project.run("-q").stdout.str()
    told = project.run("-qq").stdout.str()
    assert "relative answer quality" not in told
    project.worse("first")
    project.run("-qq").stdout.fnmatch_lines(["REGRESSION first: *"])


def run_on_terminal(folder, columns, *options, **environment):
    """Run pytest on a terminal; return each screen it drew and the last one, with its history."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    surroundings = {
        name: value
        for name, value in os.environ.items()
        if name not in {"NO_COLOR", "COLUMNS", "LINES", "CI", "PY_COLORS", "FORCE_COLOR"}
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "suites", "-p", "no:cacheprovider", *options],
        cwd=folder, stdin=slave, stdout=slave, stderr=slave,
        env={**surroundings, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(slave)
    screen = pyte.HistoryScreen(columns, 24, history=1000, ratio=1)
    stream, screens, raw = pyte.ByteStream(screen), [], b""
    while True:
        try:
            data = os.read(master, 1024)
        except OSError:  # the other end is closed
            break
        raw += data
        stream.feed(data)
        screens.append("\n".join(screen.display))
    os.close(master)
    assert process.wait() == 1  # nothing is accepted yet
    above = ["".join(row[x].data for x in range(columns)) for row in screen.history.top]
    return screens, [line.rstrip() for line in (*above, *screen.display)], raw


SLOW = CONFTEST.replace(
    "        return said.get(", "        time.sleep(0.03)\n        return said.get("
)


@pytest.mark.parametrize("columns", [80, 40])
def test_progress_is_drawn_within_the_terminal_and_wiped(project, columns):
    project.write("conftest.py", SLOW.replace("import json\n", "import json\nimport time\n", 1))
    screens, lines, raw = run_on_terminal(project.root, columns, "--benchmark-disable")
    during = [line for screen in screens for line in screen.splitlines() if " left" in line]
    assert during or columns == 40
    assert all("question" in line for line in during)  # never broken into two lines
    assert not [line for line in lines if "question" in line and " left" in line]
    assert any(line.startswith("suites/test_suites.py ....") for line in lines)
    start = next(place for place, line in enumerate(lines) if "relative answer" in line)
    ours = lines[start:]
    place = next(place for place, line in enumerate(ours) if line.startswith("NO BASELINE"))
    assert ours[place + 1].startswith("  ")  # broken at a blank, not in a word
    assert b"\x1b[31m" in raw


@pytest.mark.parametrize(
    ("text", "size", "short"),
    [
        ("short", 10, "short"),
        ("abcdefghij", 5, "ab…ij"),
        ("모모모모모모", 7, "모…모"),
        ("x", 1, "x"),
    ],
)
def test_a_name_is_shortened_in_its_middle(text, size, short):
    assert shorten(text, size) == short
    assert width(shorten(text, size)) <= size


def test_lines_are_broken_at_blanks():
    assert wrap("one two three", 8) == ["one two", "  three"]
    assert wrap("a-very-long-path and", 8, first="> ") == ["> a-very-long-path", "  and"]
    assert fold("  one two three", 9) == ["  one two", "    three"]
    assert fold("short", 9) == ["short"]
    assert fold("", 9) == [""]


def test_rows_stay_on_one_line_where_they_fit():
    rows = [("name", "figure", ""), ("a", "1", "")]
    assert fitted(rows, 20) == [["name  figure"], ["a          1"]]
    assert fitted(rows, 11) == [["name figure"], ["a         1"]]
    assert fitted(rows, 10) == [["  figure"], ["a", "       1"]]
