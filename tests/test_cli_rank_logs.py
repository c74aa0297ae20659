"""``raq rank`` on the logs of other tools."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from pytest_raq.cli import main
from pytest_raq.errors import DatasetError
from pytest_raq.trials.external_answers_file import read_answers
from pytest_raq.trials.logs import inspect_ai

STAMP = "2026-03-01T10-00-00.123456"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def lm_eval_row(number, answer, **changes):
    doc = {"question": f"What is {number}?", "context": f"Text {number // 2}", "answers": ["x"]}
    return {
        "doc_id": number,
        "doc": doc,
        "target": f"right {number}",
        "arguments": {"gen_args_0": {"arg_0": "Q: …", "arg_1": {"until": ["\n"]}}},
        "resps": [[f" The answer: {answer}"]],
        "filtered_resps": [f" {answer}"],
        "filter": "none",
        "metrics": ["exact_match"],
        "exact_match": 0.0,
    } | changes


def lm_eval(rows, task="qa", folder="org__model-a"):
    path = Path(folder, f"samples_{task}_{STAMP}.jsonl")
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def sample(number, answer, **changes):
    message = {"role": "assistant", "content": answer}
    return {
        "id": number,
        "epoch": 1,
        "input": f"What is {number}?",
        "target": f"right {number}",
        "messages": [],
        "output": {"model": "m", "choices": [{"message": message, "stop_reason": "stop"}]},
        "scores": {"match": {"value": "C"}},
    } | changes


def inspect_log(samples, model="openai/a", task="qa", **changes):
    described = {"task": task, "model": model, "created": "2026-03-01T10:00:00+00:00"}
    return {"version": 2, "status": "success", "eval": described, "samples": samples} | changes


def archive(name, log):
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("_journal/start.json", json.dumps({"version": 2, "eval": log["eval"]}))
        for one in log["samples"]:
            file.writestr(f"samples/{one['id']}_epoch_{one['epoch']}.json", json.dumps(one))
        header = {key: value for key, value in log.items() if key != "samples"}
        file.writestr("header.json", json.dumps(header))
    return Path(name)


def result(number, answer, provider="openai:a", **changes):
    variables = {"question": f"What is {number}?", "name": f"right {number}"}
    return {
        "promptIdx": 0,
        "testIdx": number,
        "testCase": {
            "vars": variables,
            "assert": [
                {"type": "icontains", "value": "{{name}}"},
                {"type": "llm-rubric", "value": "is polite"},
            ],
        },
        "provider": {"id": provider, "label": ""},
        "prompt": {"raw": f"Answer: What is {number}?", "label": "Answer: {{question}}"},
        "vars": variables,
        "response": {"output": answer, "tokenUsage": {"total": 3}},
        "success": True,
    } | changes


def promptfoo(rows):
    return {"evalId": "e", "results": {"version": 3, "prompts": [], "results": rows}, "config": {}}


def write(name, document):
    Path(name).write_text(json.dumps(document, indent=2))
    return Path(name)


MADE = {
    "lm-eval": lambda: lm_eval([lm_eval_row(n, f"right {n}") for n in range(3)]),
    "lm-eval as a list": lambda: write(
        f"samples_qa_{STAMP}.jsonl", [lm_eval_row(n, f"right {n}") for n in range(3)]
    ),
    "inspect": lambda: write("a.json", inspect_log([sample(n, f"right {n}") for n in range(3)])),
    "inspect archive": lambda: archive(
        "a.eval", inspect_log([sample(n, f"right {n}") for n in range(3)])
    ),
    "promptfoo": lambda: write("p.json", promptfoo([result(n, f"right {n}") for n in range(3)])),
    "promptfoo, older": lambda: write(
        "p.json", {"version": 2, "results": [result(n, f"right {n}") for n in range(3)]}
    ),
    "promptfoo lines": lambda: Path("p.jsonl"),
}


@pytest.mark.parametrize("made", MADE)
def test_a_log_is_known_by_its_content(made):
    path = MADE[made]()
    if made == "promptfoo lines":
        path.write_text("".join(json.dumps(result(n, f"right {n}")) + "\n" for n in range(3)))
    kind = made.split(",")[0].split(" ")[0]
    for chosen in ("auto", kind):
        table = read_answers([path], kind=chosen)
        (answers,) = table.answers.values()
        assert list(answers.values()) == ["right 0", "right 1", "right 2"]
        asked = [(item.question, item.references) for item in table.questions.questions]
        assert asked == [(f"What is {n}?", (f"right {n}",)) for n in range(3)]
    wrong = "promptfoo" if kind != "promptfoo" else "inspect"
    with pytest.raises(DatasetError, match=rf"is not .*; remove --format {wrong}, or give another"):
        read_answers([path], kind=wrong)


def test_the_last_run_of_lm_eval_is_the_baseline(capsys):
    old = lm_eval([lm_eval_row(n, f"right {n}") for n in range(20)])
    new = lm_eval([lm_eval_row(n, "wrong") for n in range(20)], folder="org__model-b")
    code = main(["rank", str(old), str(new), "--baseline", "org/model-a"])
    out = capsys.readouterr().out
    assert code == 1
    assert "answers: 20 questions in 10 passages" in out
    assert "REGRESSION org/model-b: answers worse than the accepted ones on 20 of 20" in out


def test_two_runs_of_one_model_get_names(capsys):
    old = write("old.json", inspect_log([sample(n, f"right {n}") for n in range(12)]))
    new = archive("new.eval", inspect_log([sample(n, f"right {n}") for n in range(12)]))
    assert main(["rank", str(old), str(new)]) == 2
    assert "already answered '0' in old.json.samples[0]; name the runs: OLD=FILE NEW=FILE\n" in (
        capsys.readouterr().err
    )
    assert main(["rank", "q8=old.json", "q4=new.eval", "--baseline", "q8", "--json", "-"]) == 0
    suite = json.loads(capsys.readouterr().out)["suites"]["answers"]
    assert suite["verdicts"]["q4"]["net_preference"] == 0
    assert suite["provenance"]["models"]["q4"]["file"] == "new.eval"
    both = write("both.json", promptfoo([result(1, "x"), result(1, "y", provider="b")]))
    assert main(["rank", f"one={both}"]) == 2
    assert capsys.readouterr().err == (
        "raq: one=both.json: the file has answers of 2 models (openai:a, b); give it without a"
        " name\n"
    )
    assert main(["rank", "=both.json"]) == 2
    assert "write MODEL=FILE, for example old=samples.jsonl" in capsys.readouterr().err


def test_lm_eval_names_the_model_in_its_results():
    path = lm_eval([lm_eval_row(1, "x")], folder="plain")
    assert list(read_answers([path]).answers) == ["plain"]
    results = path.with_name(f"results_{STAMP}.json")
    results.write_text(json.dumps({"model_name": "org/tiny"}))
    assert list(read_answers([path]).answers) == ["org/tiny"]
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read_answers([packed]).answers) == ["org/tiny"]
    results.write_text("[]")
    assert list(read_answers([path]).answers) == ["plain"]


def test_a_choice_of_lm_eval_is_the_most_likely_one():
    def choice(number, scores, target):
        arguments = {
            f"gen_args_{i}": {"arg_0": "Q", "arg_1": f" {word}"}
            for i, word in enumerate(("red", "green", "blue"))
        }
        replies = [[score, "False"] for score in scores]
        return lm_eval_row(
            number, "", target=target, arguments=arguments, filtered_resps=replies, resps=[replies]
        )

    path = lm_eval([choice(0, ["-3.5", "-1.25", "nan"], "1"), choice(1, [-1, -2, -3], "blue")])
    table = read_answers([path])
    assert table.answers == {"org/model-a": {"0": "green", "1": "red"}}
    assert [item.references for item in table.questions.questions] == [("green",), ("blue",)]


def test_several_right_answers_and_filters_of_lm_eval():
    rows = [
        lm_eval_row(0, "4", target="['four', '4']", filter="strict"),
        lm_eval_row(0, "the 4", target="['four', '4']", filter="flexible"),
    ]
    table = read_answers([lm_eval(rows)])
    assert table.answers["org/model-a"] == {"0": "4"}
    assert table.questions.questions[0].references == ("four", "4")
    (note,) = table.questions.notes
    assert note.endswith(
        " has the answers of 2 filters (strict, flexible): those of strict are ranked"
    )


def test_ids_of_several_tasks_are_kept_apart():
    first = lm_eval([lm_eval_row(0, "a")], task="one")
    second = lm_eval([lm_eval_row(0, "b")], task="two")
    assert read_answers([first, second]).answers["org/model-a"] == {"one/0": "a", "two/0": "b"}


def test_inspect_leaves_out_reasoning_errors_and_later_epochs():
    parts = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "right 1"}]
    long = "word " * 50
    samples = [
        sample(1, parts),
        sample(1, "later", epoch=2),
        sample(2, "", error={"message": "timeout"}, output={"choices": []}),
        sample(3, "attachment://abc", attachments={"abc": long}, target=["a", "b"]),
        sample(4, "", input=[{"role": "system", "content": "s"}, {"role": "user", "content": "?"}]),
    ]
    path = archive("a.eval", inspect_log(samples, status="cancelled"))
    table = read_answers([path])
    assert table.answers == {"openai/a": {"1": "right 1", "3": long.strip(), "4": ""}}
    asked = {item.id: item for item in table.questions.questions}
    assert (asked["3"].references, asked["4"].question) == (("a", "b"), "?")
    assert "2" in asked
    assert table.questions.notes == (
        "a.eval: that run has the status 'cancelled', so answers may be missing",
        "a.eval has several epochs: the answers of the first one are ranked",
    )


def test_promptfoo_with_several_providers_prompts_and_errors():
    other = {"raw": "Say it", "label": "Say {{question}}"}
    rows = [
        result(1, "right 1"),
        result(1, {"city": "Rome"}, provider="b"),
        result(1, "again"),
        result(1, "short", prompt=other),
        result(2, None, response={"error": "429"}, provider="b"),
        result(2, "x", provider={"id": "openai:a", "label": "ours"}),
    ]
    rows[-1]["provider"] = {"id": "openai:a", "label": "ours"}
    table = read_answers([write("p.json", promptfoo(rows))])
    assert {model: list(texts.values()) for model, texts in table.answers.items()} == {
        "openai:a (prompt 1)": ["right 1"],
        "b (prompt 1)": ['{"city": "Rome"}'],
        "openai:a (prompt 2)": ["short"],
        "ours (prompt 1)": ["x"],
    }
    assert len(table.questions.questions) == 2
    assert table.questions.notes == (
        "p.json has 2 prompts: 1 'Answer: {{question}}', 2 'Say {{question}}'",
        "p.json repeats 1 tests: the first answer of each is ranked",
    )


def test_variables_of_promptfoo_with_usual_names_come_before_assertions():
    row = result(1, "x")
    row["vars"] = {"id": "q7", "query": "Who?", "context": "A text", "answer": ["Ann", "Anne"]}
    (question,) = read_answers([write("p.json", promptfoo([row]))]).questions.questions
    assert (question.id, question.question, question.passage, question.references) == (
        "q7",
        "Who?",
        "A text",
        ("Ann", "Anne"),
    )


def test_a_data_set_gives_what_a_log_does_not_know(capsys):
    rows = [lm_eval_row(n, "Oder", target="") for n in range(2)]
    path = lm_eval(rows)
    assert main(["rank", str(path)]) == 2
    assert "references: is missing; expected a list of texts, here or from --dataset" in (
        capsys.readouterr().err
    )
    Path("q.csv").write_text("id,question,answer\n0,Which?,Oder\n1,What?,Nile\n")
    assert main(["rank", str(path), "--dataset", "q.csv", "--json", "-"]) == 0
    suite = json.loads(capsys.readouterr().out)["suites"]["answers"]
    assert suite["models"]["org/model-a"]["exact_match"] == 0.5


DAMAGED = [
    (
        "a.json",
        inspect_log([sample(1, "x", output={"choices": "no"})]),
        "samples[0].output.choices",
    ),
    ("a.json", inspect_log(["x"]), "samples[0]: expected an object, found the text 'x'"),
    ("a.json", inspect_log([]), "has no answers; give the log of a run that has samples"),
    ("a.json", inspect_log([sample(1, "x")], model=""), "names no model; give a name: NAME=FILE"),
    ("a.json", inspect_log([sample("", "x")]), "has no id"),
    ("a.json", inspect_log([sample(1, "\ud800")]), "half of a surrogate pair"),
    ("a.json", [lm_eval_row(1, "x", filtered_resps=[])], "expected a list with a reply"),
    ("a.json", [lm_eval_row(1, "x", filtered_resps=[[-3.5]])], "give the samples of a task that"),
    ("a.json", [lm_eval_row(1, "x", filtered_resps=[["x", "True"]])], "a log-likelihood of each"),
    ("a.json", [lm_eval_row(1, "x"), 3], "a.json[1]: expected an object, found 3"),
    ("a.json", promptfoo([result(1, None, response=None)]), "has no answers; give the log"),
    ("a.json", promptfoo([result(1, "x", testCase=[3])]), "testCase: expected an object"),
]


@pytest.mark.parametrize(("name", "document", "message"), DAMAGED)
def test_a_damaged_log_is_told(name, document, message, capsys):
    assert main(["rank", str(write(name, document))]) == 2
    err = capsys.readouterr().err
    assert err.startswith("raq: a.json")
    assert err.count("\n") == 1
    assert message in err


def test_an_archive_that_is_none_is_told(capsys, monkeypatch):
    path = archive("a.eval", inspect_log([sample(1, "x" * 2000)]))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert main(["rank", "a.eval"]) == 2
    assert "is not a log of inspect_ai, or it is damaged: " in capsys.readouterr().err
    with zipfile.ZipFile("b.eval", "w") as file:
        file.writestr("other.txt", "x")
    assert main(["rank", "b.eval"]) == 2
    assert "inspect log convert b.eval --to json" in capsys.readouterr().err
    path.write_bytes(whole)
    monkeypatch.setattr(inspect_ai, "most_unpacked", lambda _: 1000)
    assert main(["rank", "a.eval"]) == 2
    assert "samples/1_epoch_1.json unpacks to 2," in capsys.readouterr().err
