from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from gguf_files import define

from pytest_raq.engines.llamacpp import LlamaCppEngine, engine
from pytest_raq.errors import EngineStartError
from pytest_raq.records import Answer, Failure, Prompt

FOREVER = {"context_length": 65_536, "max_tokens": 60_000}
LOADED = '{"type":"loaded","build":"1","quantization":"","parameters":1,"chat_template_sha256":""}'


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that waits for its parent to look is dead."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def wait_for_death(pid: int, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < deadline, f"worker {pid} still lives"
        time.sleep(0.02)


def signal_soon(pid: int, number: int, seconds: float = 0.2) -> None:
    timer = threading.Timer(seconds, os.kill, (pid, number))
    timer.daemon = True
    timer.start()


def prompts(*question_ids: str) -> list[Prompt]:
    return [Prompt(name, f"{name}:") for name in question_ids]


def fake_python(tmp_path: Path, body: str) -> Path:
    """Write an interpreter that ignores the worker and does ``body`` instead."""
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def endless(tiny_gguf):
    with LlamaCppEngine(define(tiny_gguf(recites=":ab:"), **FOREVER)) as engine:
        yield engine


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (signal.SIGKILL, "was killed by SIGKILL (was memory short?)"),
        (signal.SIGABRT, "was killed by SIGABRT"),
        (signal.SIGSEGV, "was killed by SIGSEGV"),
    ],
)
def test_a_killed_worker_fails_its_question_and_all_later_ones(endless, number, told):
    signal_soon(endless.worker_pid, number)
    first, second = endless.answers(prompts("q1", "q2"))
    (third,) = endless.answers(prompts("q3"))
    assert (first.question_id, first.model) == ("q1", "tiny")
    assert first.reason == f"the llama.cpp worker {told} at question 'q1'; it logged nothing"
    later = f"not asked, because the llama.cpp worker {told} at question 'q1'"
    assert (second.question_id, second.reason) == ("q2", later)
    assert (third.question_id, third.reason) == ("q3", later)


def test_a_worker_killed_between_questions(tiny_gguf):
    with LlamaCppEngine(define(tiny_gguf(), max_tokens=1)) as engine:
        outcomes = engine.answers(prompts("q1", "q2"))
        assert isinstance(next(outcomes), Answer)
        os.kill(engine.worker_pid, signal.SIGKILL)
        assert "SIGKILL" in next(outcomes).reason


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_hung_worker_is_killed_after_the_timeout(tiny_gguf, size):
    with LlamaCppEngine(define(tiny_gguf(), timeout=0.5)) as engine:
        os.kill(engine.worker_pid, signal.SIGSTOP)
        started = time.monotonic()
        (outcome,) = engine.answers([Prompt("q1", "x" * size)])
        assert time.monotonic() - started < 6
        assert "gave no sign of life for 0.5 s (timeout) at question 'q1'" in outcome.reason
        wait_for_death(engine.worker_pid)


def test_a_slow_worker_is_not_taken_for_a_hung_one(tiny_gguf, tmp_path):
    body = f"""
        import time
        input(); print('''{LOADED}''', flush=True)
        input()
        for _ in range(15):
            time.sleep(0.1); print('{{"type":"alive"}}', flush=True)
        print('{{"type":"error","request":1,"reason":"no idea"}}', flush=True)
        input()
    """
    with LlamaCppEngine(define(tiny_gguf(), timeout=1.0), fake_python(tmp_path, body)) as engine:
        assert list(engine.answers(prompts("q1"))) == [Failure("q1", "tiny", "no idea")]


def test_an_interrupted_question_does_not_answer_the_next(tiny_gguf):
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    definition = define(tiny_gguf(recites=":ab:"), context_length=4096, max_tokens=1500)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with LlamaCppEngine(definition) as engine:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(KeyboardInterrupt):
                list(engine.answers(prompts("q1")))
            (outcome,) = engine.answers([Prompt("q2", "x" * 20 + ":")])
    finally:
        signal.signal(signal.SIGALRM, before)
    assert outcome.question_id == "q2"
    assert outcome.timing.prompt_tokens == 22


@pytest.mark.parametrize(
    ("garbage", "told"),
    [
        ("hello \x1b[31mred\x1b[0m", "wrote 'hello red', which is no reply"),
        ("[1]", "wrote '[1]', which is no reply"),
        ("[" * 100_000, "which is no reply"),
        ('{"type":"answer"}', "wrote an incomplete reply ({'type': 'answer'})"),
        ('{"type":"answer","request":1,"text":"x"}', "wrote an incomplete reply"),
        (
            '{"type":"answer","request":1,"text":"x","finish_reason":"stop","timing":7}',
            "wrote an incomplete reply",
        ),
    ],
)
def test_garbage_on_the_pipe_is_told(tiny_gguf, tmp_path, garbage, told):
    body = f"""
        input(); print('''{LOADED}''', flush=True)
        input(); print({garbage!r}, flush=True)
        input()
    """
    with LlamaCppEngine(define(tiny_gguf()), fake_python(tmp_path, body)) as engine:
        first, second = engine.answers(prompts("q1", "q2"))
    assert told in first.reason
    assert "\x1b" not in first.reason
    assert second.reason.startswith("not asked, because the llama.cpp worker wrote")


def test_the_last_log_line_is_quoted_without_control_characters(tiny_gguf, tmp_path):
    body = f"""
        import sys
        input(); print('''{LOADED}''', flush=True)
        input(); print("a line\\n\\x1b[1mGGML_ASSERT(\\x07x) failed\\n\\n", file=sys.stderr)
        sys.exit(3)
    """
    with LlamaCppEngine(define(tiny_gguf()), fake_python(tmp_path, body)) as engine:
        (outcome,) = engine.answers(prompts("q1"))
    assert outcome.reason == (
        "the llama.cpp worker ended with exit code 3 at question 'q1'; "
        "it logged last: GGML_ASSERT( x) failed"
    )


def test_a_worker_that_dies_while_loading(tiny_gguf, tmp_path):
    body = "import os, sys; print('out of luck', file=sys.stderr, flush=True); os.abort()"
    path = tiny_gguf()
    with pytest.raises(EngineStartError) as caught:
        LlamaCppEngine(define(path), fake_python(tmp_path, body))
    assert str(caught.value) == (
        f"{path}: the llama.cpp worker was killed by SIGABRT while it loaded the model "
        "(out of luck): check the file, and the memory at hand"
    )


def test_a_worker_that_hangs_while_loading(tiny_gguf, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_START_SILENCE", 0.3)
    with pytest.raises(EngineStartError, match=r"gave no sign of life for 0\.3 s"):
        LlamaCppEngine(define(tiny_gguf(), timeout=0.1), fake_python(tmp_path, "input(); input()"))


def test_an_environment_without_llama_cpp(tiny_gguf, tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    with pytest.raises(EngineStartError) as caught:
        LlamaCppEngine(define(tiny_gguf()), python)
    assert str(caught.value).startswith("llama.cpp cannot be imported (")
    assert str(caught.value).endswith(
        "No module named 'llama_cpp'): pip install 'pytest-raq[llama]'"
    )


def test_an_interpreter_that_does_not_exist(tiny_gguf, tmp_path):
    with pytest.raises(EngineStartError) as caught:
        LlamaCppEngine(define(tiny_gguf()), tmp_path / "nowhere")
    assert str(caught.value) == (
        f"{tmp_path}/nowhere cannot be started: No such file or directory: "
        "name the python of an environment with llama-cpp-python"
    )


def test_closing_ends_a_busy_worker_at_once(endless):
    outcomes = endless.answers(prompts("q1"))
    threading.Thread(target=lambda: list(outcomes), daemon=True).start()
    time.sleep(0.1)
    started = time.monotonic()
    endless._worker._process.stdin.close()
    wait_for_death(endless.worker_pid)
    assert time.monotonic() - started < 2


def test_an_engine_that_is_forgotten_leaves_no_worker(tiny_gguf):
    engine = LlamaCppEngine(define(tiny_gguf()))
    pid = engine.worker_pid
    assert is_alive(pid)
    del engine
    gc.collect()
    wait_for_death(pid)


OWNER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from gguf_files import define
from pytest_raq.engines.llamacpp import LlamaCppEngine
from pytest_raq.records import Prompt
engine = LlamaCppEngine(define(Path({gguf!r}), context_length=65536, max_tokens=60000))
print(engine.worker_pid, flush=True)
{then}
"""


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("busy", [False, True])
def test_a_killed_parent_leaves_no_worker(tiny_gguf, busy, stopped):
    then = "list(engine.answers([Prompt('q', 'x:')]))" if busy else "time.sleep(60)"
    code = OWNER.format(
        tests=str(Path(__file__).parent), gguf=str(tiny_gguf(recites=":ab:")), then=then
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as owner:
        pid = int(owner.stdout.readline())
        time.sleep(0.1)
        if stopped:
            os.kill(pid, signal.SIGSTOP)
        owner.kill()
    wait_for_death(pid)


def test_a_parent_that_ends_without_closing_leaves_no_worker_and_no_noise(tiny_gguf):
    code = OWNER.format(tests=str(Path(__file__).parent), gguf=str(tiny_gguf()), then="")
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr == ""
    wait_for_death(int(done.stdout))
