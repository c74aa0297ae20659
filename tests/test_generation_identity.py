"""What makes an answer another one: file, engine, options, prompt."""

from __future__ import annotations

import json
import shutil

import pytest
from test_store import former_store

from pytest_raq.answering import EnginePool, ModelAnswers, identity
from pytest_raq.answering.identity import AnswerIdentity, engine_version, library_files
from pytest_raq.config import ModelDefinition, OpenAISettings
from pytest_raq.engines import ScriptedEngine
from pytest_raq.progress import NoProgress
from pytest_raq.records import EngineInfo, Prompt, Question
from pytest_raq.store import Store, hash_parts

PROMPT = Prompt("q", "What?")
QUESTIONS = [Question(f"q{n}", "", f"passage {n}", f"what {n}?", ("x",)) for n in range(6)]


@pytest.fixture
def model(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"weights")
    return ModelDefinition(
        name="m", path=tmp_path / "m.toml", file="m.gguf", prompt="{passage} {question}"
    )


def key(model, sha256="a", **more):
    return AnswerIdentity(model, sha256, **more).key(PROMPT)


@pytest.mark.parametrize(
    "change",
    [{"parallel": 1}, {"parallel": 4}, {"max_tokens": 7}, {"threads": 2}, {"seed": 1},
     {"temperature": 0.1}, {"stop": ("x",)}, {"context_length": 9}],
)  # fmt: skip
def test_every_option_is_in_the_key(model, change):
    assert key(model) == key(model.model_copy())
    assert key(model.model_copy(update=change)) != key(model)


@pytest.mark.parametrize("change", [{"name": "n"}, {"family": "f"}, {"timeout": 5.0}])
def test_what_changes_no_answer_is_not(model, change):
    assert key(model.model_copy(update=change)) == key(model)


def test_the_file_and_the_engine_are_in_the_key(model, monkeypatch):
    known = key(model)
    assert key(model, "b") != known
    monkeypatch.setattr(identity, "engine_version", lambda: "0.0.1")
    assert key(model) != known
    monkeypatch.undo()
    machine = {"processor": "another", "architecture": "x", "system": "y"}
    monkeypatch.setattr(identity, "describe_machine", lambda: machine)
    assert key(model) != known


def test_the_libraries_of_llama_cpp_are_in_the_key_and_it_is_not_imported(
    model, monkeypatch, tmp_path
):
    files = library_files()
    assert any(path.name.startswith("libllama.") for path in files)
    known = key(model)
    for file in files:
        shutil.copyfile(file, tmp_path / file.name)
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    assert key(model) == known
    with (tmp_path / files[0].name).open("ab") as library:
        library.write(b"another build")
    assert key(model) != known


def test_without_llama_cpp_there_are_no_libraries(model, monkeypatch):
    monkeypatch.setattr(identity, "find_spec", lambda _name: None)
    assert library_files() == []
    assert len(key(model)) == 64


def test_a_library_that_cannot_be_read_is_left_to_the_engine(model):
    def unreadable(_path):
        raise PermissionError

    assert key(model, digest=unreadable) != key(model)


def test_a_server_is_known_by_address_and_model(tmp_path):
    def server(**settings):
        return ModelDefinition(
            name="m",
            path=tmp_path / "m.toml",
            engine="openai",
            openai=OpenAISettings(**{"base_url": "https://a/v1", "model": "x", **settings}),
        )

    assert key(server(), "") == key(server(api_key_env="OTHER"), "")
    assert key(server(base_url="https://b/v1"), "") != key(server(), "")
    assert key(server(model="y"), "") != key(server(), "")


def write_former(path, model, sha256):
    """Write the answers to all questions as format 1 kept them."""
    who = [model.engine, engine_version(), sha256]
    options = {
        "context_length": 1024, "max_tokens": 256, "temperature": 0.0, "seed": 0, "stop": [],
        "threads": 0,
    }  # fmt: skip
    rows = []
    for question in QUESTIONS:
        text = f"{question.passage} {question.question}"
        said = {"text": f"former {question.id}", "finish_reason": "stop", "timing": {}}
        old_key = hash_parts(model=who, options=options, text=text, chat=False)
        rows.append(("answer", old_key, json.dumps(said)))
    engine = json.dumps({"engine": "llama-cpp", "build": "the build of then"})
    former_store(path, *rows, ("engine", hash_parts(model=who), engine))


@pytest.mark.parametrize(("parallel", "asked"), [(None, 0), (1, 0), (4, 6)])
def test_answers_of_format_1_are_taken_over_where_they_were_asked_alike(
    model, tmp_path, parallel, asked
):
    path = tmp_path / "store.db"
    sha256 = ModelAnswers(
        model, [], pool=EnginePool(), store=None, progress=NoProgress()
    ).file_sha256
    write_former(path, model, sha256)
    model = model.model_copy(update={"parallel": parallel})
    engine = ScriptedEngine(lambda prompt: f"new {prompt.question_id}", model="m")

    def ask():
        with Store(path) as store:
            answers = ModelAnswers(
                model, QUESTIONS, pool=EnginePool(lambda _: engine), store=store,
                progress=NoProgress(),
            )  # fmt: skip
            said = [outcome.text for outcome in answers.get_all().values()]
            return said, answers.provenance.build

    said, build = ask()
    assert said == [f"{'new' if asked else 'former'} {q.id}" for q in QUESTIONS]
    assert build == ("1" if asked else "the build of then")
    assert ask()[0] == said
    assert len(engine.asked) == asked
    with Store(path) as store:  # they stand under their new keys now
        assert store._access.database.run(
            lambda connection: connection.execute("SELECT count(*) FROM answers").fetchone()
        ) == (6,)


def test_answers_of_a_file_that_was_replaced_before_it_was_loaded_are_not_kept(model, tmp_path):
    info = EngineInfo("llama-cpp", "1", file_sha256="f" * 64)
    engine = ScriptedEngine(lambda _: "x", model="m", info=info)
    with Store(tmp_path / "store.db") as store:
        for _ in range(2):
            ModelAnswers(
                model, QUESTIONS, pool=EnginePool(lambda _: engine), store=store,
                progress=NoProgress(),
            ).get("q0")  # fmt: skip
    assert engine.asked == ["q0", "q0"]


def test_a_rerun_reads_the_plan_in_few_statements(model, tmp_path):
    engine = ScriptedEngine(lambda _: "x", model="m")
    many = [Question(f"q{n}", "", "p", f"what {n}?", ("x",)) for n in range(1500)]

    def answers(store):
        pool = EnginePool(lambda _: engine)
        return ModelAnswers(model, many, pool=pool, store=store, progress=NoProgress())

    with Store(tmp_path / "store.db") as store:
        answers(store).get_all()
        statements = []
        store._access.database._connection.set_trace_callback(statements.append)
        again = answers(store)
        for question in many:
            again.get(question.id)
    assert len(engine.asked) == 1500
    assert sum("FROM answers" in text for text in statements) == 3


def test_what_another_process_added_meanwhile_is_not_generated(model, tmp_path):
    mine = ScriptedEngine(lambda _: "mine", model="m")
    with Store(tmp_path / "store.db") as store:
        first, second = (
            ModelAnswers(
                model, QUESTIONS, pool=EnginePool(lambda _: mine), store=store,
                progress=NoProgress(),
            )
            for _ in range(2)
        )  # fmt: skip
        first.get("q0")
        second.plan([])
        second.get("q5")
        first.get("q5")
    assert sorted(mine.asked) == ["q0", "q5"]
