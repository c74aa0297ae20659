"""Results of promptfoo: what ``promptfoo eval --output`` writes as JSON or JSON Lines."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from pytest_raq.trials.logs.rows import (
    PASSAGES,
    QUESTIONS,
    Log,
    LogRow,
    output_text,
    plain_text,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_raq.trials.logs.rows import Node

REFERENCES = ("references", "reference", "answers", "answer", "expected", "ideal", "target")
"""Usual names of variables with the right answers."""
_TEXTUAL = frozenset(
    {
        "equals",
        "contains",
        "icontains",
        "contains-any",
        "icontains-any",
        "starts-with",
        "similar",
        "levenshtein",
        "rouge-n",
        "bleu",
        "meteor",
        "gleu",
        "factuality",
        "model-graded-factuality",
    }
)
"""Assertions whose value is a right answer."""
_VARIABLE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


def is_promptfoo(document: object) -> bool:
    """Whether a document has results of promptfoo."""
    if not isinstance(document, dict):
        return False
    results = document.get("results")
    if isinstance(results, dict):
        results = results.get("results")
    return isinstance(results, list) and all(map(is_result, results[:1]))


def is_result(values: object) -> bool:
    """Whether an object is one result of promptfoo."""
    return (
        isinstance(values, dict) and "provider" in values and bool({"vars", "testCase"} & {*values})
    )


def results_of(document: Node) -> list[Node]:
    """Return the results of a document."""
    inner = document.values.get("results")
    return (
        document.node("results").nodes("results")
        if isinstance(inner, dict)
        else document.nodes("results")
    )


def read_promptfoo(path: Path, results: Sequence[Node]) -> Log:
    """Return the answers of one evaluation.

    A question is a set of variables. A model is a provider, and a provider with a
    prompt where there are several prompts. Right answers come from the variables
    with a usual name, otherwise from assertions about texts.
    """
    labels = list(dict.fromkeys(_label(result) for result in results))
    rows: dict[tuple[str, str], LogRow] = {}
    repeated = 0
    for result in results:
        number = labels.index(_label(result)) + 1
        row = _row(result, f" (prompt {number})" if len(labels) > 1 else "")
        repeated += (row.id, row.model) in rows
        rows.setdefault((row.id, row.model), row)
    notes = []
    if len(labels) > 1:
        told = ", ".join(f"{number} {label[:60]!r}" for number, label in enumerate(labels, start=1))
        notes.append(f"{path} has {len(labels)} prompts: {told}")
    if repeated:
        notes.append(f"{path} repeats {repeated} tests: the first answer of each is ranked")
    return Log(tuple(rows.values()), tuple(notes))


def _label(result: Node) -> str:
    prompt = result.values.get("prompt")
    return result.node("prompt").text("label", "raw") if isinstance(prompt, dict) else str(prompt)


def _row(result: Node, prompt: str) -> LogRow:
    variables = result.node("vars")
    if not variables.values:
        variables = result.node("testCase").node("vars")
    return LogRow(
        place=result.place,
        task="",
        id=variables.text("id") or _id(variables),
        model=f"{_provider(result)}{prompt}",
        answer=_answer(result),
        references=_references(result, variables),
        question=variables.text(*QUESTIONS) or result.node("prompt").text("raw"),
        passage=variables.text(*PASSAGES),
    )


def _id(variables: Node) -> str:
    """Return an id that depends on the variables alone, not on the place of the test."""
    text = json.dumps(variables.values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _provider(result: Node) -> str:
    provider = result.values.get("provider")
    if isinstance(provider, str):
        return plain_text(result.place, provider)
    return result.node("provider").text("label", "id")


def _answer(result: Node) -> str | None:
    response = result.values.get("response")
    output = response.get("output") if isinstance(response, dict) else None
    text = output_text(result.place, output)
    return None if text is None else text.strip()


def _references(result: Node, variables: Node) -> tuple[str, ...]:
    for name in REFERENCES:
        value = variables.values.get(name)
        if found := texts(variables.place, value if isinstance(value, list) else [value]):
            return found
    return texts(result.place, _asserted(result.node("testCase"), variables))


def _asserted(test: Node, variables: Node) -> Iterator[str]:
    """Yield the values of assertions about texts, with variables filled in."""
    for assertion in test.nodes("assert"):
        if assertion.text("type") not in _TEXTUAL:
            continue
        value = assertion.values.get("value")
        for one in texts(assertion.place, value if isinstance(value, list) else [value]):
            if not one.startswith(("file://", "javascript:", "python:")):
                yield _VARIABLE.sub(lambda found: variables.text(found[1]) or found[0], one)
