"""Baselines as a run would accept them, made from answers without a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_raq.config import GateSettings
from pytest_raq.judging import ReferenceJudge
from pytest_raq.records import Baseline, BaselineQuestion
from pytest_raq.trials.external_answers import rank_answers
from pytest_raq.trials.external_answers_file import read_answers

if TYPE_CHECKING:
    from pathlib import Path


def row(number: int, model: str, answer: str, **changes: object) -> dict[str, object]:
    """Return a line of an answers file: question N has the reference "right N"."""
    return {
        "id": f"q{number}",
        "model": model,
        "answer": answer,
        "references": [f"right {number}"],
        "passage": f"passage {number // 5}",
        "question": f"What is right about {number}?",
    } | changes


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in rows)
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(wrong: dict[str, int], questions: int = 60) -> list[dict[str, object]]:
    """Return rows in which each model is wrong on the questions below its number."""
    return [
        row(number, model, "wrong" if number < count else f"right {number}")
        for number in range(questions)
        for model, count in wrong.items()
    ]


def make_baseline(folder: Path, wrong: dict[str, int], **changes: object) -> Baseline:
    """Return a baseline of models that are wrong on so many of twenty questions."""
    path = write_rows(folder / "made.jsonl", rows_of(wrong, questions=20))
    result = rank_answers(read_answers([path]), ReferenceJudge(), GateSettings())
    path.unlink()
    fields: dict[str, object] = {
        "suite": "small",
        "accepted_at": "2026-01-02T03:04:05Z",
        "reason": "first",
        "provenance": result.provenance,
        "models": result.models,
        "tests": result.tests,
        "speeds": {model: {"decode_tokens_per_second": (50.0, 51.0, 52.0)} for model in wrong},
        "questions": {
            item.question.id: BaselineQuestion(item.answers, item.ranks)
            for item in result.questions
        },
    }
    return Baseline(**(fields | changes))
