"""The plugin through pytest itself, with models that answer from a script."""

from __future__ import annotations

import json
import tempfile

import pytest
from projects import Project


@pytest.fixture
def project(pytester):
    return Project(pytester)


def test_without_a_baseline_the_gate_fails_and_says_how_to_accept(project):
    result = project.run()
    result.assert_outcomes(passed=62, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*relative answer quality*",
            "small: 20 questions in 10 passages, judge reference",
            "model*mean rank*EM*F1*words*words/s*tok/s*verdict",
            "first*1.50*1.00*1.00*NO BASELINE",
            "NO BASELINE first:*baselines/small.json does not exist*--raq-update*",
        ]
    )
    assert result.ret == 1


def test_an_accepted_state_passes_and_a_worse_model_fails_the_build(project):
    project.accept()
    assert project.run().ret == 0
    project.worse("second")
    result = project.run()
    result.assert_outcomes(passed=63, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*REGRESSION second: answers worse than the accepted ones on 14 of 20 questions*",
            "*second*REGRESSION",
            "REGRESSION second:*net preference −0.70*p*",
            "  q0  What is right about 0?",
            "    reference  right 0",
            "    baseline   right 0",
            "    today      wrong",
            "  and 11 more",
        ]
    )
    assert result.ret == 1


def test_the_accepted_baseline_is_not_touched_by_a_failing_run(project):
    project.accept()
    before = (project.root / "baselines/small.json").read_bytes()
    project.worse("first")
    project.run()
    assert (project.root / "baselines/small.json").read_bytes() == before
    project.accept()
    after = (project.root / "baselines/small.json").read_text(encoding="utf-8")
    assert '"first": "wrong"' in after
    # What was accepted is still worse than the anchor, the state accepted first.
    result = project.run()
    result.stdout.fnmatch_lines(["REGRESSION first: since the anchor: answers worse than *"])
    assert result.ret == 1
    result = project.run("--raq-anchor", "--raq-reason", "release 2")
    result.stdout.fnmatch_lines(["the anchor is this run too: baselines/small.anchor.json"])
    assert result.ret == 0
    assert project.run().ret == 0


def test_the_json_has_what_the_design_promises(project):
    project.accept()
    small = project.results()
    model = small["models"]["first"]
    assert model["mean_rank"] == 1.5
    assert model["exact_match"] == model["f1"] == 1.0
    assert model["words"] == 1.0
    assert model["words_per_second"] == pytest.approx(11.1, abs=0.1)
    assert model["prefill_tokens_per_second"] == pytest.approx(100.0)
    assert model["decode_tokens_per_second"] == pytest.approx(100.0)
    assert model["time_to_first_token"] == pytest.approx(0.08)
    assert small["tests"]["dunn_holm"]["first"]["first"] == 1.0
    assert set(small["tests"]) >= {"friedman", "dunn_holm", "conover_holm", "permutation_holm"}
    assert small["verdicts"]["first"]["verdict"] == "unchanged"
    assert small["questions"]["q3"]["answers"] == {"first": "right 3", "second": "right 3"}
    assert small["questions"]["q3"]["ranks"] == {"first": 1.5, "second": 1.5}
    assert small["provenance"]["judge"]["name"] == "reference"


def test_a_swapped_file_is_compared_with_the_accepted_answers(project):
    project.accept()
    project.write("worse.gguf", "worse weights")
    wrong = {f"q{number}": "wrong" for number in range(20)}
    project.replies({str(project.root / "worse.gguf"): wrong})
    assert project.run("--raq-swap", "first=worse.gguf").ret == 1
    project.write("same.gguf", "other weights that answer the same")
    result = project.run("--raq-swap", "first=same.gguf")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: differs from the baseline: first: first.gguf → same.gguf"])


def test_a_model_that_does_not_load_is_one_failure_to_read_and_the_others_run(project):
    project.accept()
    project.replies({"first": "will not load"})
    result = project.run()
    failures = [line for line in result.outlines if line.startswith("FAILED")]
    assert len([line for line in failures if "test_answer" in line]) == 1
    result.stdout.fnmatch_lines(
        [
            "first gave no answer to q0: the file is broken",
            "first*NOT MEASURED",
            "second*unchanged",
            "NOT MEASURED first:*",
            "UNCHANGED (speed unchanged) second:*",
            "*19 not answered*",
        ]
    )
    assert result.ret == 1
    loaded = (project.root / "loaded.txt").read_text().splitlines()
    assert loaded[-2:].count("first") == 1


def test_a_failed_answer_is_never_counted_as_a_bad_one(project):
    project.accept()
    project.replies({"first": {"q0": None}})
    small = project.results()
    assert small["models"]["first"]["answered"] == 19
    assert small["models"]["first"]["exact_match"] == 1.0
    assert small["verdicts"]["first"]["verdict"] == "not measured"
    assert small["questions"]["q0"]["failures"] == {"first": "scripted failure"}


def test_stored_answers_are_not_generated_again(project):
    run = project.pytester.runpytest_inprocess
    run("suites", "--raq-update", "-k", "not speed")
    assert len(project.asked()) == 40
    run("suites", "-k", "not speed")
    assert project.asked() == []
    project.write("models/first.gguf", "other weights")
    run("suites", "-k", "not speed")
    assert {line.split()[0] for line in project.asked()} == {"first"}


def test_a_selection_generates_only_what_it_asks_for(project):
    project.run("-k", "test_answer and second and q7")
    assert project.asked() == ["second q7"]


def test_a_selection_of_answers_is_no_green_verdict(project):
    project.accept()
    result = project.run("-k", "test_answer and second")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["second*NOT MEASURED"])


def test_a_gate_alone_pulls_what_it_needs(project):
    project.accept()
    project.asked()
    result = project.run("-k", "test_gate and first")
    result.assert_outcomes(passed=1, deselected=63)
    assert len(project.asked()) == 40


def test_the_results_are_the_same_under_xdist_and_nothing_is_done_twice(project, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(project.root))
    monkeypatch.setattr(tempfile, "tempdir", None)
    project.accept()
    project.worse("second")
    alone = project.results("-k", "not speed")
    project.asked()
    (project.root / "loaded.txt").unlink()
    project.pytester.runpytest_subprocess(
        "suites", "--raq-fresh", "-n", "2", "--raq-json", "run.json", "-k", "not speed"
    )
    text = (project.root / "run.json").read_text(encoding="utf-8")
    shared = json.loads(text)["suites"]["small"]
    for part in ("models", "tests", "verdicts", "questions"):
        assert shared[part] == alone[part]
    assert sorted((project.root / "loaded.txt").read_text().split()) == ["first", "second"]
    asked = project.asked()
    assert len(asked) == len(set(asked)) == 40
    assert not list(project.root.glob("pytest-raq-*"))


def test_speed_is_skipped_never_passed_where_nothing_is_timed(project):
    result = project.run("-k", "speed", "--benchmark-disable")
    result.assert_outcomes(skipped=2, deselected=62)


def test_speed_is_a_row_of_pytest_benchmark(project):
    result = project.run("-k", "speed", "--benchmark-json", "speed.json")
    result.assert_outcomes(passed=2, deselected=62)
    rows = json.loads((project.root / "speed.json").read_text())["benchmarks"]
    assert [row["param"] for row in rows] == ["small-first", "small-second"]
    assert rows[0]["extra_info"]["decode_tokens_per_second"] == pytest.approx(100.0)


def test_other_questions_have_no_baseline(project):
    project.accept()
    result = project.run("--raq-sample", "5")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["NO BASELINE first:*small.json does not fit: it was accepted for other questions:*"]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--raq-suite", "smal"], "*no suite 'smal':*did you mean 'small'?"),
        (["--raq-models", "third"], "*--raq-models: suite small has no model 'third'*"),
        (["--raq-swap", "third=x.gguf"], "*--raq-swap: suite small has no model 'third'*"),
        (["--raq-swap", "first=x.gguf"], "*--raq-swap first=x.gguf:*x.gguf is not a file*"),
        (["--raq-swap", "first"], "*--raq-swap 'first': write MODEL=FILE*"),
        (["--raq-dataset", "none.json"], "*none.json: does not exist*"),
        (["--raq-judge", "gpt"], "*no judge 'gpt'*"),
        (["--raq-parallel", "0"], "*--raq-parallel 0: give 1 or more"),
        (
            ["--raq-update", "--raq-sample", "5"],
            "*--raq-update accepts a suite as its files define it*--raq-sample*",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(project, options, message):
    result = project.run(*options)
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()
    assert result.ret == 2


def test_update_refuses_a_run_with_missing_answers(project):
    project.replies({"first": {"q0": None}})
    result = project.run("--raq-update")
    result.stdout.fnmatch_lines(
        ["ERROR:*small.json is not updated: first answered 19 of 20 questions*"]
    )
    assert not (project.root / "baselines").exists()
    assert result.ret == 1


def test_hostile_answers_do_not_reach_the_terminal(project):
    project.accept()
    bad = "\x1b[31mred\x1b]0;title\x07 \u202ertl"
    project.replies({"first": {f"q{number}": bad for number in range(20)}})
    result = project.run()
    assert "\x1b[31mred" not in result.stdout.str()
    assert "\u202e" not in result.stdout.str()


def test_an_accepted_answer_with_half_a_surrogate_pair_is_compared_later(project):
    project.replies({"first": {"q0": "right 0 \ud800"}})
    project.accept()
    small = project.results()
    assert small["verdicts"]["first"]["verdict"] == "unchanged"
    assert small["questions"]["q0"]["answers"]["first"] == "right 0 \ufffd"


def test_a_project_without_suites_is_left_alone(pytester):
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1)
    assert "relative answer quality" not in result.stdout.str()
    assert not (pytester.path / ".raq").exists()


def test_a_swap_measures_the_accepted_file_beside_the_new_one(project):
    project.accept()
    project.write("new.gguf", "new weights")
    project.asked()
    small = project.results("--raq-swap", "first=new.gguf", "-k", "speed or gate")
    asked = [line.rpartition(" ") for line in project.asked()]
    probes = [name for name, _, _ in asked if name.startswith("first")][:8]
    now, then = "first", "first (accepted)"
    assert probes == [now, then, then, now, now, then, then, now]  # a warm-up, then turns
    verdict = small["verdicts"]["first"]
    assert [speed["ratio"] for speed in verdict["speed"]] == [1.0] * 4
    assert verdict["speed_summary"] == "decode ×1.00, 1.00 to 1.00"


def test_an_inconclusive_verdict_passes_with_a_warning_or_fails(project):
    project.accept()
    project.replies({"first": {"q0": "wrong", "q4": "wrong", "q7": "wrong"}})
    result = project.run("-W", "default")
    result.stdout.fnmatch_lines(
        ["*InconclusiveWarning: INCONCLUSIVE (speed unchanged) first: *", "first*inconclusive"]
    )
    assert result.ret == 0
    path = project.root / "suites/small.toml"
    project.write("suites/small.toml", path.read_text() + '[gate]\ninconclusive = "fail"\n')
    assert project.run().ret == 1


def test_a_store_that_cannot_be_used_is_told_and_the_run_goes_on(project):
    (project.root / "file").write_text("")
    project.accept()
    result = project.run("--raq-store", "file/store.db")
    result.stdout.fnmatch_lines(["answers are not stored from now on: *store.db: cannot be used*"])
    assert result.ret == 0


def test_a_damaged_store_is_set_aside_and_named(project):
    project.accept()
    (project.root / ".raq" / "store.db").write_bytes(b"nonsense" * 1000)
    for suffix in ("-wal", "-shm"):
        (project.root / ".raq" / f"store.db{suffix}").unlink(missing_ok=True)
    result = project.run()
    result.stdout.fnmatch_lines(["the store *store.db could not be read*store.db.damaged-1"])
    assert result.ret == 0


def test_update_says_what_it_accepts(project):
    page, table = project.root / "run.html", project.root / "run.json"
    result = project.run(
        *("--raq-update", "--raq-reason", "the first state"),
        *("--raq-report", str(page), "--raq-json", str(table)),
    )
    # What was accepted just now is there: no result says that it does not exist.
    assert "small.json does not exist" not in page.read_text(encoding="utf-8")
    assert "does not exist" not in table.read_text(encoding="utf-8")
    result.stdout.fnmatch_lines(
        [
            "accepted as baselines/small.json, because the first state: 2 models, 20 questions",
            "  first: first.gguf*EM 1.00, F1 1.00, mean rank 1.50, accepted for the first time",
        ]
    )
    project.worse("first", 5)
    result = project.run("--raq-update")
    result.stdout.fnmatch_lines(
        ["ERROR: *small.json is not updated: first is * (*): say why you accept *--raq-reason TEXT"]
    )
    assert result.ret == 1
    result = project.run("--raq-update", "--raq-reason", "smaller")
    result.stdout.fnmatch_lines(
        ["  first: *EM 1.00 → 0.75, F1 1.00 → 0.75, mean rank 1.50 → 1.62, 5 answers changed"]
    )
    text = (project.root / "baselines/small.json").read_text(encoding="utf-8")
    assert '"reason": "smaller"' in text


def test_speed_that_was_not_measured_is_told(project):
    project.accept()
    result = project.run("--benchmark-disable")
    result.stdout.fnmatch_lines(["UNCHANGED (speed unchanged) first: *"])


def test_how_many_are_asked_together_is_typed_or_defined(project):
    small = project.results("--raq-parallel", "3")
    models = small["provenance"]["models"]
    assert [model["options"]["parallel"] for model in models.values()] == [3, 3]
    assert "parallel" not in project.results()["provenance"]["models"]["first"]["options"]
