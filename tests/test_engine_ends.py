"""No worker outlives its engine, or the process that started it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from gguf_files import define
from processes import is_alive, wait_for_death

from pytest_raq.engines.llamacpp import LlamaCppEngine
from pytest_raq.records import Prompt

FOREVER = {"context_length": 65_536, "max_tokens": 60_000}


@pytest.fixture
def endless(tiny_gguf):
    with LlamaCppEngine(define(tiny_gguf(recites=":ab:"), **FOREVER)) as engine:
        yield engine


def test_closing_ends_a_busy_worker_at_once(endless):
    outcomes = endless.answers([Prompt("q1", "q1:")])
    threading.Thread(target=lambda: list(outcomes), daemon=True).start()
    time.sleep(0.1)
    started = time.monotonic()
    endless._worker._process._process.stdin.close()
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
