"""``raq judge check``: what it prints, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from judges import all_level, always_first, good, reading_judge, silent

from pytest_raq.cli import main
from pytest_raq.judging import ReferenceJudge
from pytest_raq.judging import suite_check as judge_check

WORDS = ["Paris", "1889", "Ada Lovelace", "the Baltic Sea", "3.14", "a silver spoon", "하늘색"]
JUDGES = {
    "reference": ReferenceJudge,
    "good": good,
    "good twice": lambda: good("good twice", orders=2),
    "first": always_first,
    "level": lambda: reading_judge(all_level, "level"),
    "silent": silent,
}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = []

    def open_judge(name, *_, **__):
        made.append(JUDGES[name]())
        return made[-1]

    monkeypatch.setattr(judge_check, "open_judge", open_judge)
    Path("suites").mkdir()
    Path("models").mkdir()
    write_suite()
    paragraphs = [
        {
            "context": f"Passage {n}.",
            "qas": [
                {
                    "id": f"q{n}",
                    "question": f"What is {n}?",
                    "answers": [{"text": f"{WORDS[n % 7]} {chr(97 + n) * 3}"}],
                }
            ],
        }
        for n in range(24)
    ]
    table = {"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}
    Path("suites/q.json").write_text(json.dumps(table), encoding="utf-8")
    return made


def write_suite(name="s", judge='"good"', default="true", gate=""):
    Path(f"suites/{name}.toml").write_text(
        f'default = {default}\nmodels = ["m"]\njudge = {judge}\n'
        f'[dataset]\nsource = "q.json"\n[gate]\n{gate}\n',
        encoding="utf-8",
    )


def check(capsys, *arguments):
    code = main(["judge", "check", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def result(capsys, *arguments):
    code, out, _ = check(capsys, *arguments, "--json", "-")
    return code, json.loads(out)["suites"]["s"]


def refused(capsys, *arguments):
    code, out, err = check(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def test_a_good_judge_can_be_trusted(capsys):
    code, out, _ = check(capsys)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "s: judge good: 60 cases"
    assert (
        lines[1] == "accuracy     120 of 120 (100 %, interval 97 % to 100 %) pairs of known order"
    )
    assert lines[2].split()[:4] == ["buried", "20", "of", "20"]
    assert "consistency  20 of 20 (100 %, interval 84 % to 100 %) cases ranked the same" in out
    assert lines[-2] == "spent        80 calls"
    assert lines[-1] == "verdict      the judge can be trusted"


def test_the_reference_judge_passes_and_keeps_nothing(capsys):
    code, out, _ = check(capsys, "--judge", "reference")
    assert code == 0
    assert "position     not known: the judge is not shown the answers in an order" in out
    assert "spent" not in out


def test_a_biased_judge_cannot_be_trusted(capsys):
    code, out, _ = check(capsys, "--judge", "first")
    assert code == 1
    assert "position     tau 1.00, p <0.001 (positive: what is read first ranks better)" in out
    assert "verdict      judge 'first' is not trusted: it ranked" in out


def test_a_judge_that_says_nothing_could_not_be_measured(capsys):
    code, out, _ = check(capsys, "--judge", "silent")
    assert code == 3
    assert "s: judge silent: 60 cases, 60 without a ranking: the reply is no ranking" in out
    assert "accuracy     none of 0 pairs" in out


def test_the_worst_of_several_judges_decides(capsys):
    code, out, _ = check(capsys, "--judge", "good,first")
    assert code == 1
    assert "s: judge good: 60 cases" in out
    assert "\n\ns: judge first: 60 cases" in out
    assert check(capsys, "--judge", "first,silent")[0] == 3


def test_a_panel_of_the_suite_is_checked_judge_by_judge(capsys):
    write_suite(judge='["good", "level"]')
    code, table = result(capsys)
    assert code == 1
    assert list(table) == ["good", "level"]
    assert table["good"]["problem"] == ""
    assert "0 of 120 pairs" in table["level"]["problem"]


def test_json_has_all_figures(capsys):
    code, table = result(capsys, "--judge", "good twice", "--questions", "4")
    assert code == 0
    found = table["good twice"]["check"]
    assert (found["cases"], found["missing"], found["orders"]) == (12, 0, 2)
    assert found["accuracy"]["count"] == found["accuracy"]["total"] == 24
    assert found["accuracy"]["interval"]["low"] == pytest.approx(0.862, abs=1e-3)
    assert found["consistency"]["share"] == 1.0
    assert set(found["kinds"]) == {
        "buried", "empty", "instruction", "other answer", "reworded", "truncated",
    }  # fmt: skip
    assert found["f1"]["tau"] == found["f1"]["spearman"] == 1.0
    assert found["length"] == {"longer": 0, "shorter": 4, "level": 4, "p_value": 0.125}
    assert table["good twice"]["human"] is None


def test_undefined_figures_are_null(capsys):
    _, table = result(capsys, "--judge", "silent")
    assert table["silent"]["check"]["accuracy"]["share"] is None
    assert table["silent"]["check"]["position"]["tau"] is None


def test_the_limit_is_that_of_the_suite_or_as_typed(capsys):
    write_suite(judge='"first"', gate="min_judge_accuracy = 0.2")
    code, out, _ = check(capsys)
    assert code == 1
    assert "orders = 2 in its [judge] table asks in both orders" in out
    assert check(capsys, "--min-judge-accuracy", "0")[0] == 0
    assert "--min-judge-accuracy 2.0: should be less than or equal to 1" in refused(
        capsys, "--min-judge-accuracy", "2"
    )


def test_a_second_check_asks_nothing_unless_fresh(capsys, project):
    check(capsys)
    code, out, _ = check(capsys)
    assert code == 0
    assert "spent" not in out
    assert project[-1].cases == []
    check(capsys, "--fresh")
    assert len(project[-1].cases) == 80


def test_suites_are_chosen_as_in_a_run(capsys):
    write_suite("other", judge='"reference"', default="false")
    assert check(capsys)[1].startswith("s: judge good")
    assert check(capsys, "--suite", "other")[1].startswith("other: judge reference")
    _, out, _ = check(capsys, "--suite", "other", "--suite", "s")
    assert "\n\ns: judge good" in out


def test_mistakes_are_told_in_one_line(capsys):
    assert "no suite 'nope'" in refused(capsys, "--suite", "nope")
    assert refused(capsys, "--judge", ",") == (
        "raq: --judge ',': name a judge, or several as A,B,C\n"
    )
    assert "none: is not a folder; name it with --suites-folder" in refused(
        capsys, "--suites-folder", "none"
    )
    write_suite(default="false")
    assert "no suite in suites has default = true: name one with --suite (s)" in refused(capsys)
    with pytest.raises(SystemExit) as stop:
        main(["judge", "check", "--questions", "0"])
    assert stop.value.code == 2
    assert "'0' is not a whole number from 1 on" in capsys.readouterr().err


def test_a_suite_without_sentinels_is_told(capsys):
    qas = [{"id": "a", "question": "?", "answers": [{"text": "x"}]}]
    table = {"data": [{"title": "t", "paragraphs": [{"context": "c", "qas": qas}]}]}
    Path("suites/q.json").write_text(json.dumps(table), encoding="utf-8")
    code, out, _ = check(capsys)
    assert code == 0
    assert out.startswith(
        "s: judge good: 24 cases of built-in questions, as the suite makes none\n"
    )
    assert result(capsys)[1]["good"]["check"]["built_in_questions"] is True


def human(lines, name="h.jsonl"):
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    Path(name).write_text(text + "\n", encoding="utf-8")
    return name


def right(number):
    return f"{WORDS[number % 7]} {chr(97 + number) * 3}"


def test_agreement_with_people_is_told(capsys):
    lines = [{"id": f"q{n}", "order": [right(n), ["wrong", "bad"]]} for n in range(10)]
    lines.append({"id": "q0", "order": ["wrong", right(0)], "person": "another"})
    code, table = result(capsys, "--human", human(lines))
    assert code == 0
    found = table["good"]["human"]
    assert (found["rankings"], found["missing"]) == (11, 0)
    assert (found["same"]["count"], found["same"]["total"]) == (30, 31)
    assert 0.8 < found["same"]["interval"]["low"] < found["same"]["share"]
    assert found["tau"] == pytest.approx((20 - 1) / 21)
    _, out, _ = check(capsys, "--human", "h.jsonl")
    assert "people       11 rankings: tau 0.90, 30 of 31 (97 %, interval" in out


def test_rankings_by_people_may_name_texts_or_give_ranks(capsys):
    lines = [
        {"id": "q1", "ranks": {"a": 1, "b": 2.5, "c": 2.5},
         "answers": {"a": right(1), "b": "no", "c": " no idea "}},
        {"id": "q2", "ranks": {right(2): 1, "x": 2}},
        {"id": "q3", "order": ["same", "same "]},
        "",
    ]  # fmt: skip
    _, table = result(capsys, "--human", human(lines))
    assert table["good"]["human"]["rankings"] == 2
    assert table["good"]["human"]["same"]["count"] == 4


def test_a_judge_without_a_ranking_of_what_people_ranked_is_told(capsys):
    code, out, _ = check(capsys, "--judge", "silent", "--human",
                         human([{"id": "q1", "order": ["a", "b"]}]))  # fmt: skip
    assert code == 3
    assert "people       1 ranking: tau –, none of 0 pairs alike" in out
    assert "1 of them without a ranking by the judge" in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"order": ["a", "b"]}, "h.jsonl:1: id: is missing; expected the id of a question"),
        ({"id": "zz", "order": ["a", "b"]}, "id: expected the id of a question of the suite"),
        ({"id": "q1"}, "h.jsonl:1: expected either ranks (an object of names and ranks"),
        ({"id": "q1", "order": ["a"], "ranks": {"a": 1}}, "h.jsonl:1: expected either ranks"),
        ({"id": "q1", "ranks": ["a"]}, "ranks: expected an object of names and ranks"),
        ({"id": "q1", "ranks": {"a": "1"}}, "ranks.a: expected a number, 1 is best, found"),
        ({"id": "q1", "ranks": {"a": True}}, "ranks.a: expected a number"),
        ('{"id": "q1", "ranks": {"a": NaN, "b": 1}}', "ranks.a: expected a number"),
        ({"id": "q1", "ranks": {"a": 10**400}}, "ranks.a: expected a number"),
        ({"id": "q1", "order": "ab"}, "order: expected a list of names, the best first"),
        ({"id": "q1", "order": [1]}, "order[0]: expected a name or a list of names, found 1"),
        ({"id": "q1", "order": ["a", ["b", "a"]]}, "order: names 'a' twice"),
        ({"id": "q1", "order": ["a", "b"], "answers": {"a": "x"}},
         "answers.b: expected the text that is ranked, found null"),
        ({"id": "q1", "order": ["a", "b"], "answers": []}, "answers: expected an object of names"),
        ({"id": "q1", "order": ["a", " a"]}, "h.jsonl: holds no ranking of two answers"),
        ("{", "h.jsonl:1: is not JSON"),
    ],
)  # fmt: skip
def test_a_wrong_line_of_people_is_told(capsys, line, message):
    assert message in refused(capsys, "--human", human([line]))


def test_a_file_of_people_that_is_not_there_is_told(capsys):
    assert "no.jsonl: cannot be read: No such file" in refused(capsys, "--human", "no.jsonl")
