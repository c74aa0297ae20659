"""SIGTERM in a run of several processes of pytest-xdist."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from openai_server import serving, stream

from pytest_raq.plugin import workers as workers_module
from pytest_raq.plugin.workers import EXCHANGE, Workers, enter_exchange
from pytest_raq.termination import Termination

ROOT = Path(__file__).parent.parent


def write_project(folder, url):
    """Write a suite of four questions and a model on a server."""
    for name in ("suites", "models"):
        (folder / name).mkdir()
    rows = [
        {"id": f"q{n}", "passage": f"passage {n}", "question": f"what is {n}?", "answers": ["x"]}
        for n in range(4)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "suites/few.jsonl").write_text(lines, encoding="utf-8")
    (folder / "suites/few.toml").write_text(
        'default = true\nmodels = ["remote"]\n[dataset]\nsource = "few.jsonl"\n'
        '[dataset.columns]\nreferences = "answers"\n'
    )
    (folder / "models/remote.toml").write_text(
        f'engine = "openai"\nparallel = 1\n[openai]\nbase_url = "{url}"\nmodel = "m"\n'
        "max_retries = 0\n"
    )
    shutil.copy(ROOT / "suites/test_suites.py", folder / "suites")


def test_sigterm_ends_the_workers_and_the_results_so_far_are_written(tmp_path):
    def reply(request):
        response = stream(["x"])
        if "what is 2" in str(request["messages"]):
            response.after = 60.0  # the run will be ended here
        return response

    with serving(reply) as server:
        write_project(tmp_path, server.url)
        command = [sys.executable, "-m", "pytest", "suites", "-n", "2", "--raq-json", "run.json"]
        process = subprocess.Popen(
            [*command, "-p", "no:cacheprovider", "-k", "not speed"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        end = time.monotonic() + 60
        while len(server.requests) < 3 and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGTERM)  # as `timeout` does: workers get two of them
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 143, printed
    assert "2 of 4 questions have no answer" in printed
    assert "interrupted: answers so far are kept; run the same command to continue" in printed
    models = json.loads((tmp_path / "run.json").read_text())["suites"]["few"]["models"]
    assert models["remote"]["exact_match"] == 1.0
    with pytest.raises(ProcessLookupError):  # the session has no process left
        os.killpg(process.pid, 0)


def node(number, **known):
    channel = SimpleNamespace(isclosed=lambda: False)
    return SimpleNamespace(workerinput={"workerid": f"gw{number}"}, channel=channel, **known)


def test_results_are_taken_once_and_a_worker_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(workers_module, "PATIENCE", 0.1)
    workers = Workers()
    try:
        assert workers.gather() == []  # no worker uses pytest-raq
        nodes = [node(0, workeroutput={"raq": {"a": 1}}), node(1), node(2, workeroutput={})]
        for each in nodes:
            workers.add(each)
        assert enter_exchange(nodes[0].workerinput) == workers.folder
        assert workers.gather() == [{"a": 1}]
        assert workers.output_of(nodes[0]) is None
        assert nodes[1].workerinput[EXCHANGE] == str(workers.folder)
    finally:
        workers.close()
    assert not workers.folder.exists()


def test_sigterm_kills_as_always_where_no_worker_uses_pytest_raq():
    code = (
        "import os, signal, time\nfrom pytest_raq.plugin.workers import Workers\n"
        "workers = Workers()\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(20)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGTERM


def test_a_second_sigterm_does_not_kill_a_worker():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        Termination(is_patient=True)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
