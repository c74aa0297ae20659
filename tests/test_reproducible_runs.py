"""Reproducible suites: from the definition or the command line to keys, provenance and baseline."""

from __future__ import annotations

import json
from dataclasses import replace

import projects  # noqa: F401 - numpy cannot be imported twice
import pytest
from environments import make_environment
from gguf_files import define
from small_projects import write_small_project

from pytest_raq.answering import EnginePool, ModelAnswers
from pytest_raq.answering.identity import AnswerIdentity, model_options
from pytest_raq.baselines.comparison import differences
from pytest_raq.baselines.file import load_baseline, save_baseline
from pytest_raq.cli import main
from pytest_raq.config import load_model, load_suite
from pytest_raq.engines.llamacpp import instruction_sets
from pytest_raq.engines.llamacpp.instruction_sets import LibraryBuild, arithmetic_of
from pytest_raq.errors import ConfigError
from pytest_raq.files import hash_file
from pytest_raq.judging import make_judge
from pytest_raq.judging.llm.backend import JudgeRequest
from pytest_raq.judging.llm.local import LocalBackend
from pytest_raq.progress import NoProgress
from pytest_raq.records import EngineInfo, Prompt, Question
from pytest_raq.running import SessionOptions
from pytest_raq.running.model_selection import ModelSelection
from pytest_raq.store import Store
from pytest_raq.store.codec import engine_from, engine_to_payload
from pytest_raq.store.maintenance import describe_store

PROMPT = Prompt("q", "What?")
SUITE = 'models = ["m", "server"]\n{}[dataset]\nsource = "x.json"\n'
SERVER = 'engine = "openai"\n[openai]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "x"\n'


@pytest.fixture
def model(tiny_gguf):
    return define(tiny_gguf(), reproducible=True)


def key(model, **changes):
    return AnswerIdentity(model.model_copy(update=changes), "a").key(PROMPT)


@pytest.mark.parametrize("change", [{"parallel": 1}, {"parallel": 32}, {"threads": 2}])
def test_what_cannot_change_an_answer_is_not_in_its_key(model, change):
    assert key(model, **change) == key(model)
    assert key(model, reproducible=False, **change) != key(model, reproducible=False)


@pytest.mark.parametrize(
    "change",
    [{"reproducible": False}, {"max_tokens": 7}, {"seed": 1}, {"temperature": 0.1},
     {"stop": ("x",)}, {"context_length": 9}],
)  # fmt: skip
def test_what_can_change_one_is(model, change):
    assert key(model, **change) != key(model)


def test_the_instruction_set_is_in_the_key(model, monkeypatch):
    known = key(model)
    usual = key(model, reproducible=False)
    built = LibraryBuild("python", features=frozenset({"AVX", "AVX2", "AVX512", "FMA"}))
    monkeypatch.setattr(instruction_sets, "library_build", lambda _python: built)
    arithmetic_of.cache_clear()
    try:
        assert arithmetic_of() == "FMA AVX512"
        assert key(model) != known
        assert key(model, reproducible=False) == usual
    finally:
        arithmetic_of.cache_clear()


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (LibraryBuild("p", features=frozenset({"SSE3", "AVX", "AVX2", "FMA", "BMI2"})), "AVX2 FMA"),
        (LibraryBuild("p", features=frozenset({"AVX2", "AVX512", "AMX_INT8"})), "AVX512"),
        (LibraryBuild("p", features=frozenset({"SSE3"})), "no vector instructions"),
        (LibraryBuild("p", problem="llama-cpp-python is not installed"), ""),
        # Of several libraries llama.cpp takes the best that runs here.
        (
            LibraryBuild("p", variants={
                "sse": frozenset({"SSE3"}), "avx2": frozenset({"AVX", "AVX2", "FMA"}),
                "avx512": frozenset({"AVX2", "AVX512", "FMA"}),
            }),
            "AVX2 FMA",
        ),
    ],
)  # fmt: skip
def test_the_instruction_set_is_what_rounds_sums(monkeypatch, build, told):
    offered = frozenset({"SSE3", "AVX", "AVX2", "FMA", "BMI2"})
    monkeypatch.setattr(instruction_sets, "library_build", lambda _python: build)
    monkeypatch.setattr(instruction_sets, "processor_features", lambda: offered)
    arithmetic_of.cache_clear()
    try:
        assert arithmetic_of() == told
    finally:
        arithmetic_of.cache_clear()


def test_options_of_provenance_leave_out_what_changes_nothing(model):
    assert {"threads", "parallel"}.isdisjoint(model_options(model))
    usual = model.model_copy(update={"reproducible": False, "parallel": 4})
    assert model_options(usual)["parallel"] == 4


@pytest.fixture
def folder(tmp_path):
    for name in ("suites", "models"):
        (tmp_path / name).mkdir()
    (tmp_path / "models/m.toml").write_text('file = "m.gguf"\n')
    (tmp_path / "models/server.toml").write_text(SERVER)
    return tmp_path


def chosen(folder, text="", **options):
    (folder / "suites/s.toml").write_text(SUITE.format(text))
    fields = {
        "suites_folder": folder / "suites", "models_folder": folder / "models",
        "baselines_folder": folder, "store_path": folder / "s.db",
    }  # fmt: skip
    selection = ModelSelection(SessionOptions(**fields, **options), hash_file)
    suite = load_suite(folder / "suites", "s")
    return {name: model.reproducible for name, model in selection.models(suite).items()}


def test_a_definition_a_suite_or_the_command_line_ask_for_it(folder):
    assert chosen(folder) == {"m": False, "server": False}
    assert chosen(folder, "reproducible = true\n") == {"m": True, "server": False}
    assert chosen(folder, reproducible=True) == {"m": True, "server": False}
    (folder / "models/m.toml").write_text('file = "m.gguf"\nreproducible = true\n')
    # The command line and a suite only switch it on.
    assert chosen(folder, "reproducible = false\n") == {"m": True, "server": False}


def test_a_server_cannot_be_asked_for_it(folder):
    (folder / "models/server.toml").write_text("reproducible = true\n" + SERVER)
    with pytest.raises(
        ConfigError, match=r"reproducible is for GGUF files: what a server computes"
    ):
        load_model(folder / "models", "server")


def test_no_other_word_than_true_or_false_is_taken(folder):
    (folder / "models/m.toml").write_text('file = "m.gguf"\nreproducible = "yes"\n')
    with pytest.raises(ConfigError, match="reproducible"):
        load_model(folder / "models", "m")


QUESTIONS = [Question(f"q{n}", "", f"passage {n // 3}", f"what {n}?", ("x",)) for n in range(9)]


def pull(model, store, wanted=None, **options):
    with_passage = model.model_copy(update={"prompt": "{passage} {question}", "max_tokens": 6})
    pool = EnginePool(digest=store.file_hashes.sha256)
    answers = ModelAnswers(
        with_passage, QUESTIONS, pool=pool, store=store, progress=NoProgress(), **options
    )
    try:
        names = wanted or [question.id for question in QUESTIONS]
        answers.plan(names)
        texts = {name: answers.get(name).text for name in names}
        return texts, answers
    finally:
        pool.close()


@pytest.fixture
def tried(monkeypatch):
    """Count the self-tests that workers are asked for."""
    from pytest_raq.engines.llamacpp import worker_process

    orders = []
    send = worker_process.WorkerProcess.send

    def record(self, message, silence):
        if message["type"] == "load":
            orders.append(message["self_test"])
        send(self, message, silence)

    monkeypatch.setattr(worker_process.WorkerProcess, "send", record)
    return orders


def test_what_the_self_test_found_is_remembered(model, tmp_path, tried):
    with Store(tmp_path / "s.db") as store:
        first, _ = pull(model, store, ["q0"])
        assert tried == [True]
        texts, answers = pull(model, store)
        assert tried == [True, False]
        assert answers.provenance.reproducible == "verified"
        assert answers.provenance.instruction_set == arithmetic_of()
        assert texts["q0"] == first["q0"]
        # All answers are in the store, for any other number of sequences too.
        again, answers = pull(model.model_copy(update={"parallel": 3, "threads": 2}), store)
        assert again == texts
        assert tried == [True, False]
        assert answers.provenance.reproducible == "verified"
        pull(model, store, fresh=True)
        assert tried == [True, False, True]
        pull(model.model_copy(update={"reproducible": False}), store)
        assert tried == [True, False, True, False]


def test_a_self_test_with_fewer_sequences_says_nothing_of_more(model, tmp_path, tried):
    def answer(parallel, seed):  # a seed that changes nothing but the key: the engine is loaded
        changed = {"parallel": parallel, "seed": seed}
        return pull(model.model_copy(update=changed), store, ["q0"])[1]

    with Store(tmp_path / "s.db") as store:
        answer(4, 1)
        answer(3, 2)
        assert tried == [True, False]
        answer(9, 3)
        assert tried == [True, False, True]
        assert answer(9, 4).provenance.reproducible == "verified"
        answer(5, 5)
        assert tried == [True, False, True, False, False]


def test_only_what_is_wanted_is_asked(model, tmp_path):
    with Store(tmp_path / "s.db") as store:
        _, answers = pull(model, store, ["q4"])
        assert list(answers.in_hand()) == ["q4"]
        usual = model.model_copy(update={"reproducible": False})
        _, answers = pull(usual, store, ["q4"])
        assert len(answers.in_hand()) > 1  # of its whole block


def test_an_engine_of_an_older_store_is_read_and_a_usual_one_is_written_as_before():
    usual = EngineInfo("llama-cpp", "1", note="n")
    assert "reproducible" not in engine_to_payload(usual)
    assert "instruction_set" not in engine_to_payload(usual)
    told = replace(usual, reproducible="verified", instruction_set="AVX2 FMA")
    assert engine_from(json.loads(engine_to_payload(told))) == told


@pytest.fixture
def project(pytester):
    write_small_project(pytester.path, "reader-llama", "reader-llama-f16.gguf")
    return pytester


def run(project, *options):
    path = project.path / "run.json"
    path.unlink(missing_ok=True)
    result = project.runpytest_inprocess(
        "suites", "--raq-suite", "small", "--raq-json", str(path), "-k", "not speed", *options
    )
    return result, json.loads(path.read_text())["suites"]["small"]


def answers_of(table):
    return {
        name: item["answers"]["reader"]
        for name, item in table["questions"].items()
        if "reader" in item["answers"]
    }


def test_a_run_by_the_command_line_is_that_of_a_definition_whatever_is_asked(project):
    _, whole = run(project, "--raq-reproducible", "--raq-store", "a.db")
    texts = answers_of(whole)
    assert len(texts) == 12
    provenance = whole["provenance"]["models"]["reader"]
    assert provenance["reproducible"] == "verified"
    assert provenance["instruction_set"] == arithmetic_of()
    path = project.path / "models/reader.toml"
    path.write_text(f"reproducible = true\n{path.read_text()}")
    asked = [("--raq-parallel", "1"), ("--raq-parallel", "5", "-n", "2")]
    for number, options in enumerate(asked):
        _, table = run(project, "--raq-store", f"{number}.db", *options)
        assert answers_of(table) == texts
    for part in (1, 2):
        store = ("--raq-store", f"shard-{part}.db", "--raq-shard", f"{part}/2")
        project.runpytest_inprocess(
            "suites", "--raq-suite", "small", *store, "--raq-json", f"{part}.json"
        )
    assert main(["merge", "1.json", "2.json", "--json", "merged.json"]) == 1  # no baseline
    merged = json.loads((project.path / "merged.json").read_text())["suites"]["small"]
    assert answers_of(merged) == texts
    assert merged["provenance"]["models"]["reader"]["reproducible"] == "verified"
    name = list(texts)[7]
    result, table = run(project, "--raq-store", "k.db", "-k", f"test_answer and {name}")
    result.assert_outcomes(passed=1)
    assert answers_of(table) == {name: texts[name]}


def test_a_baseline_says_so_and_another_way_of_asking_is_told(project):
    run(project, "--raq-update", "--raq-store", "a.db")
    text = (project.path / "baselines/small.json").read_text()
    assert "reproducible" not in text
    assert "instruction_set" not in text
    _, table = run(project, "--raq-reproducible", "--raq-store", "a.db")
    (told,) = [note for note in table["notes"] if "reproducible" in note]
    assert "reader: reproducible no → verified: other bits are expected" in told
    # Ten questions are asked in both ways; here the store has the usual answers.
    known = table["repeatability"]["reader"]
    assert known["otherwise"] == {"asked": 10, "changed": 0}
    assert known["same_bits"] == (
        "no, because the baseline was accepted without reproducible = true"
    )
    path = project.path / "models/reader.toml"
    path.write_text(f"reproducible = true\n{path.read_text()}")
    run(project, "--raq-update", "--raq-store", "a.db")
    baseline = load_baseline(project.path / "baselines", "small")
    model = baseline.provenance.models["reader"]
    assert model.reproducible == "verified"
    assert save_baseline(project.path, baseline).read_text().count('"instruction_set"') == 1
    _, table = run(project, "--raq-store", "a.db")
    assert [note for note in table["notes"] if "bits" in note] == []
    assert table["repeatability"]["reader"] == {
        "self_test": "verified", "same_bits": "yes", "again": None, "otherwise": None,
    }  # fmt: skip
    other = replace(model, instruction_set="AVX512 F16C FMA")
    now = replace(baseline.provenance, models={"reader": other})
    assert list(differences(baseline.provenance, now)) == [
        f"reader: instruction set {arithmetic_of()} → AVX512 F16C FMA: other bits are expected"
    ]


def test_a_failed_self_test_is_a_note_of_the_run(project):
    patch = """
_logits, _decode = llama_get_logits_ith, llama_decode
_sizes = [0]
def llama_decode(context, batch):
    _sizes[0] = batch.n_tokens
    return _decode(context, batch)

def llama_get_logits_ith(context, place):
    found = _logits(context, place)
    if _sizes[0] == 8:
        found[0] += 1
    return found
"""
    python = make_environment(project.path / "other", patch=patch)
    path = project.path / "models/reader.toml"
    path.write_text(f'python = "../{python.name}"\n{path.read_text()}')
    result, table = run(project, "--raq-reproducible", "--raq-allow-python")
    assert table["provenance"]["models"]["reader"]["reproducible"] == "not verified: among others"
    result.stdout.fnmatch_lines(
        ["*note: reader: not reproducible: the self-test found other bits*"]
    )
    kept = describe_store(project.path / ".raq/store.db").entries
    assert (kept["answers"], kept["engines"]) == (0, 1)


def test_an_accepted_state_is_not_changed_by_the_command_line(project):
    result = project.runpytest_inprocess("suites", "--raq-reproducible", "--raq-update")
    result.stdout.fnmatch_lines(["*cannot be used with --raq-reproducible: write the change*"])


def judge_replies(path, concurrency):
    settings = {"concurrency": concurrency}
    definition = define(path, reproducible=True, max_tokens=12, judge=settings)
    backend = LocalBackend(definition)
    for ticket in range(7):
        text = f"{'which is better? ' * 3} {ticket}"
        backend.start(ticket, JudgeRequest(text, schema="", max_tokens=12, seed=0))
    replies = dict(backend.take() for _ in range(7))
    backend.close()
    return {ticket: reply.text for ticket, reply in replies.items()}


def test_a_local_judge_says_the_same_in_any_number_of_sequences(tiny_gguf):
    expected = judge_replies(tiny_gguf(), 1)
    assert len(set(expected.values())) > 1
    assert judge_replies(tiny_gguf(), 4) == judge_replies(tiny_gguf(), 7) == expected


def test_a_reproducible_judge_is_known_as_one(tiny_gguf):
    usual = make_judge(define(tiny_gguf())).identity.options
    assert "reproducible" not in usual
    told = make_judge(define(tiny_gguf(), reproducible=True)).identity.options
    assert told == {**usual, "reproducible": "yes"}
