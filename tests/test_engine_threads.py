from __future__ import annotations

import sys

import pytest

from pytest_raq.engines.llamacpp.worker_process import WorkerProcess
from pytest_raq.errors import EngineCrashError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "1000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, "None"),
    ],
)
def test_threads_of_a_worker_soon_sleep_unless_the_user_says_otherwise(
    tmp_path, monkeypatch, given, expected
):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\nimport os; print(os.environ.get('GOMP_SPINCOUNT'), flush=True)\n"
    )
    python.chmod(0o755)
    worker = WorkerProcess([str(python)])
    with pytest.raises(EngineCrashError, match=f"wrote '?{expected}'?, which is not a reply"):
        worker.receive(10)
    worker.close()
