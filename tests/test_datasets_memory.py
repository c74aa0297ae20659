from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from parquet_files import write_parquet

MEASURE = """
import sys
from pathlib import Path
from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import load_questions
found = load_questions(DatasetSettings(source=sys.argv[1], sample=60), Path("."))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(found.total, len(found), int(status["VmHWM"].split()[0]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_a_large_parquet_file_needs_little_memory(tmp_path):
    passages = [f"Passage {n}. " + "many words " * 60 for n in range(5000)]
    rows = [
        {"id": str(n), "context": passages[n // 4], "question": f"What is {n}?", "answer": "x"}
        for n in range(20_000)
    ]
    path = write_parquet(tmp_path, rows)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    total, asked, megabytes = map(int, done.stdout.split())
    assert (total, asked) == (20_000, 60)
    assert megabytes < 300
