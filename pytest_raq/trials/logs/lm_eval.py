"""Samples of lm-evaluation-harness, as ``--log_samples`` writes them."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import TYPE_CHECKING

from pytest_raq.errors import DatasetError
from pytest_raq.trials.logs.rows import PASSAGES, QUESTIONS, Log, LogRow, plain_text, texts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_raq.trials.logs.rows import Node

_NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT.+?)\.jsonl?(?:\.\w+)?")


def is_lm_eval(values: object) -> bool:
    """Whether an object is a sample of lm-evaluation-harness."""
    return isinstance(values, dict) and "doc_id" in values and "filtered_resps" in values


def read_lm_eval(path: Path, samples: Sequence[Node]) -> Log:
    """Return the answers of one task and one model.

    An answer is what the first filter of the task made of the reply. For a task of
    multiple choice it is the choice with the highest log-likelihood. The name of
    the model is in the file of results next to the samples, or it is the name of
    their folder.
    """
    task, model = _names(path)
    filters = list(dict.fromkeys(sample.text("filter") for sample in samples))
    kept = [sample for sample in samples if sample.text("filter") == filters[0]]
    notes = []
    if len(filters) > 1:
        told = f"{len(filters)} filters ({', '.join(filters)})"
        notes.append(f"{path} has the answers of {told}: those of {filters[0]} are ranked")
    return Log(tuple(_row(sample, task, model) for sample in kept), tuple(notes))


def _names(path: Path) -> tuple[str, str]:
    """Return the task and the model of a file of samples."""
    found = _NAME.fullmatch(path.name)
    if not found:
        return path.name.partition(".")[0], path.name.partition(".")[0]
    try:
        results = json.loads(path.with_name(f"results_{found['date']}.json").read_bytes())
        model = results["model_name"]
    except (OSError, ValueError, KeyError, TypeError):
        model = path.resolve().parent.name.replace("__", "/")
    return found["task"], model if isinstance(model, str) and model.isprintable() else ""


def _row(sample: Node, task: str, model: str) -> LogRow:
    prompts = _arguments(sample)
    replies = sample.values["filtered_resps"]
    if not isinstance(replies, list) or not replies:
        raise DatasetError(f"{sample.place}: filtered_resps: expected a list with a reply")
    doc = sample.node("doc")
    if _is_likelihood(replies[0]):
        answer, references = _choose(sample, replies, [pair[1] for pair in prompts])
    else:
        answer = _reply(sample.place, replies[0])
        references = texts(sample.place, _targets(sample.values.get("target")))
    return LogRow(
        place=sample.place,
        task=task,
        id=sample.text("doc_id"),
        model=model,
        answer=answer,
        references=references,
        question=doc.text(*QUESTIONS) or (prompts[0][0] if prompts else ""),
        passage=doc.text(*PASSAGES),
    )


def _arguments(sample: Node) -> list[tuple[str, str]]:
    """Return the prompt and the continuation of each request; both may be empty."""
    given = sample.values.get("arguments")
    requests = list(given.values()) if isinstance(given, dict) else given
    pairs = []
    for request in requests if isinstance(requests, list) else []:
        values = list(request.values()) if isinstance(request, dict) else request
        parts = [*values, "", ""] if isinstance(values, list) else ["", ""]
        pairs.append(tuple(part.strip() if isinstance(part, str) else "" for part in parts[:2]))
    return [(first, second) for first, second in pairs]


def _is_likelihood(reply: object) -> bool:
    """Whether a reply is a log-likelihood and whether it is the greedy one, not a text."""
    return isinstance(reply, list) and len(reply) == 2 and str(reply[1]) in ("True", "False")


def _reply(place: str, reply: object) -> str:
    """Return the text of a reply; the first one if the question was asked several times."""
    while isinstance(reply, list) and reply:
        reply = reply[0]
    if not isinstance(reply, str):
        raise DatasetError(
            f"{place}: filtered_resps: expected a text, or log-likelihoods of choices;"
            " give the samples of a task that generates or chooses"
        )
    return plain_text(place, reply.strip())


def _choose(sample: Node, replies: list[object], choices: list[str]) -> tuple[str, tuple[str, ...]]:
    """Return the choice with the highest log-likelihood, and the right one."""
    if len(set(choices)) < len(replies) or not all(choices):
        # The choices differ in the prompt, not in what follows it.
        choices = [str(number) for number in range(len(replies))]
    scores = [_number(sample, reply) for reply in replies]
    answer = choices[scores.index(max(scores))]
    right = [
        choices[int(text)] if text.isdecimal() and int(text) < len(choices) else text
        for text in map(str, _targets(sample.values.get("target")))
    ]
    return plain_text(sample.place, answer), texts(sample.place, right)


def _number(sample: Node, reply: object) -> float:
    try:
        assert isinstance(reply, list)
        value = float(reply[0])
    except (AssertionError, LookupError, TypeError, ValueError) as exc:
        raise DatasetError(
            f"{sample.place}: filtered_resps: expected a log-likelihood of each choice"
        ) from exc
    return -math.inf if math.isnan(value) else value


def _targets(target: object) -> list[object]:
    """Return the right answers; the harness writes a list as text, as Python would print it."""
    if isinstance(target, str) and target.startswith("[") and target.endswith("]"):
        try:
            target = ast.literal_eval(target)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return [target]
    return target if isinstance(target, list) else [target]
