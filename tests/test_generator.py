"""The generator of the bundled questions: honest references, an honest split."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_raq.config import DatasetSettings
from pytest_raq.datasets import load_questions

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "models"


@pytest.fixture(scope="module")
def generate():
    sys.path.insert(0, str(MODELS))
    import generate

    yield generate
    sys.path.remove(str(MODELS))


def test_references_stand_where_they_say(generate):
    for seed in range(20):
        document = generate.squad(generate.Generator(seed, held_out=True), "t", 20, 5)
        for article in document["data"]:
            for paragraph in article["paragraphs"]:
                for qa in paragraph["qas"]:
                    for answer in qa["answers"]:
                        start = answer["answer_start"]
                        end = start + len(answer["text"])
                        assert paragraph["context"][start:end] == answer["text"]
                        around = f" {paragraph['context']} "[start : end + 2]
                        assert not (around[0].isalnum() or around[-1].isalnum())


def test_names_and_numbers_of_the_evaluation_are_in_no_training_passage(generate):
    def values(*, held_out):
        found = set()
        for seed in range(300):
            generator = generate.Generator(seed, held_out=held_out)
            found |= {generator.value(kind) for kind in ("place", "year", "count")}
        return found

    trained, held_out = values(held_out=False), values(held_out=True)
    assert len(held_out) > 200
    assert not trained & held_out
    assert all(map(generate.is_held_out, held_out))


def test_a_seed_makes_the_same_passages(generate):
    first, again = (generate.Generator(5, held_out=False) for _ in range(2))
    assert [first.passage(2, 4) for _ in range(5)] == [again.passage(2, 4) for _ in range(5)]


def test_passages_have_distractors_of_the_same_type(generate):
    passage, items = generate.Generator(3, held_out=True, alike=1.0).passage(2, 5)
    assert len({item.question.split()[0] for item in items}) < len(items)
    assert len(items) == 10
    assert passage.count(".") == 10


def test_the_committed_questions_are_those_of_the_command(tmp_path):
    path = tmp_path / "mini.json"
    command = [sys.executable, str(MODELS / "generate.py"), "--suite", str(path)]
    subprocess.run(command, check=True)
    assert path.read_text() == (ROOT / "suites/mini.json").read_text()


def test_the_committed_questions_are_enough():
    settings = DatasetSettings(source="mini.json")
    questions = load_questions(settings, ROOT / "suites").questions
    assert len(questions) == 120
    assert len({question.cluster for question in questions}) == 40
    assert any(len(question.references) > 1 for question in questions)
