"""Questions whose right answer nobody wrote down, and questions without a passage."""

from __future__ import annotations

import json

import pytest
from accepted import row, rows_of, write_rows
from projects import Project

from pytest_raq.cli import main
from pytest_raq.config import GateSettings
from pytest_raq.errors import DatasetError
from pytest_raq.judging import Case, NoOrder, Order, ReferenceJudge, ScriptedJudge
from pytest_raq.records import Answer, FinishReason, Question, Timing
from pytest_raq.stats.model_summary import summarize
from pytest_raq.trials.external_answers import rank_answers
from pytest_raq.trials.external_answers_file import read_answers

SUITE = """
default = true
models = ["first", "second"]
judge = "{judge}"
[dataset]
source = "asked.jsonl"
[gate]
min_judge_accuracy = 0
"""

JUDGE = '''
from pytest_raq.judging import Order, ScriptedJudge
from pytest_raq.running import build


def shortest_last(case):
    """Rank by the passage alone: whatever says wrong is."""
    right = tuple(i for i, text in enumerate(case.texts) if "wrong" not in text)
    wrong = tuple(i for i, text in enumerate(case.texts) if "wrong" in text)
    return Order((right, wrong))


def pytest_sessionstart(session):
    patch = session.config.raq_patch  # undone with the run
    patch.setattr(build, "open_judge", lambda name, *_, **__: ScriptedJudge(shortest_last, name))
'''


def questions(**changes):
    rows = [
        {
            "id": f"q{n}",
            "passage": f"Passage number {n // 2}.",
            "question": f"What is right about {n}?",
            **changes,
        }
        for n in range(20)
    ]
    return "\n".join(json.dumps({k: v for k, v in row.items() if v != ""}) for row in rows)


def make(pytester, judge, rows):
    project = Project(pytester)
    (project.root / "suites/small.toml").unlink()
    project.write("suites/small.toml", SUITE.format(judge=judge))
    project.write("suites/asked.jsonl", rows)
    if judge != "reference":
        conftest = (project.root / "conftest.py").read_text(encoding="utf-8")
        project.write("conftest.py", conftest + JUDGE)
    return project


def test_the_reference_judge_says_before_the_run_that_it_cannot_judge_them(pytester):
    project = make(pytester, "reference", questions())
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            (
                "*'q0' ('What is right about 0?') and 19 more have no references, and judge"
                " 'reference' needs them: name their column with"
                " dataset.columns.references, or use a judge that reads the passage"
            )
        ]
    )
    assert project.asked() == []


def test_a_judge_that_reads_the_passage_gates_them_without_exact_match_and_f1(pytester):
    project = make(pytester, "reader", questions())
    project.accept()
    path = project.root / "baselines/small.json"
    assert json.loads(path.read_text(encoding="utf-8"))["models"]["first"]["f1"] is None
    project.worse("first")
    result = project.run("--raq-json", "run.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["first  −0.70 (*) 1.85 ±* REGRESSION*", "*reference  –*"])
    found = json.loads((project.root / "run.json").read_text())["suites"]["small"]
    assert (found["models"]["first"]["exact_match"], found["models"]["first"]["f1"]) == (None, None)
    assert found["questions"]["q0"]["references"] == []
    assert found["verdicts"]["second"]["verdict"] == "unchanged"
    assert main(["baseline", "show", "small", "--folder", str(path.parent)]) == 0


def test_questions_with_references_alone_are_scored_beside_others():
    asked = {
        "a": Question("a", "", "p", "A?", ("right",)),
        "b": Question("b", "", "p", "B?", ("left",)),
        "c": Question("c", "", "p", "C?", ()),
    }
    said = {name: Answer(name, "m", "right", FinishReason.STOP, Timing()) for name in asked}
    figures = summarize("m", said, asked)
    assert (figures.answered, figures.exact_match, figures.f1) == (3, 0.5, 0.5)


def test_a_prompt_that_shows_a_passage_needs_one(pytester):
    project = make(pytester, "reference", questions(passage="", references=["x"]))
    project.run().stdout.fnmatch_lines(
        [
            (
                "*first.toml: the prompt uses {passage}, but question 'q0' ('What is right"
                " about 0?') of asked.jsonl has"
                " none: name the column of passages with dataset.columns.passage, or"
                " remove {passage} from the prompt"
            )
        ]
    )
    assert project.asked() == []


def test_the_reference_judge_has_no_order_without_references():
    case = Case(Question("q", "", "p", "Who?", ()), ("a", "b"))
    (found,) = ReferenceJudge().order([case])
    assert found == NoOrder("the question has no references, and judge 'reference' needs them")


def bare(rows):
    return [{key: value for key, value in item.items() if key != "references"} for item in rows]


@pytest.mark.parametrize("empty", [False, True])
def test_answers_from_elsewhere_may_lack_references_where_the_judge_needs_none(tmp_path, empty):
    rows = bare(rows_of({"alpha": 0, "beta": 10}, questions=20))
    if empty:
        rows = [{**item, "references": []} for item in rows]
    path = write_rows(tmp_path / "a.jsonl", rows)
    with pytest.raises(DatasetError, match=r"a\.jsonl:1: references: (is missing|expected a list)"):
        read_answers([path])
    table = read_answers([path], needs_references=False)
    judge = ScriptedJudge(
        lambda case: Order(tuple((i,) for i, _ in reversed(list(enumerate(case.texts))))[:2])
    )
    result = rank_answers(table, judge, GateSettings(), baseline="alpha")
    assert result.models["beta"].f1 is None
    assert result.models["beta"].exact_match is None
    assert result.verdicts["beta"].quality.questions == 20


def test_a_data_set_without_references_is_told_by_raq_rank(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "asked.jsonl").write_text(questions(), encoding="utf-8")
    write_rows(tmp_path / "a.jsonl", [row(3, "m", "x"), row(4, "m", "x")])
    assert main(["rank", "a.jsonl", "--dataset", "asked.jsonl"]) == 2
    assert capsys.readouterr().err == (
        "raq: asked.jsonl: 'q3' ('What is right about 3?') and 1 more have no references, and"
        " judge 'reference' needs them: name their column with"
        " dataset.columns.references, or use a judge that reads the passage\n"
    )


def test_raq_rank_takes_the_questions_of_a_suite(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    rows = [json.loads(line) for line in questions().splitlines()]
    renamed = [
        {"id": r["id"], "frage": r["question"], "gold": f"right {n}"} for n, r in enumerate(rows)
    ]
    (tmp_path / "suites/asked.jsonl").write_text(
        "\n".join(map(json.dumps, [*renamed, renamed[0]])), encoding="utf-8"
    )
    (tmp_path / "suites/s.toml").write_text(
        'models = ["m"]\n[dataset]\nsource = "asked.jsonl"\n'
        'columns = { question = "frage", references = "gold" }\n',
        encoding="utf-8",
    )
    write_rows(tmp_path / "a.jsonl", rows_of({"alpha": 0, "beta": 10}, questions=20))
    assert main(["rank", "a.jsonl", "--dataset", "suites/s.toml"]) == 2
    assert "have the same id 'q0'" in capsys.readouterr().err
    (tmp_path / "suites/asked.jsonl").write_text(
        "\n".join(map(json.dumps, renamed)), encoding="utf-8"
    )
    assert main(["rank", "a.jsonl", "--dataset", "suites/s.toml", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)["suites"]["answers"]
    assert found["models"]["beta"]["exact_match"] == 0.5
