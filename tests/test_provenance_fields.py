"""Each field of the provenance that changes alone: refused, reported, or on purpose neither."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from accepted import make_baseline

from pytest_raq.baselines.comparison import differences, is_same_source, refuse, refuse_model
from pytest_raq.baselines.file import load_baseline, save_baseline
from pytest_raq.records import JudgeIdentity, ModelProvenance, Provenance

REFUSED, REPORTED, SILENT = "refused", "reported", "silent"

PROVENANCE = {
    "source": ("elsewhere.json", SILENT),  # the fingerprint says whether the questions differ
    "revision": ("b" * 40, SILENT),  # the same
    "fingerprint": ("f" * 64, REFUSED),
    "questions": (19, SILENT),  # part of the fingerprint
    "judge": (JudgeIdentity("other"), REFUSED),
    "models": ({}, SILENT),  # told by model
    "versions": ({"pytest-raq": "9.9"}, REPORTED),
    "machine": ({"processor": "another"}, REPORTED),
    "keys": ({"MY_KEY": "api.example.com"}, REPORTED),
}
JUDGE = {
    "name": ("other", REFUSED),
    "prompt_sha256": ("c" * 64, REFUSED),
    "options": ({"orders": "2"}, REFUSED),
}
MODEL = {
    "engine": ("openai", REPORTED),
    "build": ("0.4.0", REPORTED),
    "file": ("new.gguf", SILENT),  # a file that only has another name is the same
    "file_sha256": ("d" * 64, REPORTED),
    "quantization": ("Q2_K", SILENT),  # told with another file
    "prompt_sha256": ("e" * 64, REFUSED),
    "template_sha256": ("a" * 64, REPORTED),
    "options": ({"seed": 7}, REPORTED),
    "reproducible": ("verified", REPORTED),
    "instruction_set": ("AVX512", SILENT),  # only what is reproducible depends on it
    "identity": ({"model": "another"}, SILENT),  # a line of the verdict says it
    "timed": ("usual", SILENT),  # of speed, which has obstacles of its own
}
SAME_SOURCE = {"file", "identity", "quantization", "reproducible", "instruction_set", "timed"}
"""What may differ although the same file, engine, prompt and options answered."""

KNOWN = ModelProvenance(
    "llama-cpp", "0.3.36", "a.gguf", "1" * 64, "F16", "2" * 64, "3" * 64, {"seed": 0}
)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    made = make_baseline(tmp_path_factory.mktemp("made"), {"first": 3, "second": 5})
    # Names of judges with a fixed rule have options of their own.
    judge = JudgeIdentity("gpt", "4" * 64, {"orders": "1"})
    models = dict.fromkeys(made.models, KNOWN)
    return replace(made, provenance=replace(made.provenance, judge=judge, models=models))


@pytest.mark.parametrize(
    ("kind", "table"), [(Provenance, PROVENANCE), (JudgeIdentity, JUDGE), (ModelProvenance, MODEL)]
)
def test_each_field_is_decided_on(kind, table):
    names = {field.name for field in fields(kind)}
    assert table.keys() == names, "say what happens where a new field alone is another one"


def outcome_of(baseline, now):
    if refuse(baseline, now) or any(
        refuse_model(baseline, model, name) for name, model in now.models.items()
    ):
        return REFUSED
    return REPORTED if list(differences(baseline.provenance, now)) else SILENT


def test_nothing_is_said_where_nothing_changed(baseline):
    assert outcome_of(baseline, baseline.provenance) == SILENT
    assert is_same_source(KNOWN, KNOWN)


@pytest.mark.parametrize("name", PROVENANCE)
def test_a_field_of_the_run_that_changes_alone(baseline, name):
    value, expected = PROVENANCE[name]
    assert outcome_of(baseline, replace(baseline.provenance, **{name: value})) == expected


@pytest.mark.parametrize("name", JUDGE)
def test_a_field_of_the_judge_that_changes_alone(baseline, name):
    value, expected = JUDGE[name]
    judge = replace(baseline.provenance.judge, **{name: value})
    now = replace(baseline.provenance, judge=judge)
    assert outcome_of(baseline, now) == expected
    assert f"provenance.judge.{name}" in refuse(baseline, now)


@pytest.mark.parametrize("name", MODEL)
def test_a_field_of_a_model_that_changes_alone(baseline, name):
    value, expected = MODEL[name]
    model = replace(KNOWN, **{name: value})
    now = replace(baseline.provenance, models=baseline.provenance.models | {"first": model})
    assert outcome_of(baseline, now) == expected
    assert is_same_source(KNOWN, model) is (name in SAME_SOURCE)
    if expected == REPORTED:
        assert all("first: " in line for line in differences(baseline.provenance, now))


def test_each_field_of_a_baseline_comes_back_exactly(tmp_path, baseline):
    keys = {"MY_KEY": "api.example.com"}
    models = {name: replace(model, f1=0.25) for name, model in baseline.models.items()}
    made = replace(
        baseline,
        reason="why „not“\nand a second line",
        provenance=replace(baseline.provenance, keys=keys),
        models=models,
        gate={"margin": 0.1, "judge_check_questions": 4, "suspect": "fail"},
    )
    path = save_baseline(tmp_path, made)
    loaded = load_baseline(tmp_path, "small")
    for field in fields(made):
        if field.name not in {"tests", "models"}:  # rounded to six decimals
            assert getattr(loaded, field.name) == getattr(made, field.name), field.name
    text = path.read_text(encoding="utf-8")
    assert save_baseline(tmp_path, loaded).read_text(encoding="utf-8") == text
