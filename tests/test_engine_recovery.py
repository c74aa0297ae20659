"""A llama.cpp whose kernels end the process: at load, in the warm-up, always, or with some buffers.

The stand-ins are the installed llama_cpp in a second environment, with functions that kill.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from environments import ONLY_WITH_EXTRA, make_killing_environment
from gguf_files import define
from small_projects import write_small_project

from pytest_raq.cli import main
from pytest_raq.engines.llamacpp import LlamaCppEngine
from pytest_raq.engines.llamacpp.quantizer import Quantizer
from pytest_raq.engines.llamacpp.rendering import render_prompt
from pytest_raq.errors import EngineError, EngineStartError
from pytest_raq.judging import Panel, PanelMember, make_judge
from pytest_raq.records import Answer, Prompt


@pytest.fixture
def killing(tmp_path):
    """Make an environment whose llama.cpp kills its process when a condition holds."""
    return partial(make_killing_environment, tmp_path / "killing")


def deaths(tmp_path):
    path = tmp_path / "deaths"
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize(
    "where",
    [
        {"load": ONLY_WITH_EXTRA},
        {"batch": ONLY_WITH_EXTRA},
        # Only such a batch as prompts make, and only a token alone.
        {"batch": f"{ONLY_WITH_EXTRA} and batch.n_tokens >= 64"},
        {"batch": f"{ONLY_WITH_EXTRA} and batch.n_tokens == 1"},
        # A token of each of several sequences.
        {"batch": f"{ONLY_WITH_EXTRA} and 2 <= batch.n_tokens < 64"},
    ],
    ids=["load", "first batch", "large batch", "single token", "several sequences"],
)
def test_a_worker_that_dies_with_extra_buffers_is_started_without(
    killing, tiny_gguf, tmp_path, where
):
    python = killing(**where)
    with LlamaCppEngine(define(tiny_gguf(), max_tokens=4), python) as engine:
        outcomes = list(engine.answers([Prompt(name, f"{name}:") for name in ("q1", "q2")]))
    assert [type(outcome) for outcome in outcomes] == [Answer, Answer]
    assert deaths(tmp_path) == ["SIGILL"]  # one start, and no question
    assert engine.info.extra_buffers is False
    assert engine.info.build.endswith(", extra buffer types off")
    assert engine.info.note.startswith(
        "llama.cpp was killed by SIGILL while it loaded the model, and runs with extra buffer types"
        " off (no repacked and no AMX kernels): answers are right but slower, and a few may differ"
        " from those with them; llama.cpp was compiled for "
    )
    assert f"{python} -m pip install --force-reinstall" in engine.info.note


def test_without_extra_buffers_answers_are_those_of_llama_cpp_without_them(killing, tiny_gguf):
    asked = [Prompt("q1", "the truth is"), Prompt("q2", "in the end")]
    path = tiny_gguf()
    with LlamaCppEngine(define(path, max_tokens=8)) as engine:
        expected = {o.question_id: o.text for o in engine.answers(asked)}
        assert engine.info.extra_buffers
        assert engine.info.note == ""
        build = engine.info.build
    with LlamaCppEngine(define(path, max_tokens=8), killing(load=ONLY_WITH_EXTRA)) as engine:
        # F32 has no repacked kernels: the same numbers either way.
        assert {o.question_id: o.text for o in engine.answers(asked)} == expected
        assert engine.info.build != build


@pytest.mark.parametrize("number", ["SIGSEGV", "SIGBUS", "SIGABRT", "SIGKILL"])
def test_any_signal_while_loading_has_a_second_start(killing, tiny_gguf, tmp_path, number):
    python = killing(batch=ONLY_WITH_EXTRA, number=number)
    with LlamaCppEngine(define(tiny_gguf(), max_tokens=2), python) as engine:
        assert engine.info.extra_buffers is False
    assert deaths(tmp_path) == [number]
    assert engine.info.note.startswith(f"llama.cpp was killed by {number} ")
    # Whoever was killed from outside may live the next time.
    assert engine.info.will_recur is (number != "SIGKILL")
    assert engine.info.note.endswith("; check the free memory") is (number == "SIGKILL")


def test_a_worker_that_always_dies_is_told_in_one_line(killing, tiny_gguf, tmp_path):
    python, path = killing(batch="True"), tiny_gguf()
    with pytest.raises(EngineStartError) as caught:
        LlamaCppEngine(define(path), python)
    told = str(caught.value)
    assert told.startswith(
        f"{path}: the llama.cpp worker was killed by SIGILL while it loaded the model, also with"
        " extra buffer types off: llama.cpp was compiled for "
    )
    assert "this processor has " in told
    assert f"{python} -m pip install --force-reinstall" in told
    assert "\n" not in told
    assert deaths(tmp_path) == ["SIGILL", "SIGILL"]


def test_another_signal_twice_asks_to_check_the_file_and_the_memory_first(killing, tiny_gguf):
    python, path = killing(load="True", number="SIGSEGV"), tiny_gguf()
    with pytest.raises(EngineStartError) as caught:
        LlamaCppEngine(define(path), python)
    assert str(caught.value).startswith(
        f"{path}: the llama.cpp worker was killed by SIGSEGV while it loaded the model, also with"
        " extra buffer types off: check the file and the free memory; llama.cpp was compiled for "
    )


def test_memory_that_is_short_twice(killing, tiny_gguf):
    python, path = killing(load="True", number="SIGKILL"), tiny_gguf()
    with pytest.raises(EngineStartError) as caught:
        LlamaCppEngine(define(path), python)
    assert str(caught.value) == (
        f"{path}: the llama.cpp worker was killed by SIGKILL (was memory short?) while it loaded"
        " the model, also with extra buffer types off: check the free memory"
    )


def test_a_library_that_dies_when_it_is_imported(killing, tiny_gguf):
    python = killing(imported="import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    path = tiny_gguf()
    with pytest.raises(EngineStartError) as caught:
        LlamaCppEngine(define(path), python)
    assert str(caught.value).startswith(
        f"{path}: the llama.cpp worker was killed by SIGILL while it loaded the model, also with"
        " extra buffer types off: llama.cpp was compiled for "
    )


def test_a_worker_that_dies_later_is_not_started_with_other_kernels(killing, tiny_gguf, tmp_path):
    """The answers of one run come from the same kernels."""
    flag = tmp_path / "broken"
    python = killing(load=f"{ONLY_WITH_EXTRA} and __import__('os').path.exists({str(flag)!r})")
    with LlamaCppEngine(define(tiny_gguf(), max_tokens=2), python) as engine:
        assert engine.info.extra_buffers
        flag.touch()
        os.kill(engine.worker_pid, signal.SIGKILL)
        (outcome,) = engine.answers([Prompt("q1", "q1:")])
    assert outcome.reason.startswith(
        "not asked, because the llama.cpp worker was killed by SIGKILL (was memory short?)"
        " and does not start again: "
    )


def test_the_quantizer_needs_no_extra_buffers(killing, tiny_gguf, tmp_path):
    python = killing(load=ONLY_WITH_EXTRA)
    with Quantizer(tiny_gguf(), python) as quantizer:
        made = quantizer.quantize("Q8_0", tmp_path / "made.gguf")
    assert made.bytes > 0
    assert deaths(tmp_path) == []


def test_a_quantizer_that_dies_names_the_build(killing, tiny_gguf):
    python, path = killing(load="True"), tiny_gguf()
    with pytest.raises(EngineError) as caught:
        Quantizer(path, python)
    told = str(caught.value)
    assert told.startswith(
        f"{path}: llama.cpp's quantizer was killed by SIGILL on the way: llama.cpp was compiled for"
    )
    assert "-m pip install --force-reinstall" in told


def test_a_prompt_is_shown_without_extra_buffers(killing, tiny_gguf, tmp_path):
    rendered = render_prompt(
        define(tiny_gguf()), Prompt("q1", "the end"), killing(load=ONLY_WITH_EXTRA)
    )
    assert rendered.text == "the end"
    assert deaths(tmp_path) == []


def test_a_prompt_that_cannot_be_shown_names_the_build(killing, tiny_gguf):
    path = tiny_gguf()
    with pytest.raises(EngineStartError) as caught:
        render_prompt(define(path), Prompt("q1", "the end"), killing(load="True"))
    assert str(caught.value).startswith(
        f"{path}: the llama.cpp worker was killed by SIGILL: llama.cpp was compiled for "
    )


SUITE = """
default = true
models = ["one", "two"]
[dataset]
source = "questions.json"
[gate]
inconclusive = "pass"
"""


@pytest.fixture
def project(tmp_path, tiny_gguf, monkeypatch):
    """A project of two models, to be run under an environment of choice."""
    folder = tmp_path / "project"
    for name in ("suites", "models", "baselines"):
        (folder / name).mkdir(parents=True)
    for seed, name in enumerate(("one", "two")):
        shutil.copy(tiny_gguf(seed=seed), folder / f"models/{name}.gguf")
        (folder / f"models/{name}.toml").write_text(
            f'file = "{name}.gguf"\ncontext_length = 256\nmax_tokens = 4\n'
            'prompt = "{passage} {question}"\n'
        )
    questions = [
        {
            "id": f"q{n}",
            "question": f"What is {n}?",
            "context": f"It is {n}.",
            "answers": {"text": [str(n)], "answer_start": [6]},
        }
        for n in range(4)
    ]
    (folder / "suites/questions.json").write_text(json.dumps(questions))
    (folder / "suites/s.toml").write_text(SUITE)
    source = Path(__file__).parent.parent / "suites/test_suites.py"
    (folder / "suites/test_suites.py").write_text(source.read_text())
    (folder / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(folder)
    return folder


def run(project, python, *options):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "suites/", "-p", "no:cacheprovider"),
            *("--raq-python", str(python), "--raq-json", "run.json", *options),
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (project / "run.json").exists(), done.stdout + done.stderr
    return done, json.loads((project / "run.json").read_text())["suites"]["s"]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_run_goes_on_with_one_note_and_keeps_its_answers(project, killing, tmp_path, workers):
    python = killing(batch=ONLY_WITH_EXTRA)
    done, suite = run(project, python, "-k", "test_answer", *workers)
    assert done.returncode == 0, done.stdout
    notes = [note for note in suite["notes"] if "SIGILL" in note]
    assert len(notes) == 1
    assert notes[0].startswith("one, two: llama.cpp was killed by SIGILL while it loaded the model")
    assert "note: one, two: llama.cpp was killed by SIGILL" in done.stdout
    builds = [model["build"] for model in suite["provenance"]["models"].values()]
    assert all(build.endswith(", extra buffer types off") for build in builds)
    before = len(deaths(tmp_path))
    assert before >= 2

    # Every answer is stored: nothing is started, and the note still says what answered.
    done, suite = run(project, python, "-k", "test_answer")
    assert done.returncode == 0, done.stdout
    assert "SIGILL" in "".join(suite["notes"])
    assert len(deaths(tmp_path)) == before


def test_a_kill_from_outside_is_not_remembered(project, killing, tmp_path):
    flag = tmp_path / "broken"
    flag.touch()
    python = killing(
        load=f"{ONLY_WITH_EXTRA} and __import__('os').path.exists({str(flag)!r})", number="SIGKILL"
    )
    _, killed = run(project, python, "-k", "test_answer")
    assert [note for note in killed["notes"] if "SIGKILL" in note]
    flag.unlink()
    _, later = run(project, python, "-k", "test_answer")
    assert not [note for note in later["notes"] if "SIGKILL" in note]
    build = later["provenance"]["models"]["one"]["build"]
    assert f"{build}, extra buffer types off" == killed["provenance"]["models"]["one"]["build"]


def test_answers_of_other_kernels_are_kept_apart(project, killing, tmp_path):
    """The same build without its fault answers again: it was other kernels that answered."""
    flag = tmp_path / "broken"
    flag.touch()
    python = killing(batch=f"{ONLY_WITH_EXTRA} and __import__('os').path.exists({str(flag)!r})")
    _, broken = run(project, python, "--benchmark-disable")
    assert len(deaths(tmp_path)) == 2
    flag.unlink()
    _, mended = run(project, python, "--benchmark-disable", "--raq-fresh")
    assert broken["provenance"]["models"] != mended["provenance"]["models"]
    assert not [note for note in mended["notes"] if "SIGILL" in note]
    _, again = run(project, python, "--benchmark-disable")
    assert again["provenance"]["models"] == mended["provenance"]["models"]


def test_a_local_judge_is_started_without_and_says_so(killing, tiny_gguf):
    definition = define(
        tiny_gguf(context_length=4096),
        python=str(killing(batch=ONLY_WITH_EXTRA)),
        python_allowed=True,
        context_length=4096,
        max_tokens=400,
    )
    judge = make_judge(definition)
    try:
        judge.prepare()
        assert judge.note.startswith("llama.cpp was killed by SIGILL while it loaded the model")
        panel = Panel([PanelMember(judge, "")], min_share=0.5)
        assert panel.note.startswith("tiny: llama.cpp was killed by SIGILL")
    finally:
        judge.close()


@pytest.fixture
def small(tmp_path, monkeypatch):
    folder = tmp_path / "small"
    folder.mkdir()
    write_small_project(folder, "reader-llama", "reader-llama-f16.gguf")
    monkeypatch.chdir(folder)
    return folder


def test_a_ladder_is_climbed_without_and_says_so(small, killing, capsys):
    python = killing(batch=ONLY_WITH_EXTRA)
    text = (small / "models/reader.toml").read_text()
    (small / "models/reader.toml").write_text(f'python = "{python}"\n{text}')
    options = ("--suite", "small", "--to", "Q8_0", "--json", "l.json", "--allow-python")
    assert main(["ladder", "reader", *options]) == 0
    notes = json.loads((small / "l.json").read_text())["ladder"]["notes"]
    assert [note.partition(": llama.cpp was killed by SIGILL")[0] for note in notes] == [
        "reader F16", "reader Q8_0",
    ]  # fmt: skip
    assert "note: reader Q8_0: llama.cpp was killed by SIGILL" in capsys.readouterr().out


def test_an_engine_on_trial_is_started_without_and_says_so(small, killing, capsys):
    python = killing(batch=ONLY_WITH_EXTRA)
    options = ("--suite", "small", "--python", str(python), "--json", "t.json")
    assert main(["engine", *options]) in {0, 1}  # a faster kernel is not to be had
    notes = json.loads((small / "t.json").read_text())["notes"]
    assert [note.partition(": llama.cpp was killed")[0] for note in notes] == [
        "the engine on trial: reader"
    ]
    assert "note: the engine on trial: reader: llama.cpp was" in capsys.readouterr().out
