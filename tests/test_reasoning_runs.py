"""Reasoning in stores, baselines, rankings, results and settings."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from accepted import make_baseline, row, write_rows
from judges import question
from pydantic import ValidationError

from pytest_raq.answering.identity import model_options
from pytest_raq.baselines.comparison import is_another_edition
from pytest_raq.baselines.file import load_baseline, save_baseline
from pytest_raq.baselines.reasoning import with_scores
from pytest_raq.config import GateSettings, ModelDefinition, SuiteDefinition
from pytest_raq.engines import ScriptedEngine
from pytest_raq.errors import BaselineError
from pytest_raq.judging import Case, ReferenceJudge
from pytest_raq.judging.llm.prompt import show
from pytest_raq.records import UNANSWERABLE, Answer, FinishReason, Prompt, Timing
from pytest_raq.records.plain import outcome_from
from pytest_raq.records.reasoning import UNFINISHED
from pytest_raq.report import suite_lines, suite_to_json
from pytest_raq.report.json.result import suite_from_json
from pytest_raq.report.page.data import question_data
from pytest_raq.running.reasoning import notes_of
from pytest_raq.stats.model_summary import summarize
from pytest_raq.store.codec import answer_from, answer_to_payload
from pytest_raq.trials.external_answers import rank_answers
from pytest_raq.trials.external_answers_file import read_answers

THOUGHT = "<think>It asks what is right.</think>\n\n"
WRONG = {"first": 0, "second": 5}
TIMING = Timing(prompt_tokens=9, generated_tokens=5, decode_seconds=1.0, total_seconds=2.0)


def model(**settings):
    given = {"name": "ours", "path": Path("models/ours.toml"), "file": "ours.gguf"}
    return ModelDefinition.model_validate({**given, **settings})


def server(**settings):
    there = {"base_url": "http://127.0.0.1:1/v1", "model": "m"}
    return model(file=None, engine="openai", openai=there, **settings)


def suite(**settings):
    given = {"name": "small", "path": Path("suites/small.toml"), "models": ["ours"]}
    return SuiteDefinition.model_validate(
        {**given, "dataset": {"source": "small.json"}, **settings}
    )


# In the store, and between processes


def stored(answer):
    return answer_from(json.loads(answer_to_payload(answer)), answer.question_id, answer.model)


def test_an_answer_of_an_earlier_version_is_split_when_it_is_read():
    table = {"text": f"{THOUGHT}right", "finish_reason": "stop", "timing": {"total_seconds": 2.0}}
    answer = answer_from(table, "q", "m")
    assert (answer.text, answer.reasoning) == ("right", "It asks what is right.")
    assert answer.timing == Timing(total_seconds=2.0)
    cut = answer_from({**table, "text": "<think>It", "finish_reason": "length"}, "q", "m")
    assert (cut.text, cut.unfinished) == ("", True)


@pytest.mark.parametrize(
    "answer",
    [
        Answer("q", "m", "right", FinishReason.STOP, TIMING),
        Answer("q", "m", "right", FinishReason.STOP, TIMING, "It asks."),
        Answer("q", "m", "", FinishReason.LENGTH, TIMING, "It asks.", unfinished=True),
        Answer("q", "m", "", FinishReason.LENGTH, TIMING, "", unfinished=True),
        Answer("q", "m", f"{THOUGHT}right", FinishReason.STOP, TIMING),  # reasoning = "keep"
        Answer("q", "m", "right", FinishReason.STOP, replace(TIMING, reasoning_tokens=3), "It"),
    ],
)
def test_an_answer_comes_back_as_it_was_kept(answer):
    assert stored(answer) == answer
    assert outcome_from(json.loads(json.dumps(asdict(answer)))) == answer


def test_an_answer_without_reasoning_is_kept_as_by_earlier_versions():
    table = json.loads(answer_to_payload(Answer("q", "m", "right", FinishReason.STOP, TIMING)))
    assert set(table) == {"text", "finish_reason", "timing"}
    assert not {name for name in table["timing"] if "reasoning" in name or "answer" in name}


def test_an_outcome_of_an_earlier_version_is_split_too():
    old = asdict(Answer("q", "m", f"{THOUGHT}right", FinishReason.STOP, TIMING))
    for name in ("reasoning", "unfinished"):
        del old[name]
    assert outcome_from(old).text == "right"


def test_the_scripted_engine_keeps_reasoning_apart():
    answers = {"a": f"{THOUGHT}right", "b": "<think>It", "c": "right"}
    with ScriptedEngine(answers) as engine:
        first, second, third = engine.answers([Prompt(name, "ask") for name in answers])
    assert (first.text, first.timing.reasoning_tokens) == ("right", 5)
    assert first.timing.time_to_first_token < first.timing.time_to_first_answer
    assert (second.text, second.unfinished) == ("", True)
    assert (third.reasoning, third.timing.reasoning_tokens) == ("", 0)


# In baselines


def old_baseline(tmp_path, **options):
    """Write a baseline whose second model's answers begin with reasoning; return it as read."""
    path = save_baseline(tmp_path, make_baseline(tmp_path, WRONG))
    table = json.loads(path.read_text("utf-8"))
    for name, item in table["questions"].items():
        thought = f"{THOUGHT}{item['answers']['second']}"
        item["answers"]["second"] = "<think>It" if name == "q9" else thought
    table["models"]["second"] |= {"exact_match": 0.0, "f1": 0.3, "words": 6.0}
    for summary in table["models"].values():
        del summary["contains"]
    table["provenance"]["models"]["second"]["options"] = options
    path.write_text(json.dumps(table), "utf-8")
    return load_baseline(tmp_path, "small")


def plain_table(baseline):
    return {name: dict(item.answers) for name, item in baseline.questions.items()}


def test_an_old_baseline_is_read_without_reasoning_and_its_figures_are_right(tmp_path):
    made = make_baseline(tmp_path, WRONG)
    read = old_baseline(tmp_path)
    assert plain_table(read)["q1"] == plain_table(made)["q1"]
    assert read.questions["q9"].unfinished == ("second",)
    assert read.texts("second")["q9"] == UNFINISHED
    before = read.models["second"]
    assert (before.exact_match, before.words, before.unfinished) == (None, 0.95, 1)
    items = [question(name, (f"right {name[1:]}",), passage=f"p{name}") for name in made.questions]
    scored = with_scores(read, items)
    second = scored.models["second"]
    assert (second.exact_match, second.f1, second.contains) == (0.7, 0.7, 0.7)
    assert scored.models["first"].exact_match == 1.0


def test_kept_reasoning_stays_in_a_baseline(tmp_path):
    read = old_baseline(tmp_path, reasoning="keep")
    assert read.questions["q1"].answers["second"] == f"{THOUGHT}wrong"
    assert read.models["second"].f1 == 0.3
    save_baseline(tmp_path, read)
    assert load_baseline(tmp_path, "small") == read


def test_a_new_baseline_tells_unfinished_answers_and_reads_as_it_was_written(tmp_path):
    made = make_baseline(tmp_path, WRONG)
    item = replace(made.questions["q0"], answers={"first": "right 0", "second": ""})
    new = replace(made, questions={**made.questions, "q0": replace(item, unfinished=("second",))})
    path = save_baseline(tmp_path, new)
    assert load_baseline(tmp_path, "small").questions == new.questions
    text = path.read_text("utf-8")
    assert text.count('"unfinished"') == 1  # nothing is written where nothing is unfinished
    path.write_text(text.replace('"unfinished": [\n    "second"', '"unfinished": [\n    "third"'))
    with pytest.raises(BaselineError, match=r"unfinished: names 'third', which has no answer here"):
        load_baseline(tmp_path, "small")


# In rankings and results


def ranked(tmp_path, rows, **options):
    table = read_answers([write_rows(tmp_path / "rows.jsonl", rows)])
    return rank_answers(table, ReferenceJudge(), GateSettings(), **options)


def test_reasoning_and_formats_are_no_regression(tmp_path):
    forms = [f"{THOUGHT}right 0", "**right 1**", "right 2.", "```\nright 3\n```"]
    rows = [row(n, "old", f"right {n}") for n in range(4)]
    rows += [row(n, "new", text) for n, text in enumerate(forms)]
    result = ranked(tmp_path, rows, baseline="old")
    assert [item.preferences["new"] for item in result.questions] == [0, 0, 0, 0]
    assert [result.models[name].contains for name in ("old", "new")] == [1.0, 1.0]
    new = result.models["new"]
    assert (new.exact_match, new.words) == (1.0, 1.0)
    assert result.questions[0].answers["new"] == "right 0"
    assert result.questions[0].reasoning == {"new": "It asks what is right."}
    table = suite_to_json(result)
    assert table["models"]["new"]["contains"] == 1.0
    assert table["questions"]["q0"]["reasoning"] == {"new": "It asks what is right."}
    assert any("contains" in line.text for line in suite_lines(result))
    again = suite_from_json("answers", json.loads(json.dumps(table)))
    assert again.questions == result.questions
    old = json.loads(json.dumps(table))
    old["questions"]["q0"]["answers"]["new"] = forms[0]
    for name in ("reasoning", "unfinished"):
        del old["questions"]["q0"][name]
    assert suite_from_json("answers", old).questions[0] == result.questions[0]


def test_a_thought_without_an_end_is_not_a_right_abstention(tmp_path):
    known = {"references": [UNANSWERABLE]}
    rows = [row(0, "old", "", **known), row(0, "new", "<think>Hm", **known)]
    result = ranked(tmp_path, rows, baseline="old")
    (item,) = result.questions
    assert item.preferences["new"] == -1
    assert (item.answers, item.unfinished) == ({"old": "", "new": ""}, ("new",))
    assert item.reasons["new"] == "wrong: ended inside its reasoning"
    assert [result.models[name].exact_match for name in ("old", "new")] == [1.0, 0.0]
    assert result.models["new"].unfinished == 1
    assert (
        "1 of 1 answers of new ended inside their reasoning and count as no answer: ask the model"
        " again with more tokens, or without reasoning"
    ) in result.notes
    page = json.loads(question_data(result, {}).text)
    place = page["fields"].index("thoughts")
    assert page["questions"][0][place] == [None, ["Hm", True]]


def test_a_judge_that_is_a_model_reads_no_reasoning():
    assert show(f"{THOUGHT}right", 100) == "right"
    assert "tag" in show("The <think> tag", 100)


def test_figures_of_reasoning_are_of_the_answers_that_have_it():
    timing = replace(TIMING, reasoning_tokens=40, reasoning_seconds=2.0, time_to_first_answer=3.0)
    outcomes = {
        "a": Answer("a", "m", "right", FinishReason.STOP, timing, "It asks."),
        "b": Answer("b", "m", "right", FinishReason.STOP, TIMING),
    }
    items = {name: question(name, ("right",)) for name in outcomes}
    summary = summarize("m", outcomes, items)
    assert (summary.reasoning_tokens, summary.reasoning_seconds) == (40.0, 2.0)
    assert (summary.time_to_first_answer, summary.unfinished) == (3.0, 0)
    none = summarize("m", {"b": outcomes["b"]}, items)
    assert (none.reasoning_tokens, none.time_to_first_answer) == (None, None)


# The rule of the reference judge


def test_the_reference_judge_can_rank_by_figures():
    texts = ("Answer: Paris", "Paris", "The capital is Paris.", "Rome")
    judge = ReferenceJudge(("exact_match", "contains", "f1"))
    (order,) = judge.order([Case(question("q", ("Paris",)), texts)])
    assert order.tiers == ((1,), (0,), (2,), (3,))
    assert order.reasons[1] == "exact match 1, contains 1, f1 1"
    assert order.reasons[2] == "exact match 0, contains 1, f1 0.5"
    (lenient,) = ReferenceJudge(("contains",)).order([Case(question("q", ("Paris",)), texts)])
    assert lenient.tiers == ((0, 1, 2), (3,))


def test_the_rule_is_a_part_of_the_identity_and_a_baseline_is_ranked_again():
    grades, figures = ReferenceJudge().identity, ReferenceJudge(("contains", "f1")).identity
    assert dict(grades.options) == {"rule": "grades", "edition": "2"}
    assert dict(figures.options) == {"rule": "contains, f1"}
    assert is_another_edition(grades, figures)


def test_a_suite_sets_the_rule():
    plain = suite(judge="reference")
    assert (plain.judges, plain.rule) == (("reference",), ())
    ruled = suite(judge={"rule": ["exact_match", "contains", "f1"]})
    assert (ruled.judges, ruled.rule) == (("reference",), ("exact_match", "contains", "f1"))
    panel = suite(judge={"name": ["reference", "gpt"], "rule": ["contains"]})
    assert (panel.judges, panel.rule) == (("reference", "gpt"), ("contains",))
    assert suite(judge=ruled.judged_by(("reference", "gpt"))).rule == ruled.rule
    assert ruled.judged_by(("gpt",)) == ("gpt",)


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        ({"rule": ["em"]}, 'expected "grades", or a list of exact_match, contains, f1'),
        ({"rule": []}, 'expected "grades", or a list of'),
        ({"rule": ["f1", "f1"]}, "names a figure more than once"),
        ({"name": "gpt", "rule": ["f1"]}, "rule is for the judge reference, which is not named"),
    ],
)
def test_a_wrong_rule_is_told(judge, message):
    with pytest.raises(ValidationError, match=message):
        suite(judge=judge)


# Settings, and what a run says


def test_settings_of_reasoning_are_a_part_of_the_key_only_where_they_are_used():
    usual = model_options(model())
    assert not usual.keys() & {"reasoning", "max_reasoning_tokens", "template"}
    thinking = model(
        reasoning="off",
        max_reasoning_tokens=100,
        max_tokens=64,
        template={"reasoning_effort": "low", "deep": False},
    )
    assert model_options(thinking) == usual | {
        "max_tokens": 64,
        "reasoning": "off",
        "max_reasoning_tokens": 100,
        "template": ["deep = false", 'reasoning_effort = "low"'],
    }
    assert thinking.template_variables["enable_thinking"] is False


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_reasoning_tokens": 900}, "context_length 1024 has no room for a prompt, 900 tokens"),
        ({"template": {"messages": "x"}}, "messages is set by pytest-raq: remove it"),
        ({"template": {"a b": 1}}, "'a b' is not the name of a variable of a chat template"),
        ({"template": {"a": 1}, "prompt": "{question}"}, 'template is for prompt = "chat"'),
        ({"reasoning": "on"}, "Input should be 'auto', 'off' or 'keep'"),
    ],
)
def test_wrong_settings_of_reasoning_are_told(settings, message):
    with pytest.raises(ValidationError, match=message):
        model(**settings)


def cut_answer(reason=FinishReason.LENGTH, **timing):
    return Answer("q", "ours", "", reason, replace(TIMING, **timing), "Hm", unfinished=True)


@pytest.mark.parametrize(
    ("made", "answer", "told"),
    [
        (
            model(max_tokens=64),
            cut_answer(),
            (
                "set max_reasoning_tokens in models/ours.toml; now reasoning and answer share"
                " max_tokens (64). Or set enable_thinking = false in [template] of models/ours.toml"
            ),
        ),
        (
            model(max_tokens=64, max_reasoning_tokens=100),
            cut_answer(),
            "raise max_reasoning_tokens in models/ours.toml (now 100), or set",
        ),
        (
            model(max_tokens=64, max_reasoning_tokens=100),
            cut_answer(prompt_tokens=1000, generated_tokens=24),
            "raise context_length in models/ours.toml (now 1024), which holds prompt, reasoning",
        ),
        (
            server(stop=["\n"]),
            cut_answer(FinishReason.STOP),
            "the server ended them at a stop string; set max_reasoning_tokens in models/ours.toml",
        ),
        (model(), cut_answer(FinishReason.STOP), "the model stopped there by itself; look at its"),
    ],
)
def test_a_run_names_the_key_that_lets_answers_begin(made, answer, told):
    (note,) = notes_of(made, [answer, Answer("p", "ours", "x", FinishReason.STOP, TIMING)])
    head = "1 of 2 answers of ours ended inside their reasoning and count as no answer: "
    assert note.startswith(head + told)


def test_a_model_that_reasons_although_it_is_off_is_told():
    answer = Answer("q", "ours", "x", FinishReason.STOP, TIMING, "Hm")
    (note,) = notes_of(model(reasoning="off"), [answer])
    assert note.startswith('1 of 1 answers of ours began with reasoning although reasoning = "off"')
    assert list(notes_of(model(), [answer])) == []
