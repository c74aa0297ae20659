"""A project with one bundled reader and twelve of the bundled questions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
PASSAGES = 6


def write_small_project(folder: Path, reader: str, file: str) -> None:
    """Write a suite "small" of six passages with two questions each, and its model "reader"."""
    for name in ("suites", "models"):
        (folder / name).mkdir()
    document = json.loads((ROOT / "suites" / "mini.json").read_text(encoding="utf-8"))
    article = document["data"][0] | {
        "paragraphs": [
            paragraph | {"qas": paragraph["qas"][:2]}
            for article in document["data"]
            for paragraph in article["paragraphs"]
        ][:PASSAGES]
    }
    small = document | {"data": [article]}
    (folder / "suites" / "small.json").write_text(json.dumps(small), encoding="utf-8")
    (folder / "suites" / "small.toml").write_text(
        'models = ["reader"]\n[dataset]\nsource = "small.json"\n'
        "[gate]\nmargin = 0.5\nmax_slowdown = 1.0\n"  # so few questions rule out no smaller loss
    )
    definition = (ROOT / "models" / f"{reader}.toml").read_text()
    text = definition.replace(file, (ROOT / "models" / file).as_posix())
    text = text.replace("max_tokens = 32", "max_tokens = 12")
    (folder / "models" / "reader.toml").write_text(text)
    shutil.copy(ROOT / "suites" / "test_suites.py", folder / "suites")
