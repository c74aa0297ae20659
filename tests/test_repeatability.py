"""How repeatable answers are: what is known of it, and where it is shown."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from accepted import make_baseline
from made_results import make_answers, make_questions, make_result

from pytest_raq.baselines.bits import same_bits
from pytest_raq.baselines.diff import diff_baselines
from pytest_raq.records import ModelProvenance, Repeatability, Repeats
from pytest_raq.report import suite_lines, suite_to_json
from pytest_raq.report.json.result import suite_from_json
from pytest_raq.report.markdown.suite import run_markdown
from pytest_raq.report.page.suite import page_html, page_suite

AVX2, AVX512 = "AVX2 F16C FMA", "F16C FMA AVX512"
THEN = ModelProvenance(
    "llama-cpp", "0.3.36 (llama.cpp 9222; AVX2 FMA)", "m.gguf", "a" * 64, "Q4_K_M", "b", "c",
    {"max_tokens": 8, "seed": 0}, reproducible="verified", instruction_set=AVX2,
)  # fmt: skip
VERSIONS = "0.4.1 against 0.3.36 (llama.cpp 9222)"
USUAL = {"reproducible": "", "instruction_set": ""}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {}, "yes"),
        # What was compiled for more instructions, but rounds in the same way, gives the same bits.
        ({}, {"build": "0.3.36 (llama.cpp 9222; AVX2 FMA BMI2)"}, "yes"),
        ({}, {"instruction_set": AVX512}, "no, because AVX-512 against AVX2"),
        ({"instruction_set": AVX512}, {}, "no, because AVX2 against AVX-512"),
        (
            {"instruction_set": AVX512},
            {"instruction_set": f"{AVX512} AVX512_BF16"},
            "no, because AVX-512 BF16 against nothing more",
        ),
        ({}, {"file_sha256": "d" * 64}, "no, because the file is another one"),
        ({}, {"template_sha256": "d"}, "no, because the chat template is another one"),
        ({}, {"options": {"max_tokens": 9, "seed": 0}}, "no, because other options: max_tokens"),
        ({}, {"build": "0.4.1 (AVX2)"}, f"no, because llama.cpp is another one ({VERSIONS})"),
        (USUAL, {}, "no, because the baseline was accepted without reproducible = true"),
        ({}, USUAL, "no, because only the baseline is reproducible"),
        ({}, {"reproducible": "not verified: cut"}, "no, because the self-test failed"),
        (
            {"reproducible": "not verified: cut"},
            {},
            "no, because the self-test of the baseline failed",
        ),
        (USUAL, USUAL, ""),
        ({}, {"template_sha256": "", "build": ""}, ""),  # the engine was not loaded
    ],
)
def test_a_run_says_whether_the_bits_of_the_baseline_are_expected(before, now, told):
    assert same_bits(replace(THEN, **before), replace(THEN, **now)) == told


KNOWN = {
    "a": Repeatability("verified", "yes"),
    "b": Repeatability("verified", "yes"),
    "c": Repeatability(again=Repeats(20, 3)),
    "d": Repeatability("not verified: cut", "no, because x", otherwise=Repeats(1, 1)),
}
SENTENCES = {
    "a": "reproducible: verified; same bits expected as the baseline: yes",
    "c": "the server changes 3 of 20 answers when asked again",
    "d": "reproducible: not verified: cut; same bits expected as the baseline: no, because x; asked"
    " with the settings of the baseline, it changes 1 of 1 answer",
}


@pytest.fixture(scope="module")
def result():
    questions = make_questions(6, 3)
    said = make_answers(questions, dict.fromkeys("abcd", 0.5), seed=1)
    return replace(make_result(questions, said, said), repeatability=KNOWN)


def page_of(result):
    table = json.loads(json.dumps(suite_to_json(result)))
    return page_html([page_suite(result, table)], {})


def test_it_stands_beside_each_verdict_in_the_terminal_and_on_the_page(result):
    lines = [line.text for line in suite_lines(result)]
    assert [line for line in lines if line == f"  {SENTENCES['a']}"] == [f"  {SENTENCES['a']}"] * 2
    for model in "cd":
        assert f"  {SENTENCES[model]}" in lines
    page = page_of(result)
    assert page.count(f'<p class="quiet">{SENTENCES["a"]}</p>') == 2
    assert f'<p class="quiet">{SENTENCES["c"]}</p>' in page


def test_without_a_verdict_models_with_the_same_sentence_share_a_line(result):
    unjudged = replace(result, verdicts={})
    lines = [line.text for line in suite_lines(unjudged)]
    assert f"a, b: {SENTENCES['a']}" in lines
    assert f'<p class="quiet">a, b: {SENTENCES["a"]}</p>' in page_of(unjudged)


def test_markdown_has_a_line_for_each_sentence(result):
    text = run_markdown([result])
    assert f"- `a, b`: `{SENTENCES['a']}`" in text
    assert f"- `c`: `{SENTENCES['c']}`" in text
    assert "reproducible" not in run_markdown([replace(result, repeatability={})])


def test_it_survives_json_and_older_files_have_none(result):
    table = json.loads(json.dumps(suite_to_json(result)))
    assert table["repeatability"]["c"]["again"] == {"asked": 20, "changed": 3}
    assert suite_from_json("made", table).repeatability == KNOWN
    del table["repeatability"]
    assert suite_from_json("made", table).repeatability == {}


def test_repeats_add_up():
    assert Repeats(3, 1) + Repeats(4, 2) == Repeats(7, 3)


def test_a_diff_of_baselines_compares_no_speeds_of_other_kernels(tmp_path):
    old = make_baseline(tmp_path, {"a": 3, "b": 4})
    models = dict(old.provenance.models)
    models["a"] = replace(models["a"], reproducible="verified")
    new = replace(old, provenance=replace(old.provenance, models=models))
    assert set(diff_baselines(old, old, names=("x", "y")).speeds) == {"a", "b"}
    assert set(diff_baselines(old, new, names=("x", "y")).speeds) == {"b"}
    models["a"] = replace(models["a"], timed="usual")
    assert set(diff_baselines(old, new, names=("x", "y")).speeds) == {"a", "b"}
