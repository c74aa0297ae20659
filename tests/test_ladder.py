"""`raq ladder` on the bundled F16 reader, and what it says and draws."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from small_projects import write_small_project

from pytest_raq.cli import main
from pytest_raq.cli.trials import _exit_code
from pytest_raq.errors import ConfigError, StoreError
from pytest_raq.records import (
    Answer,
    Decision,
    FinishReason,
    Interval,
    JudgeIdentity,
    Provenance,
    QualityEvidence,
    Question,
    Timing,
    Verdict,
)
from pytest_raq.records.command_results import Ladder, Rung
from pytest_raq.report.figures.ladder import draw_ladder
from pytest_raq.report.figures.plot_file import require_plot
from pytest_raq.report.json.commands import ladder_to_json
from pytest_raq.report.terminal.trials import ladder_lines
from pytest_raq.speed.rounds import time_in_turns
from pytest_raq.trials.ladder import _notes, _smallest


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_small_project(tmp_path, "reader-llama", "reader-llama-f16.gguf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ladder(*options):
    return main(["ladder", "reader", "--suite", "small", *map(str, options)])


def test_rungs_down_to_a_broken_one_and_one_that_cannot_be_made(project, capsys):
    options = ("--to", "q8_0,TQ1_0,IQ2_XXS", "--json", "l.json", "--plot", "l.svg")
    assert ladder(*options) == 3
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == (
        "reader on small: 12 questions in 6 passages, judge reference; each file against F16"
    )
    assert [line.split()[0] for line in lines[2:6]] == ["F16", "Q8_0", "TQ1_0", "IQ2_XXS"]
    assert [line.split("  ")[-1] for line in lines[2:6]] == [
        "the top", "pass", "REGRESSION", "NOT MADE",
    ]  # fmt: skip
    q8 = next(Path(".raq/ladder").glob("d9df12e2bd8c-*/reader-llama-Q8_0.gguf"))
    assert (
        f"the smallest file that is not worse within the margin (0.5): Q8_0, 3.8 MB, 53 % of F16:"
        f" {q8}"
    ) in lines
    assert "TQ1_0: regression: answers worse than the accepted ones on " in out
    assert "(Holm, 2 tests)" in out
    assert "cannot be made IQ2_XXS: llama.cpp writes this type only with an importance" in out
    found = json.loads((project / "l.json").read_text(encoding="utf-8"))["ladder"]
    assert found["smallest"] == "Q8_0"
    assert [rung["bytes"] for rung in found["rungs"]] == [3816576, 1042560, 0]
    assert found["rungs"][0]["verdict"]["quality"]["net_preference"] == 0
    assert found["rungs"][1]["verdict"]["decision"] == "regression"
    assert {speed["measure"] for speed in found["rungs"][1]["speed"]} >= {
        "decode_tokens_per_second", "prefill_tokens_per_second",
    }  # fmt: skip
    assert len(found["top"]["samples"]["decode_tokens_per_second"]) == 9
    drawn = (project / "l.svg").read_text(encoding="utf-8")
    assert drawn.lstrip().startswith("<?xml")
    assert not (project / "baselines").exists()
    # The second time nothing is quantized and nothing is asked but the questions of the probe.
    made = {path: path.stat().st_mtime_ns for path in Path(".raq/ladder").glob("*/*.gguf")}
    assert ladder("--to", "Q8_0,TQ1_0") == 0
    assert "questions in" not in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in Path(".raq/ladder").glob("*/*.gguf")} == made


def test_another_top_and_another_folder(project, capsys):
    kept = project / "kept"
    options = ("--from", "Q8_0", "--to", "Q8_0,TQ1_0", "--keep", kept, "--sample", "4")
    assert ladder(*options) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("each file against Q8_0")
    assert [line.split()[0] for line in lines[2:4]] == ["Q8_0", "TQ1_0"]
    assert "no smaller file is shown to be not worse within the margin (0.5)" in lines
    # The bundled F16 is full precision, so that nothing is to be said of what files are made from.
    assert not any(line.startswith("note: ") for line in lines)
    names = sorted(path.name for path in kept.glob("*/*.gguf"))
    assert names == ["reader-llama-Q8_0.gguf", "reader-llama-TQ1_0.gguf"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--to", "Q4KM"),
            "'Q4KM' is not a type that this llama.cpp can write; did you mean 'Q4_K_M'?",
        ),
        (("--to", "F16"), "the ladder has no rung: F16 is its top; name others"),
        (("--to", ","), "--to ',': name types, e.g. Q8_0,Q4_K_M"),
        (("--plot", "x.jpeg"), "--plot x.jpeg: write a name that ends with .png, .svg, .pdf"),
        (("--plot", "no/x.png"), "--plot no/x.png: no is not a folder"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(project, capsys, options, told):
    assert ladder(*options) == 2
    assert capsys.readouterr().err == f"raq: {told}\n"
    assert not list(project.glob(".raq/ladder/*/*.gguf"))


def test_a_model_that_is_not_there(project, capsys):
    assert project
    assert main(["ladder", "raeder", "--suite", "small"]) == 2
    assert "did you mean 'reader'?" in capsys.readouterr().err
    assert main(["ladder", "reader=no.gguf", "--suite", "small"]) == 2
    assert "no.gguf is not a file" in capsys.readouterr().err


def test_a_top_that_does_not_load_is_not_measured(project, capsys):
    broken = project / "broken.gguf"
    whole = (Path(__file__).parent.parent / "models" / "reader-llama-f16.gguf").read_bytes()
    broken.write_bytes(whole[:1_000_000])
    assert main(["ladder", f"reader={broken}", "--suite", "small"]) == 3
    error = capsys.readouterr().err
    assert error.startswith(f"raq: {broken}: llama.cpp cannot read it as a model (")
    assert error.count("\n") == 1


def rung(kind, size, decision=Decision.PASS, net=0.0):
    quality = QualityEvidence(
        60, 12, 3, 1, 56, net, Interval(net - 0.05, net + 0.02), 0.2, 0.4, exact=True
    )
    samples = {"decode_tokens_per_second": (50.0, 60.0, 55.0)}
    verdict = Verdict(kind, decision, (f"because of {kind}", "and more"), quality)
    return Rung(kind, f"{kind}.gguf", size, verdict=verdict, samples=samples)


def made(*rungs):
    provenance = Provenance("s", "", "f", 60, JudgeIdentity("reference"), {}, {}, {})
    top = Rung("F16", "f16.gguf", 8000, samples={"decode_tokens_per_second": (40.0,)})
    return Ladder(
        "mini", "reader $x$ <b>", 60, 12, 0.1, top, rungs, _smallest(rungs), provenance,
        tuple(_notes(rungs)),
    )  # fmt: skip


def test_the_smallest_that_passed_is_named_whatever_stands_between():
    ladder = made(
        rung("Q8_0", 4000),
        rung("Q4_K_M", 2000, Decision.INCONCLUSIVE, -0.05),
        rung("Q2_K", 1000),
        rung("TQ1_0", 500, Decision.REGRESSION, -0.9),
    )
    assert ladder.smallest == "Q2_K"
    text = [line.text for line in ladder_lines(ladder)]
    assert text[-1] == (
        "note: Q4_K_M, larger than Q2_K, did not pass: ask more questions before you rely on the"
        " smaller one"
    )
    assert "Q4_K_M: inconclusive: because of Q4_K_M" in text
    assert "  and more" in text
    assert _exit_code(ladder) == 0


def test_a_note_on_several_files_is_told_once():
    items = [replace(rung(kind, 1000), notes=("made from Q8_0",)) for kind in ("Q4_K_M", "Q2_K")]
    text = [line.text for line in ladder_lines(made(*items))]
    assert text[-1] == "note: Q4_K_M, Q2_K: made from Q8_0"


def test_exit_codes():
    worse = rung("Q2_K", 1000, Decision.REGRESSION, -0.5)
    assert _exit_code(made(worse)) == 1
    assert _exit_code(made(rung("Q8_0", 4000), worse)) == 0
    dead = rung("Q4_0", 1500, Decision.NOT_MEASURED)
    assert _exit_code(made(rung("Q8_0", 4000), dead)) == 3
    assert _exit_code(made(rung("Q8_0", 4000), Rung("IQ1_S", "x", 0, problem="no"))) == 3


def test_undefined_figures_are_drawn_and_written(tmp_path):
    item = rung("Q2_K", 1000, Decision.INCONCLUSIVE)
    quality = replace(
        item.verdict.quality, interval=Interval(math.nan, math.nan), net_preference=math.nan
    )
    item = replace(item, verdict=replace(item.verdict, quality=quality), samples={})
    ladder = made(item, Rung("IQ1_S", "x", 0, problem="no"))
    for name in ("a.png", "a.svg", "a.pdf"):
        require_plot(tmp_path / name)
        draw_ladder(ladder, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "reader $x$ &lt;b&gt; on mini" in drawn
    table = ladder_to_json(ladder)["ladder"]
    assert table["rungs"][0]["verdict"]["quality"]["net_preference"] is None
    with pytest.raises(StoreError, match="cannot be written"):
        draw_ladder(ladder, tmp_path / "gone" / "a.png")


def test_a_picture_without_matplotlib_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"pictures need matplotlib: pip install 'pytest-raq\["):
        require_plot(tmp_path / "a.png")


class Timed:
    """Writes down who is timed when; "b" takes twice the time."""

    def __init__(self, name, log, fails_at=99):
        self.name, self.log, self.fails_at, self.count = name, log, fails_at, 0

    def renew(self):
        self.log.append(self.name.upper())

    def ask(self, question_id):
        self.count += 1
        if self.count == self.fails_at:
            raise ConfigError("it broke")
        self.log.append(self.name)
        timing = Timing(10, 10, 11, 0.1, 0.1, 1.0 + (self.name == "b"), 1.1)
        return Answer(question_id, self.name, "words", FinishReason.STOP, timing)

    def close(self):
        pass


QUESTIONS = [Question(f"q{i}", "t", "passage", "question", ("x",)) for i in range(5)]


def test_files_take_turns_in_fresh_processes():
    log = []
    times = time_in_turns({n: Timed(n, log) for n in "ab"}, QUESTIONS, told=lambda _d, _a: None)
    assert "".join(log) == "AaaaaBbbbbBbbbbAaaaaAaaaaBbbbb"
    assert times.problems == {}
    assert times.ratios["b"]["decode_tokens_per_second"] == pytest.approx((0.5,) * 3)
    assert len(times.samples["a"]["decode_tokens_per_second"]) == 9


def test_a_file_that_breaks_while_it_is_timed_leaves_the_turns():
    log = []
    models = {"a": Timed("a", log), "b": Timed("b", log, fails_at=6)}
    times = time_in_turns(models, QUESTIONS, told=lambda _done, _all: None)
    assert times.problems == {"b": "it broke"}
    assert (list(times.samples), times.ratios) == (["a"], {})
    assert log.count("A") == 3
    assert log.count("B") == 2
