"""``raq rank`` on files as people have them: right, wrong, and damaged."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

import pytest
from accepted import row, rows_of, write_rows
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.cli import main
from pytest_raq.config import GateSettings
from pytest_raq.errors import RaqError
from pytest_raq.judging import NoOrder, ReferenceJudge, ScriptedJudge
from pytest_raq.trials.external_answers import rank_answers
from pytest_raq.trials.external_answers_file import read_answers


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rank(capsys, *arguments):
    code = main(["rank", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def answers(capsys, *arguments):
    code, out, _ = rank(capsys, *arguments, "--json", "-")
    return code, json.loads(out)["suites"]["answers"]


def refused(capsys, *arguments):
    code, out, err = rank(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def write(rows, name="a.jsonl"):
    write_rows(Path(name), rows)
    return name


def test_without_a_baseline_the_tables_are_printed_and_nothing_is_decided(capsys):
    file = write(rows_of({"alpha": 5, "beta": 40}))
    code, out, err = rank(capsys, file)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "answers: 60 questions in 12 passages, judge reference"
    assert lines[1].startswith("model   mean rank    EM    F1  contains  words  verdict")
    assert re.fullmatch(r"alpha +1\.21 ±0\.1\d +0\.92 +0\.92 +0\.92 +1\.0 +–", lines[2])
    assert "REGRESSION" not in out


def test_a_worse_model_is_a_regression_against_the_accepted_one(capsys):
    file = write(rows_of({"alpha": 5, "beta": 40, "gamma": 5}))
    code, out, _ = rank(capsys, file, "--baseline", "alpha")
    assert code == 1
    assert "REGRESSION beta: answers worse than the accepted ones on 35 of 60 questions" in out
    assert "INCONCLUSIVE gamma: a loss up to 0.13 is possible\n" in out
    assert "  60 of 60 answers tied with the accepted ones; net preference 0.00" in out
    assert "note: the answers of alpha are the accepted ones" in out
    assert "    baseline   right 5\n    today      wrong\n" in out


def test_json_has_the_shape_of_a_suite(capsys):
    file = write(rows_of({"alpha": 5, "beta": 40}))
    code, result = answers(capsys, file, "--baseline", "alpha")
    assert code == 1
    assert result["models"]["beta"]["exact_match"] == pytest.approx(20 / 60)
    assert result["models"]["beta"]["words_per_second"] is None
    assert result["models"]["beta"]["decode_tokens_per_second"] is None
    assert set(result["tests"]) >= {"friedman", "dunn_holm", "conover_holm", "permutation_holm"}
    assert result["tests"]["permutation_holm"]["alpha"]["beta"] < 0.05
    verdict = result["verdicts"]["beta"]
    assert verdict["verdict"] == "regression"
    assert verdict["net_preference"] == pytest.approx(-35 / 60)
    assert verdict["interval"]["high"] < 0
    assert verdict["p_value"] < 0.05
    assert list(result["verdicts"]) == ["beta"]
    question = result["questions"]["q5"]
    assert question["answers"] == {"alpha": "right 5", "beta": "wrong"}
    assert question["ranks"] == {"alpha": 1.0, "beta": 2.0}
    assert question["preferences"] == {"beta": -1}
    assert question["passage"] == "passage 1"
    assert result["provenance"]["questions"] == 60
    assert result["provenance"]["models"]["alpha"]["file"] == file


def test_json_goes_to_a_file_beside_the_tables(capsys):
    file = write(rows_of({"alpha": 1, "beta": 2}))
    code, out, _ = rank(capsys, file, "--json", "out/run.json")
    table = json.loads(Path("out/run.json").read_text(encoding="utf-8"))
    assert code == 0
    assert out.startswith("answers: 60 questions")
    assert (table["format"], list(table["suites"])) == (1, ["answers"])


def test_equal_models_pass_or_stay_undecided_never_fail(capsys):
    picks = random.Random(3)  # noqa: S311 - seeded
    rows = [
        row(n, model, f"right {n}" if picks.random() < 0.8 else "wrong")
        for n in range(60)
        for model in ("alpha", "beta")
    ]
    code, result = answers(capsys, write(rows), "--baseline", "alpha")
    assert code == 0
    assert result["verdicts"]["beta"]["verdict"] in {"pass", "inconclusive"}


def test_inconclusive_fails_where_asked(capsys):
    rows = [
        row(n, m, "wrong" if n % 3 == k else f"right {n}")
        for n in range(30)
        for k, m in enumerate(("alpha", "beta"))
    ]
    file = write(rows)
    assert rank(capsys, file, "--baseline", "alpha")[0] == 0
    assert rank(capsys, file, "--baseline", "alpha", "--inconclusive", "fail")[0] == 1


def test_an_answer_that_only_the_accepted_model_has_counts_as_worse(capsys):
    rows = rows_of({"alpha": 0, "beta": 0})
    file = write([r for r in rows if (r["model"], r["id"]) != ("beta", "q7")])
    _, result = answers(capsys, file, "--baseline", "alpha")
    verdict = result["verdicts"]["beta"]
    assert verdict["net_preference"] == pytest.approx(-1 / 60)
    assert (verdict["quality"]["worse"], verdict["quality"]["failed"]) == (1, 1)
    assert verdict["f1"]["difference"] == pytest.approx(-1 / 60)
    assert result["questions"]["q7"]["preferences"] == {"beta": -1}
    assert "better on 0 (1 without an answer today)" in verdict["reasons"][1]


def test_a_loss_in_few_passages_is_suspect_and_says_so_first(capsys):
    rows = rows_of({"alpha": 0, "beta": 20})  # the questions of four of twelve passages
    code, out, _ = rank(capsys, write(rows), "--baseline", "alpha")
    assert code == 1
    assert "SUSPECT beta: a loss is likely: 20 answers worse and 0 better, all in 4 passages" in out
    assert rank(capsys, write(rows), "--baseline", "alpha", "--suspect", "pass")[0] == 0


def test_one_unchanged_question_passes_nothing(capsys):
    file = write(rows_of({"alpha": 0, "beta": 0}, questions=1))
    code, result = answers(capsys, file, "--baseline", "alpha")
    assert (code, result["verdicts"]["beta"]["verdict"]) == (0, "inconclusive")
    assert result["verdicts"]["beta"]["interval"]["low"] < -0.9
    assert result["verdicts"]["beta"]["reasons"][0] == "a loss up to 0.97 is possible"


def test_gate_settings_are_those_of_a_suite(capsys):
    file = write(rows_of({"alpha": 0, "beta": 8}))
    assert rank(capsys, file, "--baseline", "alpha", "--alpha", "0.3")[0] == 1
    assert (
        rank(
            capsys,
            file,
            "--baseline",
            "alpha",
            "--alpha",
            "0.3",
            "--min-effect",
            "0.2",
            "--max-f1-drop",
            "0.2",
        )[0]
        == 0
    )
    err = refused(capsys, file, "--alpha", "2")
    assert err == "raq: --alpha 2.0: should be less than 1\n"
    assert "--max-missing nan: should be a finite number" in refused(
        capsys, file, "--max-missing", "nan"
    )


def test_the_number_of_models_is_what_holm_counts(capsys):
    file = write(rows_of({"alpha": 0, "beta": 8, "gamma": 8, "delta": 8}))
    _, out, _ = rank(capsys, file, "--baseline", "alpha")
    assert "(Holm, 3 tests)" in out


def test_missing_answers_are_missing_never_bad(capsys):
    rows = [r for r in rows_of({"alpha": 0, "beta": 0}) if r["model"] == "alpha" or r["id"] > "q1"]
    lost = 120 - len(rows)
    file = write(rows)
    code, result = answers(capsys, file, "--baseline", "alpha")
    assert code == 3
    assert result["verdicts"]["beta"]["verdict"] == "not measured"
    assert result["verdicts"]["beta"]["reasons"][0].startswith(
        f"{lost} of 60 questions have no answer"
    )
    assert result["models"]["beta"]["exact_match"] == 1.0
    assert result["models"]["beta"]["failed"] == lost
    assert result["questions"]["q0"]["failures"] == {"beta": "the files have no answer"}
    assert f"beta has no answer to {lost} of 60 questions" in result["notes"]
    assert rank(capsys, file, "--baseline", "alpha", "--max-missing", "0.2")[0] == 0
    code, _, err = rank(capsys, file, "--baseline", "alpha", "--max-missing", "0.5")
    assert (code, err) == (
        2, "raq: --max-missing 0.5: should be less than or equal to 0.2\n"
    )  # fmt: skip
    assert rank(capsys, file)[0] == 0


def test_a_baseline_that_lacks_answers_measures_nothing(capsys):
    rows = [r for r in rows_of({"alpha": 0, "beta": 0}) if r["model"] == "beta" or r["id"] > "q1"]
    code, out, _ = rank(capsys, write(rows), "--baseline", "alpha")
    assert code == 3
    assert "no ranking with an accepted answer; max_missing tolerates 2 %" in out


def test_models_without_a_common_question_measure_nothing(capsys):
    rows = [row(n, "alpha" if n % 2 else "beta", "x") for n in range(20)]
    assert rank(capsys, write(rows), "--baseline", "alpha")[0] == 3


def test_a_judge_without_a_verdict_measures_nothing(tmp_path):
    table = read_answers([write_rows(tmp_path / "a.jsonl", rows_of({"alpha": 60, "beta": 0}))])
    judge = ScriptedJudge(lambda _: NoOrder("no idea"))
    result = rank_answers(table, judge, GateSettings(), baseline="alpha")
    assert result.verdicts["beta"].decision.value == "not measured"
    assert {item.missing for item in result.questions} == {"no idea"}


def test_the_wrong_baseline_is_told_with_a_hint(capsys):
    file = write(rows_of({"alpha": 0, "beta": 0}))
    assert refused(capsys, file, "--baseline", "alfa") == (
        "raq: --baseline alfa: no answer is from that model; did you mean 'alpha'?\n"
    )
    assert "there are alpha, beta" in refused(capsys, file, "--baseline", "zzz")
    only = write(rows_of({"alpha": 0}), "only.jsonl")
    assert refused(capsys, only, "--baseline", "alpha") == (
        "raq: --baseline alpha: is the only model; give the answers of another one too\n"
    )


def test_answers_of_several_files_come_together(capsys):
    one = write(rows_of({"alpha": 0}), "one.jsonl")
    two = write(
        [{k: r[k] for k in ("id", "model", "answer")} for r in rows_of({"beta": 9})], "two.jsonl"
    )
    code, result = answers(capsys, one, two)
    assert code == 0
    assert result["models"]["beta"]["exact_match"] == pytest.approx(51 / 60)
    assert result["provenance"]["models"]["beta"]["file"] == "two.jsonl"


def test_the_order_of_lines_and_models_does_not_matter(capsys):
    rows = rows_of({"alpha": 5, "beta": 20, "gamma": 30})
    _, straight = answers(capsys, write(rows), "--baseline", "alpha")
    random.Random(1).shuffle(rows)  # noqa: S311 - seeded
    _, shuffled = answers(capsys, write(rows), "--baseline", "alpha")
    assert shuffled["tests"]["friedman"] == straight["tests"]["friedman"]
    assert shuffled["verdicts"] == straight["verdicts"]
    assert shuffled["provenance"]["fingerprint"] == straight["provenance"]["fingerprint"]


def test_a_byte_order_mark_crlf_blank_lines_and_unicode_are_read(capsys):
    rows = [
        row(n, m, "Zürich\u2028東京 🏔", references=["Zürich\u2028東京 🏔"])
        for n in range(9)
        for m in "ab"
    ]
    text = "\r\n\r\n".join(json.dumps(r, ensure_ascii=False) for r in rows)
    Path("a.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n")
    code, result = answers(capsys, "a.jsonl")
    assert code == 0
    assert result["models"]["a"]["exact_match"] == 1.0


def test_an_empty_answer_is_an_answer_and_a_number_may_be_an_id(capsys):
    rows = [row(n, m, "" if m == "b" else f"right {n}", id=n) for n in range(10) for m in "ab"]
    code, result = answers(capsys, write(rows))
    assert code == 0
    assert result["questions"]["3"]["ranks"] == {"a": 1.0, "b": 2.0}
    assert result["models"]["b"]["answered"] == 10


def test_other_fields_are_left_alone(capsys):
    rows = [row(n, m, "x", seconds=0.3, score=math.nan) for n in range(10) for m in "ab"]
    assert rank(capsys, write(rows))[0] == 0


def test_a_model_cannot_write_to_the_terminal(capsys):
    rows = rows_of({"alpha": 0, "beta": 40})
    for item in rows:
        if item["model"] == "beta":
            item["answer"] = "\x1b[2Jgone\u202e"
    _, out, _ = rank(capsys, write(rows), "--baseline", "alpha")
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "today      �[2Jgone�" in out


def squad_file():
    qas = [
        {"id": f"q{n}", "question": f"Which {n}?", "answers": [{"text": f"right {n}"}]}
        for n in range(20)
    ]
    paragraphs = [{"context": f"Passage {k}.", "qas": qas[k::4]} for k in range(4)]
    table = {"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}
    Path("squad.json").write_text(json.dumps(table), encoding="utf-8")


def test_a_data_set_gives_references_and_passages(capsys):
    squad_file()
    rows = [
        {"id": f"q{n}", "model": m, "answer": f"right {n}", "passage": 3}
        for n in range(18)
        for m in "ab"
    ]
    code, result = answers(capsys, write(rows), "--dataset", "squad.json")
    assert code == 0
    assert result["models"]["a"]["exact_match"] == 1.0
    assert result["tests"]["passages"] == 4
    assert result["provenance"]["source"] == "squad.json"
    assert (
        "2 of 20 questions of squad.json have no answer from any model and are left out"
        in result["notes"]
    )


def test_an_id_that_the_data_set_does_not_know_is_told(capsys):
    squad_file()
    file = write([{"id": "q99", "model": "a", "answer": "x"}])
    assert refused(capsys, file, "--dataset", "squad.json") == (
        "raq: a.jsonl:1: id: expected the id of a question of squad.json, found 'q99'\n"
    )


def test_wrong_options_are_told(capsys):
    file = write(rows_of({"alpha": 0}))
    assert "no judge 'nobody'" in refused(capsys, file, "--judge", "nobody")
    assert "none.json: does not exist" in refused(capsys, file, "--dataset", "none.json")
    assert "--split selects a part of --dataset: give both" in refused(capsys, file, "--split", "x")
    with pytest.raises(SystemExit) as stop:
        main(["rank", file, "--seed", "-1"])
    assert stop.value.code == 2
    assert "'-1' is not a whole number from 0 on" in capsys.readouterr().err


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from("abc"), st.sampled_from(["right", "wrong"])),
        min_size=1,
        max_size=15,
        unique_by=lambda item: item[:2],
    )
)
def test_ranks_sum_and_preferences_follow_them(tmp_path_factory, cells):
    rows = [row(n, model, f"{word} {n}") for n, model, word in cells]
    path = write_rows(tmp_path_factory.mktemp("law") / "a.jsonl", rows)
    table = read_answers([path])
    baseline = rows[0]["model"]
    try:
        result = rank_answers(table, ReferenceJudge(), GateSettings(), baseline=baseline)
    except RaqError as exc:
        assert "is the only model" in str(exc)  # noqa: PT017 - some draws have one model
        return
    for item in result.questions:
        size = len(item.answers)
        assert sum(item.ranks.values()) == size * (size + 1) / 2
        for model, sign in item.preferences.items():
            if model not in item.answers:
                assert sign == -1  # the accepted one has an answer, this one has none
                continue
            gap = item.ranks[baseline] - item.ranks[model]
            assert sign == (gap > 0) - (gap < 0)
