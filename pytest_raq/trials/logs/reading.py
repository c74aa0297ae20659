"""Finds which tool wrote a file, and reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_raq.datasets.compression import unpack
from pytest_raq.datasets.encodings import to_utf8
from pytest_raq.datasets.items import without_mark
from pytest_raq.errors import DatasetError
from pytest_raq.trials.logs import AUTO, INSPECT, LM_EVAL, PROMPTFOO, RAQ
from pytest_raq.trials.logs.inspect_ai import MAGIC, is_inspect, read_archive, read_inspect
from pytest_raq.trials.logs.lm_eval import is_lm_eval, read_lm_eval
from pytest_raq.trials.logs.promptfoo import (
    is_promptfoo,
    is_result,
    read_promptfoo,
    results_of,
)
from pytest_raq.trials.logs.rows import Node, nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_raq.trials.logs.rows import Log

_TOLD = {
    LM_EVAL: "samples of lm-evaluation-harness (--log_samples)",
    INSPECT: "a log of inspect_ai",
    PROMPTFOO: "results of promptfoo",
}


def read_log(path: Path, content: bytes, kind: str) -> Log | bytes:
    """Return the log of another tool, or the text of our own format, as UTF-8.

    ``kind`` is one of FORMATS; ``auto`` decides by the content. DatasetError when
    the file is damaged, is not of that kind, or has no answers.
    """
    log = _read(path, content, kind)
    if isinstance(log, bytes):
        if kind in _TOLD:
            raise DatasetError(
                f"{path}: is not {_TOLD[kind]}; remove --format {kind}, or give another file"
            )
        return log
    if all(row.answer is None for row in log.rows):
        raise DatasetError(f"{path}: has no answers; give the log of a run that has samples")
    for row in log.rows:
        if not row.id:
            raise DatasetError(f"{row.place}: has no id; get the file again")
    return log


def _read(path: Path, content: bytes, kind: str) -> Log | bytes:
    raw = unpack(path, content)
    if raw.startswith(MAGIC) and kind in (AUTO, INSPECT):
        return read_archive(path, raw)
    raw = to_utf8(path, raw, None, has_key=False)
    if kind == RAQ:
        return raw
    for tool, log in _logs(path, _document(raw)):
        if kind in (AUTO, tool):
            return log()
    return raw


def _logs(path: Path, document: object) -> Iterator[tuple[str, Callable[[], Log]]]:
    """Yield the tools whose log a document seems to be, each with its reader."""
    place = str(path)
    if isinstance(document, list):
        if is_lm_eval(document[0]):
            yield LM_EVAL, lambda: read_lm_eval(path, nodes(place, document))
        if is_result(document[0]):
            yield PROMPTFOO, lambda: read_promptfoo(path, nodes(place, document))
    elif isinstance(document, dict):
        if is_inspect(document):
            yield INSPECT, lambda: read_inspect(path, Node(place, document))
        if is_promptfoo(document):
            yield PROMPTFOO, lambda: read_promptfoo(path, results_of(Node(place, document)))


def _document(raw: bytes) -> object:
    """Return the document of a log, the objects of its lines as a list; None for our own format.

    Our own format is known by its first line, so a large file of it is not read twice.
    """
    raw = without_mark(raw).strip()
    line, _, rest = raw.partition(b"\n")
    first = _parse(line)
    if isinstance(first, dict) and rest.strip():
        if not (is_lm_eval(first) or is_result(first)):
            return None
        lines = [_parse(part) for part in rest.split(b"\n") if part.strip()]
        return [first, *lines] if all(isinstance(one, dict) for one in lines) else None
    document = first if first is not None and not rest else _parse(raw)
    if isinstance(document, list):
        return document or None
    return [document] if is_lm_eval(document) or is_result(document) else document


def _parse(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
