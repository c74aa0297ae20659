"""Trends over kept runs: what compares with what, what is marked, what is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from histories import MACHINE, figures, provenance, run

from pytest_raq.history.trends import make_history
from pytest_raq.records import JudgeIdentity, RunState
from pytest_raq.records.history import MarkKind, RunMark, TrendPoint
from pytest_raq.report.json.commands import trends_to_json
from pytest_raq.report.terminal.history import mark_line, sparkline, trend_lines
from pytest_raq.report.words import change_text, commit_text


def history(runs, **options):
    return make_history("mini", runs, place="store.db", **options)


def steady(count, start=0, **changes):
    return [run(number, **changes) for number in range(start, start + count)]


def speed(number):
    """Return a speed that wavers by 2 %."""
    return 400.0 + (number * 7 % 5 - 2) * 2


def trend(made, measure, model="m"):
    (found,) = [t for t in made.trends if t.measure.name == measure and t.model == model]
    return found


def kinds(made, place):
    return [mark.kind for mark in made.marks.get(place, ())]


def with_machine(machine):
    return provenance(("m",), machine=machine)


def test_a_fall_of_speed_is_named_with_its_run_and_what_else_changed():
    runs = [
        run(
            number,
            figures("m", decode_tokens_per_second=speed(number) * (0.88 if number >= 19 else 1)),
            provenance=provenance(("m",), build="0.3.36" if number >= 19 else "0.3.35"),
            commit=("3f2a1c" if number == 19 else f"{number:06x}").ljust(40, "0"),
        )
        for number in range(30)
    ]
    made = history(reversed(runs))
    (change,) = made.changes
    assert change_text(change, made) == (
        "m: decode speed fell 12 % at the run of 3f2a1c on 2026-11-20 (400 → 352 tok/s)"
    )
    assert change.is_worse
    assert change.marks == (
        RunMark(MarkKind.BUILD, "engine build of m: llama-cpp 0.3.35 → llama-cpp 0.3.36"),
    )


def test_quality_is_named_in_its_own_unit():
    runs = [
        run(number, figures("m", f1=f1, mean_rank=rank))
        for number in range(24)
        for f1, rank in [(0.8, 1.5) if number < 12 else (0.75, 1.75)]
    ]
    made = history(runs)
    assert [change_text(change, made) for change in made.changes] == [
        "m: mean rank rose by 0.25 at the run of 00000c on 2026-11-13 (1.50 → 1.75)",
        "m: F1 fell by 0.050 at the run of 00000c on 2026-11-13 (0.800 → 0.750)",
    ]
    assert all(change.is_worse for change in made.changes)


def test_another_machine_begins_a_new_series_of_speed_alone():
    runs = [
        run(
            number,
            figures("m", decode_tokens_per_second=speed(number) / (1 if number < 15 else 2)),
            provenance=with_machine(MACHINE if number < 15 else {**MACHINE, "cores": "2"}),
        )
        for number in range(30)
    ]
    made = history(runs)
    assert made.changes == ()
    assert [len(points) for points in trend(made, "decode_tokens_per_second").series] == [15, 15]
    assert [len(points) for points in trend(made, "f1").series] == [30]
    assert made.marks[15] == (RunMark(MarkKind.MACHINE, "machine: cores 4 → 2"),)
    assert "not in the trend of speed: 15 runs with another machine" in trend_lines(made)


def test_runners_that_take_turns_are_two_series():
    runs = [
        run(
            number,
            figures("m", decode_tokens_per_second=speed(number) * (1 + number % 2)),
            provenance=with_machine({**MACHINE, "cores": str(2 + number % 2)}),
        )
        for number in range(30)
    ]
    made = history(runs)
    assert made.changes == ()
    assert [len(points) for points in trend(made, "decode_tokens_per_second").series] == [15, 15]


def test_other_questions_judges_or_rivals_do_not_compare():
    def other(judge="reference", fingerprint="f" * 64, models=("m",)):
        given = provenance(models)
        return replace(given, fingerprint=fingerprint, judge=JudgeIdentity(judge))

    made = history(
        [
            *steady(3),
            run(3, provenance=other(fingerprint="e" * 64)),
            run(4, provenance=other(judge="gpt")),
            run(5, figures("m"), figures("n"), provenance=other(models=("m", "n"))),
            *steady(3, 6),
        ]
    )
    sizes = {
        measure: sorted(len(points) for points in trend(made, measure).series)
        for measure in ("f1", "mean_rank", "net_preference")
    }
    assert sizes == {"f1": [1, 8], "mean_rank": [1, 1, 1, 6], "net_preference": [1, 1, 7]}
    assert kinds(made, 3) == [MarkKind.QUESTIONS]
    assert kinds(made, 4) == [MarkKind.JUDGE, MarkKind.QUESTIONS]
    assert [point.run for point in trend(made, "mean_rank").current] == [0, 1, 2, 6, 7, 8]


def test_a_new_baseline_begins_a_new_series_of_net_preference():
    runs = steady(9)
    runs[3] = replace(runs[3], accepted=True, reason="a better file")
    made = history(runs)
    assert [len(points) for points in trend(made, "net_preference").series] == [4, 5]
    assert made.marks[3] == (RunMark(MarkKind.ACCEPTED, "baseline accepted: a better file"),)


def test_runs_that_measured_a_part_are_not_in_a_trend():
    part = figures("m", answered=30)
    made = history(
        [
            run(0),
            run(1, part, state=RunState.PARTIAL),
            run(2, replace(part, answered=59), state=RunState.PARTIAL),
            run(3, figures("m"), state=RunState.INTERRUPTED),
            run(4, figures("m", f1=float("nan"))),
            run(
                5,
                figures("m", answered=0, probe_decode_tokens_per_second=9.0),
                state=RunState.PARTIAL,
            ),
        ]
    )
    assert [point.run for point in trend(made, "f1").current] == [0, 2, 3]
    assert [point.run for point in trend(made, "mean_rank").current] == [0, 2, 4]
    assert [point.run for point in trend(made, "probe_decode_tokens_per_second").current] == [5]


def test_what_was_not_known_is_compared_when_it_is_known_again():
    made = history(
        [
            run(0, provenance=provenance(("m",), build="1")),
            run(1, provenance=provenance(("m",), build="")),
            run(2, provenance=provenance(("m",), build="1")),
            run(3, provenance=provenance(("m",), build="2")),
        ]
    )
    assert list(made.marks) == [3]


def test_a_swap_is_marked_and_its_file_is_not_taken_for_the_models():
    swapped = provenance(("m",))
    other = replace(swapped.models["m"], file="new.gguf", file_sha256="cd" * 32)
    swapped = replace(swapped, models={"m": other})
    made = history([run(0), run(1, provenance=swapped, options={"--raq-swap": "m=new.gguf"}),
                    run(2), run(3, provenance=swapped)])  # fmt: skip
    assert made.marks == {
        1: (RunMark(MarkKind.SWAP, "--raq-swap m=new.gguf"),),
        3: (RunMark(MarkKind.FILE,
                    "model file of m: m.gguf (abababababab) → new.gguf (cdcdcdcdcdcd)"),),
    }  # fmt: skip


def test_one_model_alone_can_be_looked_at():
    made = history([run(0, figures("a"), figures("b"))], models=["b"])
    assert {item.model for item in made.trends} == {"b"}


def test_all_series_share_one_level():
    models = [f"m{number}" for number in range(30)]
    runs = [
        run(number, *(figures(name, f1=0.8 - 0.02 * ((number * 7919 + place * 104729) % 11 % 3))
                      for place, name in enumerate(models)))
        for number in range(12)
    ]  # fmt: skip
    assert history(runs).changes == ()


def test_lines_fit_80_columns_and_say_it_all():
    long = "qwen2.5-3b-instruct-with-a-very-long-name-q4_k_m"
    runs = [
        run(
            number,
            figures(long, decode_tokens_per_second=speed(number) * (0.8 if number > 20 else 1)),
            accepted=number == 5,
            reason="because of \x1b[31m a long reason " * 5,
        )
        for number in range(60)
    ]
    lines = trend_lines(history(runs))
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "".join(lines)
    assert lines[0] == "mini: 60 runs from 2026-11-01 to 2026-12-30, in store.db"
    assert lines[1].split() == ["first", "last", "change", "trend"]
    assert lines[2] == long
    assert any(line.startswith("  decode tok/s") and " % " in line for line in lines)
    assert "decode speed fell 20 %" in " ".join(" ".join(lines).split())
    (marked,) = [line for line in lines if line.startswith("marks ")]
    assert marked.split() == ["marks", "A"]
    assert "A accepted" in lines


def test_one_run_is_a_history_too():
    lines = trend_lines(history([run(0)]))
    assert lines[0] == "mini: 1 run of 2026-11-01, in store.db"
    assert "no change of level" in lines


def test_json_names_runs_by_id_and_holds_no_nan():
    made = history([run(0), run(1, figures("m", f1=float("nan")))])
    table = trends_to_json(made)
    assert table["runs"][1]["id"] == run(1).id
    assert [
        [point["run"] for point in item["series"][0]]
        for item in table["trends"]
        if item["measure"] == "f1"
    ] == [[run(0).id]]


@pytest.mark.parametrize(
    ("commit", "text"),
    [
        ("3f2a1c" + "0" * 34, "3f2a1c"),
        ("3f2a1c" + "0" * 34 + "-dirty", "3f2a1c+"),
        ("", ""),
        ("\x1bnonsense", "�nonsense"),
    ],
)
def test_a_commit_is_short(commit, text):
    assert commit_text(commit) == text


def test_a_run_without_a_commit_is_named_by_its_time():
    runs = [run(number, figures("m", f1=0.8 if number < 12 else 0.7), commit="")
            for number in range(24)]  # fmt: skip
    made = history(runs)
    assert "at the run of 2026-11-13 12:00 (" in change_text(made.changes[0], made)


def test_a_sparkline_has_a_block_a_run_or_a_median_of_some():
    points = [TrendPoint(number, float(number)) for number in range(8)]
    assert sparkline(points, 8, 30) == "▁▂▃▄▅▆▇█"
    assert sparkline(points, 8, 4) == "▁▃▆█"
    assert sparkline(points[4:], 8, 30) == "    ▁▃▆█"
    assert sparkline([TrendPoint(0, 5.0), TrendPoint(2, 5.0)], 3, 30) == "▄ ▄"
    assert sparkline([], 3, 30) == ""


def test_marks_stand_below_their_runs():
    marks = {0: (RunMark(MarkKind.ACCEPTED, ""),), 5: (RunMark(MarkKind.BUILD, ""),)}
    letters = {"accepted": "A", "engine build": "B"}
    assert mark_line(marks, letters, 8, 30) == "A    B"
    assert mark_line(marks, letters, 8, 4) == "A B"
