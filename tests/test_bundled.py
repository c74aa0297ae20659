"""The bundled suite as a stranger runs it: real models under llama.cpp, the committed baseline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_raq.cli import main
from pytest_raq.config import load_model, load_suite

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "models"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of these tests: what one model answered in one of them is known to the next."""
    return tmp_path_factory.mktemp("store") / "store.db"


@pytest.fixture
def suite(store):
    """Run the bundled suite with a store of its own."""

    def run(*options, **settings):
        command = [sys.executable, "-m", "pytest", "suites", "-p", "no:cacheprovider"]
        command += ["-k", "not speed", "--raq-store", str(store), *options]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, **settings
        )

    return run


def test_every_definition_names_the_file_it_has(capsys):
    names = ["reader-gemma", "reader-llama", "reader-mistral"]
    assert main(["models", "verify", *names, "--folder", str(MODELS)]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{name}: fine" for name in names]


def test_every_other_definition_is_a_server_or_says_where_its_file_is(capsys):
    assert main(["models", "verify", "--folder", str(MODELS)]) == 0
    names = {path.stem for path in MODELS.glob("*.toml")}
    assert len(capsys.readouterr().out.splitlines()) == len(names)
    for name in names:
        model = load_model(MODELS, name)
        bundled = name.startswith("reader-")
        assert bundled or model.openai or (model.source and model.source.filename == model.file)


@pytest.mark.parametrize("name", ["squad", "squad-greedy"])
def test_a_suite_whose_models_are_not_pulled_says_the_command(suite, name):
    result = suite("--raq-suite", name, "--raq-models", "gemma-7b-it,mistral-7b-instruct")
    assert result.returncode != 0
    assert (
        f"suite {name}: 2 of 2 models have no file yet (gemma-7b-it, mistral-7b-instruct):"
        f" run raq models pull --suite {name}\n"
    ) in result.stdout
    assert "Traceback" not in result.stdout


def test_the_original_experiment_is_as_it_was_published():
    squad, greedy = (load_suite(ROOT / "suites", name) for name in ("squad", "squad-greedy"))
    assert (squad.default, squad.dataset.source, squad.dataset.sample) == (
        False, "rajpurkar/squad", 60,
    )  # fmt: skip
    assert squad.generation.model_dump(exclude_none=True) == {
        "context_length": 1024, "max_tokens": 2000, "temperature": 0.7, "seed": 0,
    }  # fmt: skip
    assert greedy.generation.temperature == 0
    assert (greedy.default, greedy.models) == (False, squad.models)


def test_the_committed_state_passes_twice_with_the_same_answers(suite, tmp_path):
    answers = []
    for name in ("one.json", "two.json"):
        path = tmp_path / name
        result = suite("--raq-fresh", "--raq-json", str(path))
        assert result.returncode == 0, result.stdout
        mini = json.loads(path.read_text(encoding="utf-8"))["suites"]["mini"]
        answers.append({name: item["answers"] for name, item in mini["questions"].items()})
    assert answers[0] == answers[1]
    verdicts = {name: verdict["verdict"] for name, verdict in mini["verdicts"].items()}
    assert verdicts == dict.fromkeys(
        ("reader-gemma", "reader-llama", "reader-mistral"), "unchanged"
    )
    figures = [model["exact_match"] for model in mini["models"].values()]
    assert max(figures) >= 0.9
    assert min(figures) >= 0.6
    for model in mini["models"].values():
        assert model["prefill_tokens_per_second"] > 0
        assert model["decode_tokens_per_second"] > 0
        assert 0 < model["time_to_first_token"] < 60


def test_an_earlier_checkpoint_fails_the_build_with_examples(suite):
    early = MODELS / "reader-llama-early-q8_0.gguf"
    result = suite("--raq-swap", f"reader-llama={early}")
    assert result.returncode == 1
    assert "REGRESSION reader-llama: answers worse than the accepted ones on " in result.stdout
    assert "net preference −" in result.stdout
    assert "    baseline   " in result.stdout
    assert "UNCHANGED (speed unchanged) reader-gemma: " in result.stdout
    assert "UNCHANGED (speed unchanged) reader-mistral: " in result.stdout


def test_eight_bits_do_not_cry_wolf(suite, tmp_path):
    target = tmp_path / "q8.gguf"
    full = MODELS / "reader-llama-f16.gguf"
    assert main(["quantize", str(full), "--to", "Q8_0", "--out", str(target)]) == 0
    result = suite("--raq-swap", f"reader-llama={target}")
    assert result.returncode == 0, result.stdout
    assert "reader-llama-f16.gguf (F16) → q8.gguf (Q8_0)" in result.stdout


def test_noise_in_the_weights_fails_the_build(suite, tmp_path):
    target = tmp_path / "damaged.gguf"
    script = MODELS / "damage.py"
    command = [sys.executable, str(script), str(MODELS / "reader-llama-f16.gguf"), str(target)]
    subprocess.run([*command, "--noise", "0.6"], check=True)
    result = suite("--raq-swap", f"reader-llama={target}")
    assert result.returncode == 1
    assert "REGRESSION reader-llama" in result.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"only a text", "GGUF"),
        (None, "llama.cpp cannot load the model"),
    ],
)
def test_a_broken_file_is_told_and_the_other_models_run(suite, tmp_path, content, message):
    broken = tmp_path / "broken.gguf"
    whole = (MODELS / "reader-gemma-q8_0.gguf").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2] if content is None else content)
    result = suite("--raq-swap", f"reader-gemma={broken}")
    assert result.returncode == 1
    assert "NOT MEASURED reader-gemma: none of 120 questions has an answer" in result.stdout
    assert message in result.stdout
    assert "UNCHANGED (speed unchanged) reader-llama: " in result.stdout
    assert "Traceback" not in result.stdout


def workers_of(pid):
    """Return the worker processes that a process started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid and b"worker/main.py" in command:
            found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc of Linux")
@pytest.mark.parametrize("victim", ["worker", "pytest"])
def test_a_kill_in_the_middle_costs_no_answer_and_leaves_no_orphans(tmp_path, victim):
    command = [sys.executable, "-m", "pytest", "suites", "-p", "no:cacheprovider"]
    command += ["-k", "llama and not speed"]  # beside other work a model may seem slower
    command += ["--raq-store", str(tmp_path / "store.db"), "--raq-models", "reader-llama"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (workers := workers_of(process.pid)):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(workers[0] if victim == "worker" else process.pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    if victim == "worker":
        # Another one is started; the verdict on 120 questions is that of a run without the kill.
        assert process.returncode == 0, output
        assert "NOT MEASURED" not in output
    while any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.02)
