"""Ctrl-C in the middle of a run, as a terminal sends it, and SIGTERM, as CI systems send it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_raq.termination import Termination

UNSHOWN = "return self._rawentry.tb_lineno - 1"
"""Where pytest ends when Python 3.11 was interrupted at a place that has no line."""

ROOT = Path(__file__).parent.parent


def hear_interrupts():
    """Undo what a shell does to tests in the background: they are deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(tmp_path, *options):
    """Start the bundled suite in a process group of its own."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "suites",
        "-p",
        "no:cacheprovider",
        "-k",
        "not speed",
        # A signal may arrive inside a hook of another plugin.
        "-W",
        "ignore::pluggy.PluggyTeardownRaisedWarning",
    ]
    return subprocess.Popen(
        [*command, "--raq-store", str(tmp_path / "store.db"), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - no thread runs here
    )


def read_until(process, text):
    """Return what the process printed up to a text."""
    printed = ""
    while text not in printed:
        piece = os.read(process.stdout.fileno(), 4096).decode()
        assert piece, printed
        printed += piece
    return printed


def workers_of(group):
    """Return the workers that processes of a group started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            command = (entry / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        if parent == str(group) and b"worker/main.py" in command:
            found.append(entry.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc of Linux")
def test_ctrl_c_ends_with_a_summary_keeps_answers_and_leaves_no_worker(tmp_path):
    for _ in range(3):
        process = start(tmp_path)
        read_until(process, "[ 10%]")
        workers = workers_of(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
        if UNSHOWN not in printed:
            break
        (tmp_path / "store.db").unlink()
    assert process.returncode == 2, printed
    assert "relative answer quality" in printed
    assert "NOT MEASURED reader-mistral: none of 120 questions has an answer" in printed
    assert "interrupted: answers so far are kept; run the same command to continue" in printed
    assert workers
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc of Linux")
def test_ctrl_c_twice_kills(tmp_path):
    process = start(tmp_path)
    read_until(process, "[ 10%]")
    workers = workers_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    end = time.monotonic() + 10
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < end, "a worker outlived its parent"
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc of Linux")
def test_sigterm_ends_with_a_summary_and_results_and_leaves_no_worker(tmp_path):
    table, page = tmp_path / "run.json", tmp_path / "run.html"
    process = start(tmp_path, "--raq-json", str(table), "--raq-report", str(page))
    read_until(process, "[ 10%]")
    workers = workers_of(process.pid)
    process.terminate()
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 143, printed
    assert "NOT MEASURED reader-mistral: none of 120 questions has an answer" in printed
    assert "interrupted: answers so far are kept; run the same command to continue" in printed
    models = json.loads(table.read_text(encoding="utf-8"))["suites"]["mini"]["models"]
    assert models["reader-gemma"]["exact_match"] > 0.5
    assert "NOT MEASURED" in page.read_text(encoding="utf-8").upper()
    assert workers
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


TERMINATED = """
import os, signal, sys, time
from pytest_raq.cli import main, rank

def wait(options):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)
    finally:
        if "twice" in sys.argv:
            os.kill(os.getpid(), signal.SIGTERM)

rank._rank = wait
code = main(["rank", "answers.jsonl"])
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
sys.exit(code)
"""


@pytest.mark.parametrize(("times", "code"), [("once", 143), ("twice", -signal.SIGTERM)])
def test_a_command_ends_at_the_first_sigterm_and_a_second_one_kills(times, code):
    done = subprocess.run(
        [sys.executable, "-c", TERMINATED, times], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stderr == ("\nraq: interrupted\n" if code == 143 else "")


def test_sigterm_while_results_are_written_changes_only_the_exit_code():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        termination = Termination()
        termination.finish_first()
        os.kill(os.getpid(), signal.SIGTERM)
        assert termination.is_received
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert not Termination(is_on=False).is_received
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Termination().close()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
