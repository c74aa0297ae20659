"""A project with suites whose models answer from a script: what a user's folder looks like."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

# pytester forgets what was imported in a run; numpy cannot be imported twice.
import pandas as pd  # noqa: F401
import scikit_posthocs  # noqa: F401
import scipy.stats  # noqa: F401

import pytest_raq.plugin.state  # noqa: F401

if TYPE_CHECKING:
    import pytest

SUITES = Path(__file__).parent.parent / "suites"

CONFTEST = '''
import json
from pathlib import Path

import pytest

from pytest_raq.engines import ScriptedEngine
from pytest_raq.errors import EngineStartError
from pytest_raq.answering import engine_pool as pool

ROOT = Path(__file__).parent


def scripted(model, **_given):
    """Answer from replies.json: text by model and question; "right" unless it says otherwise."""
    replies = json.loads((ROOT / "replies.json").read_text(encoding="utf-8"))
    said = replies.get(model.file, replies.get(model.name, {}))
    with (ROOT / "loaded.txt").open("a") as log:
        log.write(model.name + "\\n")
    if said == "will not load":
        raise EngineStartError("the file is broken")

    def reply(prompt):
        with (ROOT / "asked.txt").open("a") as log:
            log.write(f"{model.name} {prompt.question_id}\\n")
        return said.get(prompt.question_id, f"right {prompt.question_id[1:]}")

    failures = {name: "scripted failure" for name, text in said.items() if text is None}
    return ScriptedEngine(reply, model=model.name, failures=failures)


def pytest_configure(config):
    config.raq_patch = pytest.MonkeyPatch()
    config.raq_patch.setattr(pool, "open_engine", scripted)


def pytest_unconfigure(config):
    config.raq_patch.undo()
'''

SUITE = """
default = true
models = ["first", "second"]
[dataset]
source = "small.json"
"""

MODEL = 'file = "{name}.gguf"\nprompt = "{{passage}} {{question}}"\n'


def squad(passages: int = 10, questions: int = 2) -> dict[str, object]:
    """Return a SQuAD document: question qN has the one reference "right N"."""
    paragraphs = [
        {
            "context": f"Passage number {passage}.",
            "qas": [
                {
                    "id": f"q{number}",
                    "question": f"What is right about {number}?",
                    "answers": [{"text": f"right {number}", "answer_start": 0}],
                }
                for number in range(passage * questions, (passage + 1) * questions)
            ],
        }
        for passage in range(passages)
    ]
    return {"version": "1.1", "data": [{"title": "Small", "paragraphs": paragraphs}]}


class Project:
    """A folder with two scripted models and a suite of twenty questions."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.root = pytester.path
        for folder in ("suites", "models"):
            (self.root / folder).mkdir()
        shutil.copy(SUITES / "test_suites.py", self.root / "suites")
        self.write("conftest.py", CONFTEST)
        self.write("suites/small.toml", SUITE)
        self.write("suites/small.json", json.dumps(squad()))
        for name in ("first", "second"):
            self.write(f"models/{name}.toml", MODEL.format(name=name))
            self.write(f"models/{name}.gguf", f"the weights of {name}")
        self.replies({})

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, encoding="utf-8")

    def replies(self, said: dict[str, object]) -> None:
        """Say what each model answers, by model or file name and question."""
        self.write("replies.json", json.dumps(said))

    def worse(self, model: str, count: int = 14) -> None:
        """Make a model wrong on ``count`` questions."""
        self.replies({model: {f"q{number}": "wrong" for number in range(count)}})

    def run(self, *options: str) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess("suites", "--raq-fresh", *options)

    def results(self, *options: str) -> dict[str, object]:
        self.run("--raq-json", "run.json", *options)
        return json.loads((self.root / "run.json").read_text(encoding="utf-8"))["suites"]["small"]

    def accept(self) -> None:
        result = self.run("--raq-update", "--raq-reason", "a test")
        assert result.ret == 0, result.outlines

    def asked(self) -> list[str]:
        """Return what the engines were asked since the last call."""
        path = self.root / "asked.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines
