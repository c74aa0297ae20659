"""Mistakes in TOML files: each is told in one line, with its place and the nearest right key."""

from __future__ import annotations

import os

import pytest
from pydantic import ValidationError

from pytest_raq.config import load_model, load_suite, nearest
from pytest_raq.config.base import Settings
from pytest_raq.config.diagnostics import tell_errors
from pytest_raq.errors import ConfigError

SUITE = 'models = ["a"]\n[dataset]\nsource = "q.json"\n'
MODEL = 'file = "a.gguf"\n'


def told(load, folder, content):
    path = folder / "s.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        load(folder, "s")
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'models = ["a"]\ndataset = 3\n',
            "dataset is a table: write its keys below [dataset] (got 3)",
        ),
        (
            'models = ["a"]\n[[dataset]]\nsource = "q"\n',
            "dataset is a table: write its keys below [dataset] (got [a table])",
        ),
        (
            'models = [1, "a", {x = 1}]\n[dataset]\nsource = "q"\n',
            "models[0]: should be a text (got 1); models[2]: should be a text (got a table)",
        ),
        (
            SUITE + 'judge = "x"\n[gate]\nsample = 3\n',
            (
                "unknown key dataset.judge; it belongs above [dataset], at the top of the file;"
                " unknown key gate.sample; it belongs below [dataset]"
            ),
        ),
        (
            "gate.alfa = 1\ngate.alpha = 2\n" + SUITE,
            (
                "gate.alpha: should be less than 1 (got 2);"
                " unknown key gate.alfa; did you mean 'alpha'?"
            ),
        ),
        (SUITE + "[gates]\nalpha = 1\n", "unknown key gates; did you mean 'gate'?"),
        ("Judge = 'x'\n" + SUITE, "unknown key Judge; did you mean 'judge'?"),
        (
            SUITE + "sample = 1979-05-27\nseed = 07:32:00\n",
            (
                "dataset.sample: should be a whole number (got the date 1979-05-27);"
                " dataset.seed: should be a whole number (got the time 07:32:00)"
            ),
        ),
        (
            SUITE + f"[gate]\nalpha = 1{'0' * 400}\n",
            "gate.alpha: should be a number (got a number with too many digits)",
        ),
        (
            SUITE + f"sample = {'9' * 5000}\n",
            (
                "is not TOML: Exceeds the limit (4300 digits) for integer string conversion:"
                " value has 5000 digits"
            ),
        ),
        (
            SUITE + '[gate]\ninconclusive = "Fial"\n',
            "gate.inconclusive: should be 'pass' or 'fail' (got 'Fial'); did you mean 'fail'?",
        ),
        ("default = 'yes'\n" + SUITE, "default: should be true or false (got 'yes')"),
        (
            'models = ["a"]\n[dataset]\nsource = ""\n',
            "dataset.source: should not be empty (got '')",
        ),
        (
            'models = ["a"]\nmodels = ["b"]\n',
            "is not TOML: a key occurs twice (at line 2, column 15)",
        ),
        ("x = " + "[" * 3000, "is not TOML of a suite: it is nested too deeply"),
        (SUITE.encode("utf-16"), "is UTF-16; save it as UTF-8"),
        (b"models = ['a']\n# caf\xe9\n", "is not UTF-8 in line 2; save it as UTF-8"),
        (b"#" * 1_000_001, "is larger than 1 MB, too large for a definition of a suite"),
    ],
)
def test_a_mistake_in_a_suite_is_one_line(tmp_path, text, message):
    assert told(load_suite, tmp_path, text) == message


def test_a_key_with_control_characters_is_escaped(tmp_path):
    message = told(load_suite, tmp_path, '"a\\nb\\u001b[31m" = 1\n' + SUITE)
    assert message.startswith('unknown key "a\\nb\\u001b[31m"; there are default, models, judge, ')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'temperature = -1\nengine = "openai"\n',
            (
                "temperature: should be greater than or equal to 0 (got -1);"
                ' [openai] is missing: engine = "openai" needs base_url and model'
            ),
        ),
        (
            "temprature = 1\n",
            (
                "unknown key temprature; did you mean 'temperature'?;"
                ' file is missing: engine = "llama-cpp" runs a GGUF file'
            ),
        ),
        ("file = 3\n", "file: should be a text (got 3)"),
        (MODEL + "stop = 'x'\n", "stop: should be a list (got 'x')"),
        (MODEL + "base_url = 'x'\n", "unknown key base_url; it belongs below [openai]"),
        (
            MODEL + "source = 'x/y'\n",
            "source is a table: write its keys below [source] (got 'x/y')",
        ),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_told_beside_its_keys(tmp_path, text, message):
    assert told(load_model, tmp_path, text) == message


def test_a_folder_named_like_a_suite_is_told(tmp_path):
    (tmp_path / "s.toml").mkdir()
    with pytest.raises(ConfigError, match=r"s\.toml: is a folder; a suite is a file NAME\.toml$"):
        load_suite(tmp_path, "s")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "s.toml")
    with pytest.raises(ConfigError, match=r"s\.toml: is not a regular file; a suite is a file"):
        load_suite(tmp_path, "s")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mimi", "; did you mean 'mini'?"),
        ("mini.toml", "; did you mean 'mini'?"),
        ("suites/mini.toml", "; did you mean 'mini'?"),
        ("../mini", "; did you mean 'mini'?"),
        ("MINI", "; did you mean 'mini'?"),
        ("", "; there are mini, other"),
        ("a\nb", "; there are mini, other"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(tmp_path, name, hint):
    for known in ("mini", "other"):
        (tmp_path / f"{known}.toml").write_text(SUITE)
    with pytest.raises(ConfigError) as caught:
        load_suite(tmp_path, name)
    message = str(caught.value)
    assert message.startswith(f"no suite {name!r}: ")
    assert message.endswith(hint)
    assert "\n" not in message


def test_the_nearest_name_is_found_whatever_the_case():
    assert nearest("Reader-LAMA", ["reader-llama", "x"]) == "; did you mean 'reader-llama'?"
    assert nearest("zzz", ["a", "b"], "it has") == "; it has a, b"
    assert nearest("zzz", []) == ""


def test_a_value_that_may_be_of_several_kinds_is_told_once():
    class Table(Settings):
        value: str | int | bool

    with pytest.raises(ValidationError) as caught:
        Table.model_validate({"value": 1.5})
    assert tell_errors(caught.value.errors(), Table) == [
        "value: should be a text or a whole number or true or false (got 1.5)"
    ]
