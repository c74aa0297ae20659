"""raq init: what is written from flags, what is found out of a model, what is refused."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from init_project import files_of

from pytest_raq.config import DatasetSettings, load_model, load_suite
from pytest_raq.datasets import load_questions
from pytest_raq.scaffold import find_contestant

ROOT = Path(__file__).parent.parent
READER = ROOT / "models/reader-llama-f16.gguf"
MINI = ROOT / "suites/mini.json"


def test_everything_is_written_and_the_next_command_told(folder, init):
    code, lines, _ = init("--model", READER, "--questions", MINI)
    assert code == 0
    assert files_of(folder) == [
        ".github/workflows/raq.yml",
        ".gitignore",
        "models/model.schema.json",
        "models/reader-llama-f16.gguf",
        "models/reader-llama.toml",
        "suites/mini.json",
        "suites/mini.toml",
        "suites/requirements.txt",
        "suites/suite.schema.json",
        "suites/test_suites.py",
    ]
    assert [f"wrote {name}" for name in files_of(folder)] == sorted(lines[: lines.index("next:")])
    assert lines[lines.index("next:") + 1].split("  #")[0].strip() == "pytest suites/ --raq-update"
    suite = load_suite(folder / "suites", "mini")
    assert suite.default
    assert suite.models == ("reader-llama",)
    assert suite.judge == "reference"
    assert suite.dataset.sample is None
    assert (folder / "suites/mini.json").read_bytes() == MINI.read_bytes()


def test_a_definition_says_what_the_file_says(folder, init):
    assert init("--model", READER)[0] == 0
    model = load_model(folder / "models", "reader-llama")
    assert model.file == "reader-llama-f16.gguf"
    assert model.sha256 == hashlib.sha256(READER.read_bytes()).hexdigest()
    assert (model.engine, model.family, model.context_length) == ("llama-cpp", "llama", 1024)
    # Its template tells no roles apart: it continues a text, so a line is an answer.
    assert model.uses_chat
    assert model.render("P", "Q") == "P\nQuestion: Q"
    assert model.stop == ("\n",)
    assert model.temperature == 0


def test_a_chat_model_gets_an_instruction(folder, init, chat_gguf):
    assert init("--model", f"tiny={chat_gguf}")[0] == 0
    model = load_model(folder / "models", "tiny")
    assert model.uses_chat
    assert model.render("P", "Q").startswith("Answer the question with as few words as possible")
    assert model.stop == ()
    assert model.context_length == 512  # what it was trained for


def test_a_model_without_a_template_gets_a_plain_prompt(folder, init, tiny_gguf):
    assert init("--model", f"tiny={tiny_gguf()}")[0] == 0
    model = load_model(folder / "models", "tiny")
    assert not model.uses_chat
    assert model.render("P", "Q") == "P\nQuestion: Q\nAnswer:"


def test_the_context_holds_the_longest_question(folder, init, tiny_gguf):
    path = tiny_gguf(context_length=32768)
    document = json.loads(MINI.read_text(encoding="utf-8"))
    document["data"][0]["paragraphs"][0]["context"] += " a long passage" * 400
    (folder / "long.json").write_text(json.dumps(document), encoding="utf-8")
    assert init("--model", f"tiny={path}", "--questions", "long.json")[0] == 0
    assert load_model(folder / "models", "tiny").context_length == 4096


def test_files_of_the_project_stay_where_they_are(folder, init):
    (folder / "data").mkdir()
    (folder / "data/q.json").write_bytes(MINI.read_bytes())
    (folder / "reader-llama-f16.gguf").write_bytes(READER.read_bytes())
    code, lines, _ = init("--questions", "data/q.json", "--ci", "none")
    assert code == 0
    assert load_suite(folder / "suites", "q").dataset.source == "../data/q.json"
    assert load_model(folder / "models", "reader-llama").file == "../reader-llama-f16.gguf"
    assert not (folder / "models/reader-llama-f16.gguf").exists()
    assert not any("workflow" in line for line in lines)


def test_a_large_file_stays_and_is_kept_out_of_git(folder, init, tmp_path, monkeypatch):
    monkeypatch.setattr("pytest_raq.scaffold.price.LARGEST", 1)
    path = tmp_path / "Big-7B.Q4_K_M.gguf"
    path.write_bytes(READER.read_bytes())
    os.truncate(path, 60_000_000)
    code, lines, _ = init("--model", path)
    assert code == 0
    assert load_model(folder / "models", "big-7b").file == str(path)
    assert (
        f"note: models/big-7b.toml names {path}, which other machines do not have: put the file"
        " into models/ or add [source] for raq models pull"
    ) in lines
    assert "*.gguf" in (folder / ".gitignore").read_text().splitlines()
    assert "raq models pull" in (folder / ".github/workflows/raq.yml").read_text()


def test_many_questions_are_sampled(folder, init):
    document = {"data": [{"paragraphs": []}]}
    for number in range(501):
        qa = {"id": f"q{number}", "question": "Who?", "answers": [{"text": "he"}]}
        document["data"][0]["paragraphs"].append({"context": f"he {number}", "qas": [qa]})
    (folder / "many.json").write_text(json.dumps(document), encoding="utf-8")
    assert init("--model", READER, "--questions", "many.json")[0] == 0
    assert load_suite(folder / "suites", "many").dataset.sample == 200


def test_the_questions_to_start_from_can_be_answered_from_their_passages(folder, init):
    code, lines, _ = init("--model", READER)
    assert code == 0
    assert any("has 36 questions as a start: replace them" in line for line in lines)
    found = load_questions(DatasetSettings(source="first.json"), folder / "suites").questions
    assert len({item.cluster for item in found}) >= 2
    assert all(item.references[0] in item.passage for item in found)
    assert "comment" in json.loads((folder / "suites/first.json").read_text(encoding="utf-8"))


def test_questions_without_passages_are_asked_alone(folder, init, chat_gguf):
    (folder / "q.csv").write_text("question,references\nWho wrote Emma?,Jane Austen\n")
    model = f"tiny={chat_gguf}"
    assert init("--model", model, "--model", READER, "--questions", "q.csv")[0] == 0
    assert load_suite(folder / "suites", "q").dataset.source == "../q.csv"
    for name in ("tiny", "reader-llama"):
        assert not load_model(folder / "models", name).needs_passage


def test_the_test_module_is_that_of_the_bundled_suites(folder, init):
    assert init("--model", READER)[0] == 0
    mine = (folder / "suites/test_suites.py").read_bytes()
    assert mine == (ROOT / "suites/test_suites.py").read_bytes()


def test_a_server_is_asked_for_its_model_without_a_key(folder, init, served, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    url, names, asked = served
    names.append("meta-llama/Llama-3.1-8B-Instruct")
    code, _, _ = init("--model", url)
    assert code == 0
    assert asked == [("/v1/models", None)]
    model = load_model(folder / "models", "llama-3.1-8b-instruct")
    assert (model.engine, model.family) == ("openai", "llama")
    assert (model.openai.base_url, model.openai.model) == (url, names[0])
    assert model.openai.api_key_env == ""
    assert load_suite(folder / "suites", "first").gate.max_slowdown == 0.25


def test_a_server_with_several_models_needs_a_name(folder, init, served):
    url, names, asked = served
    names += ["a", "b"]
    code, _, error = init("--model", url)
    assert code == 2
    assert error == f"raq: --model {url}: the server has 2 models: write {url}#MODEL, one of a, b\n"
    asked.clear()
    assert init("--model", f"{url}#b")[0] == 0
    assert not asked
    assert load_model(folder / "models", "b").openai.model == "b"
    assert load_model(folder / "models", "b").openai.api_key_env == "OPENAI_API_KEY"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "http://127.0.0.1:9/v1",
            (
                "--model http://127.0.0.1:9/v1: does not list its models ([Errno 111] Connection"
                " refused): start the server, or name the model: http://127.0.0.1:9/v1#MODEL"
            ),
        ),
        (
            "https://user:sk-secret@host/v1",
            (
                "--model https://host: an address must not contain a key: put it into an"
                " environment variable, and name that in api_key_env"
            ),
        ),
        ("http://", "--model 'http://': is not an address; write http://127.0.0.1:8000/v1"),
        ("http://h:x/v1", "--model http://h:x/v1: is not an address: Port could not be cast"),
    ],
)
def test_an_address_that_is_wrong_is_told(folder, init, text, message):
    code, _, error = init("--model", text)
    assert code == 2
    assert error.startswith(f"raq: {message}")
    assert "sk-secret" not in error
    assert files_of(folder) == []


def test_a_named_file_of_a_hub_needs_no_hub(folder, init):
    code, lines, _ = init("--model", "TheBloke/Some-7B-GGUF/some-7b.Q4_K_M.gguf")
    assert code == 0
    model = load_model(folder / "models", "some-7b")
    assert model.source.repo == "TheBloke/Some-7B-GGUF"
    assert model.source.filename == model.file == "some-7b.Q4_K_M.gguf"
    assert lines[lines.index("next:") + 1].split("  #")[0].strip() == "raq models pull some-7b"


def test_a_repository_alone_needs_the_hub(folder, init):
    code, _, error = init("--model", "owner/repo")
    assert code == 2
    assert error.startswith("raq: --model owner/repo: the hub cannot be asked for its files (")
    assert error.endswith("): write owner/repo/FILE.gguf\n")
    assert files_of(folder) == []


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Meta-Llama-3-8B-Instruct-Q4_K_M.gguf", "meta-llama-3-8b-instruct"),
        ("mistral-7b-instruct-v0.1.Q4_K_M.gguf", "mistral-7b-instruct-v0.1"),
        ("gemma-3-1b-it-UD-IQ2_XXS.gguf", "gemma-3-1b-it"),
        ("Qwen3-0.6B-BF16-00001-of-00002.gguf", "qwen3-0.6b"),
        ("My Model (final).gguf", "my-model-final"),
        ("q8_0.gguf", "q8_0"),
    ],
)
def test_a_name_leaves_the_quantization_out(folder, tiny_gguf, file, name):
    (folder / file).write_bytes(tiny_gguf().read_bytes())
    assert find_contestant(file, folder).name == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nope.gguf"], "--model nope.gguf: is not a file, a definition in "),
        (["--model", ""], "--model is empty: give a GGUF file, the address of a server"),
        (["--model", "x="], "--model is empty: give a GGUF file, the address of a server"),
        (["--model", MINI], f"{MINI} is not a GGUF file: it does not start with 'GGUF'"),
        (["--model", "."], " is a folder; a model is a GGUF file"),
        (
            ["--model", READER, "--suite", "../x"],
            "'../x' is not a valid name of a suite: use letters",
        ),
        (["--model", READER, "--judge", "refrence"], "no such judge; did you mean 'reference'?"),
        (["--model", READER, "--questions", "q.json"], "--questions q.json: does not exist"),
        (["--model", READER, "--questions", READER], ".gguf cannot be read"),
        (
            ["--model", READER, "--model", READER],
            "two models would have the name 'reader-llama': give one a name: --model NAME=FILE",
        ),
        ([READER, "--model", READER], "is a file; raq init needs a folder"),
        (["--model", "\udcff.gguf"], "--model '\\udcff.gguf': is not a path"),
        (["--model", READER, "--questions", "\udcff.csv"], "--questions '\\udcff.csv': is not a"),
        (["\udcff", "--model", READER], "'\\udcff': is not a path"),
        ([], "which model? no GGUF file is in "),
    ],
)
def test_what_is_wrong_is_told_and_nothing_written(folder, init, arguments, message):
    code, lines, error = init(*arguments)
    assert (code, lines) == (2, [])
    assert message in error
    assert error.count("\n") == 1
    assert files_of(folder) == []


def test_a_model_that_generates_no_text_is_refused(folder, init):
    raw = READER.read_bytes()
    (folder / "x.gguf").write_bytes(
        raw.replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0whisp")
    )
    (folder / "y.gguf").write_bytes(
        raw.replace(b"\x05\0\0\0\0\0\0\0llama", b"\x04\0\0\0\0\0\0\0bert")
    )
    assert init("--model", "x.gguf")[0] == 0  # an architecture that is not known here may be new
    code, _, error = init("--model", "y.gguf", "--suite", "second")
    assert code == 2
    assert error.endswith("has the kind 'bert'; give a model that generates text\n")
