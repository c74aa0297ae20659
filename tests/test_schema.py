"""The file formats as JSON Schema and as a reference: current, and true of real files."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import fastjsonschema
import pytest

from pytest_raq.cli import main
from pytest_raq.config import load_model, load_suite
from pytest_raq.config.reference import EXAMPLES, KINDS, format_reference, json_schema, schema_text
from pytest_raq.errors import ConfigError

ROOT = Path(__file__).parent.parent
FILES = [
    *(("suite", path) for path in sorted((ROOT / "suites").glob("*.toml"))),
    *(("model", path) for path in sorted((ROOT / "models").glob("*.toml"))),
]
LOADERS = {"suite": load_suite, "model": load_model}


def is_valid(kind, text):
    try:
        fastjsonschema.compile(json_schema(kind))(tomllib.loads(text))
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


def is_read(kind, text, folder):
    (folder / "x.toml").write_text(text, encoding="utf-8")
    try:
        LOADERS[kind](folder, "x")
    except ConfigError:
        return False
    return True


def test_the_reference_in_docs_is_current():
    assert (ROOT / "docs/formats.md").read_text(encoding="utf-8") == format_reference(), (
        "run `make docs`"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_in_docs_is_current(kind):
    path = ROOT / f"docs/{kind}.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text(kind), "run `make docs`"


@pytest.mark.parametrize(("kind", "path"), FILES, ids=[path.stem for _, path in FILES])
def test_the_files_of_the_project_fit_the_schema(kind, path):
    assert is_valid(kind, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_kind_is_read_and_fits_its_schema(kind, tmp_path):
    assert is_valid(kind, EXAMPLES[kind])
    assert is_read(kind, EXAMPLES[kind], tmp_path)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("suite", ""),
        ("suite", 'models = []\n[dataset]\nsource = "q"\n'),
        ("suite", 'models = ["a"]\n[dataset]\nsource = "q"\nsampel = 1\n'),
        ("suite", 'models = ["a"]\n[dataset]\nsource = "q"\nsample = 0\n'),
        ("suite", 'models = ["a"]\n[dataset]\nsource = "q"\n[gate]\nalpha = 1\n'),
        ("suite", 'name = "x"\nmodels = ["a"]\n[dataset]\nsource = "q"\n'),
        ("model", 'file = "a.gguf"\nengine = "ollama"\n'),
        ("model", 'file = "a.gguf"\nsha256 = "abc"\n'),
        ("model", 'file = "a.gguf"\nstop = "x"\n'),
        ("model", 'file = "a.gguf"\n[source]\nrepo = "x/y"\n'),
    ],
)
def test_an_editor_refuses_what_a_run_refuses(kind, text, tmp_path):
    assert not is_valid(kind, text)
    assert not is_read(kind, text, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_described(kind):
    schema = json_schema(kind)
    for table in (schema, *schema["definitions"].values()):
        for key, item in table["properties"].items():
            place = item["allOf"][0] if "allOf" in item else item
            known = schema["definitions"].get(place.get("$ref", "").rpartition("/")[2], {})
            assert item.get("description") or known.get("description"), key


def test_the_command_prints_what_docs_hold(capfdbinary):
    assert main(["schema", "suite"]) == 0
    assert json.loads(capfdbinary.readouterr().out) == json_schema("suite")
    assert main(["schema", "--markdown"]) == 0
    assert capfdbinary.readouterr().out.decode() == format_reference()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sute"], "raq: raq schema sute: is not a kind of file; did you mean 'suite'?\n"),
        ([], "raq: raq schema: choose one: suite or model, or --markdown\n"),
        (
            ["suite", "--markdown"],
            "raq: raq schema suite --markdown: the Markdown has every kind: leave suite out\n",
        ),
    ],
)
def test_a_kind_that_is_none_is_told(arguments, message, capsys):
    assert main(["schema", *arguments]) == 2
    assert capsys.readouterr().err == message
