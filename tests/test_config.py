"""Suites and model definitions: what is read, what is refused and how it is told."""

from __future__ import annotations

import pytest

from pytest_raq.config import choose_dataset, load_model, load_suite
from pytest_raq.errors import ConfigError

SUITE = 'models = ["a"]\n[dataset]\nsource = "q.json"\n'
MODEL = 'file = "a.gguf"\n'


def suite_error(folder, text):
    (folder / "s.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_suite(folder, "s")
    return str(caught.value).removeprefix(f"{folder / 's.toml'}: ")


def model_error(folder, text):
    (folder / "m.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_model(folder, "m")
    return str(caught.value).removeprefix(f"{folder / 'm.toml'}: ")


def test_a_suite_has_the_documented_defaults(tmp_path):
    (tmp_path / "s.toml").write_text(SUITE, encoding="utf-8")
    suite = load_suite(tmp_path, "s")
    assert (suite.name, suite.default, suite.judge) == ("s", False, "reference")
    gate = suite.gate
    assert (gate.alpha, gate.margin, gate.min_effect) == (0.05, 0.10, 0.05)
    assert (gate.max_f1_drop, gate.max_slowdown, gate.max_missing) == (0.02, 0.10, 0.02)
    assert gate.inconclusive == "pass"


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    (tmp_path / "s.toml").write_bytes(b"\xef\xbb\xbf" + SUITE.replace("\n", "\r\n").encode())
    assert load_suite(tmp_path, "s").models == ("a",)


def test_all_errors_of_a_file_are_told_at_once(tmp_path):
    text = SUITE + 'sampel = 3\n[gate]\nalpha = "0.05"\nmargin = 2\n'
    assert suite_error(tmp_path, text) == (
        "unknown key dataset.sampel; did you mean 'sample'?;"
        " gate.alpha: should be a number (got '0.05');"
        " gate.margin: should be less than or equal to 0.5 (got 2)"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models = []\n[dataset]\nsource = 'q'\n", "models: list should have at least 1 item"),
        ("models = ['a', 'a']\n[dataset]\nsource = 'q'\n", "models: names a more than once"),
        ("models = ['a']\n", "dataset is missing"),
        ("models = 'a'\n[dataset]\nsource = 'q'\n", "models: should be a list (got 'a')"),
        ("name = 's'\n" + SUITE, "name is not a key: it follows from the path of the file"),
        (SUITE + "sample = 0\n", "dataset.sample: should be greater than or equal to 1"),
        (SUITE + "[gate]\nalpha = nan\n", "gate.alpha: should be a finite number"),
        (SUITE + "[gate]\ninconclusive = 'warn'\n", "gate.inconclusive: should be 'pass'"),
        ("models = [\n", "is not TOML: "),
        ("", "models is missing; dataset is missing"),
    ],
)
def test_a_wrong_suite_is_told_with_its_key(tmp_path, text, message):
    assert suite_error(tmp_path, text).startswith(message)


def test_an_absent_suite_is_told_with_the_nearest(tmp_path):
    (tmp_path / "mini.toml").write_text(SUITE, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no suite 'mimi': .* did you mean 'mini'\?$"):
        load_suite(tmp_path, "mimi")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'file is missing: engine = "llama-cpp" runs a GGUF file'),
        ('engine = "openai"\n', "[openai] is missing"),
        (MODEL + 'prompt = "{pasage} {question}"\n', "prompt: may use {passage} and {question}"),
        (MODEL + 'prompt = "{passage}"\n', "prompt: has no {question}"),
        (MODEL + 'prompt = "{question"\n', "prompt: is not a template"),
        (MODEL + 'prompt = "{question} {0}"\n', "prompt: may use {passage} and {question}"),
        (MODEL + "stop = ['']\n", "stop: an empty stop string would end every answer at once"),
        (MODEL + "temperature = -1\n", "temperature: should be greater than or equal to 0"),
        (MODEL + "max_tokens = 1.5\n", "max_tokens: should be a whole number (got 1.5)"),
        (MODEL + "sha256 = 'abc'\n", "sha256: string should match pattern"),
        (MODEL + "temprature = 0\n", "unknown key temprature; did you mean 'temperature'?"),
        (
            MODEL + "[openai]\nbase_url = 'http://x'\nmodel = 'y'\nkey = 's'\n",
            "unknown key openai.key",
        ),
    ],
)
def test_a_wrong_model_is_told_with_its_key(tmp_path, text, message):
    assert model_error(tmp_path, text).startswith(message)


def test_braces_of_a_passage_are_no_placeholders(tmp_path):
    (tmp_path / "m.toml").write_text(MODEL + 'prompt = "{passage}|{question}"\n')
    model = load_model(tmp_path, "m")
    assert model.render("{question} {x}", "{passage}") == "{question} {x}|{passage}"


def test_a_relative_file_lies_beside_its_definition(tmp_path):
    (tmp_path / "m.toml").write_text(MODEL)
    assert load_model(tmp_path, "m").file_path == tmp_path / "a.gguf"


def test_a_typed_source_may_be_a_suite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites/q.csv").touch()
    text = SUITE.replace("q.json", "q.csv") + 'seed = 5\nno_answer = ["none"]\n'
    (tmp_path / "suites/s.toml").write_text(text, encoding="utf-8")
    found = choose_dataset("suites/s.toml", {"sample": 7}, {"seed": 1})
    assert found.source == str(tmp_path / "suites/q.csv")
    assert (found.seed, found.sample, found.no_answer) == (5, 7, ("none",))
    plain = choose_dataset("q.csv", {"sample": 7}, {"seed": 1})
    assert (plain.source, plain.seed, plain.sample) == ("q.csv", 1, 7)
    with pytest.raises(ConfigError, match=r"no suite 't': suites/t.toml does not exist; "):
        choose_dataset("suites/t.toml", {})


def test_a_source_that_is_a_hub_id_stays_one(tmp_path):
    (tmp_path / "s.toml").write_text(SUITE.replace("q.json", "team/q"), encoding="utf-8")
    assert choose_dataset(str(tmp_path / "s.toml"), {}).source == "team/q"


@pytest.mark.parametrize(
    ("judge", "judges"), [("'gpt'", ("gpt",)), ("['gpt', 'qwen']", ("gpt", "qwen"))]
)
def test_a_suite_has_a_judge_or_a_panel(tmp_path, judge, judges):
    (tmp_path / "s.toml").write_text(f"judge = {judge}\n{SUITE}", encoding="utf-8")
    assert load_suite(tmp_path, "s").judges == judges


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("judge = []", "judge: expected a name, or a list of names for a panel (got [])"),
        ("judge = 3", "judge: expected a name, or a list of names for a panel (got 3)"),
        ("judge = ['a', 'a']", "judge: names a more than once"),
        ("judge = ['a', 3]", "judge: expected names of judges (got 3)"),
        ("judge = ''", "judge: expected names of judges (got '')"),
    ],
)
def test_a_wrong_judge_is_told(tmp_path, text, message):
    assert suite_error(tmp_path, f"{text}\n{SUITE}") == message


def test_shares_of_judges_are_shares(tmp_path):
    wrong = SUITE + "[gate]\nmin_judge_accuracy = 2\nmin_judges = 0\n"
    assert suite_error(tmp_path, wrong) == (
        "gate.min_judge_accuracy: should be less than or equal to 1 (got 2);"
        " gate.min_judges: should be greater than 0 (got 0)"
    )
