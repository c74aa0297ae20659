"""Logs of inspect_ai: JSON, and the archives that end with ``.eval``."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import TYPE_CHECKING

from pytest_raq.datasets.compression import most_unpacked
from pytest_raq.errors import DatasetError
from pytest_raq.trials.logs.rows import (
    PASSAGES,
    Log,
    LogRow,
    Node,
    as_node,
    content_text,
    plain_text,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"PK\x03\x04"
"""The first bytes of an archive."""
_ATTACHMENT = "attachment://"


def is_inspect(document: object) -> bool:
    """Whether a document is a log of inspect_ai."""
    return isinstance(document, dict) and isinstance(document.get("eval"), dict)


def read_inspect(path: Path, document: Node) -> Log:
    """Return the answers of a log in JSON."""
    return _log(path, document, iter(document.nodes("samples")))


def read_archive(path: Path, content: bytes) -> Log:
    """Return the answers of a log in an archive; its samples are read one by one."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            start = "header.json" if "header.json" in names else "_journal/start.json"
            header = _member(path, archive, start)
            samples = (
                _member(path, archive, name)
                for name in sorted(names, key=_natural)
                if name.startswith("samples/") and name.endswith(".json")
            )
            return _log(path, header, samples)
    except (zipfile.BadZipFile, KeyError, EOFError, OSError, zlib.error, RuntimeError) as exc:
        reason = " ".join(str(exc).split())[:200]
        raise DatasetError(
            f"{path}: is not a log of inspect_ai, or it is damaged: {reason}; try its JSON:"
            f" inspect log convert {path.name} --to json --output-dir ."
        ) from exc


def _natural(name: str) -> tuple[int, str]:
    return len(name), name


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> Node:
    """Return an object of the archive; NotImplementedError for an unknown compression."""
    info = archive.getinfo(name)
    if info.file_size > most_unpacked(info.compress_size):
        raise DatasetError(
            f"{path}: {name} unpacks to {info.file_size:,} bytes, which could fill the memory;"
            " remove that sample from the log"
        )
    try:
        return as_node(f"{path}: {name}", json.loads(archive.read(info)))
    except (ValueError, RecursionError) as exc:
        raise DatasetError(f"{path}: {name}: is not JSON: {exc}; get the file again") from exc


def _log(path: Path, header: Node, samples: Iterator[Node]) -> Log:
    described = header.node("eval")
    task, model = described.text("task"), described.text("model")
    rows: dict[str, LogRow] = {}
    repeated = 0
    for sample in samples:
        row = _row(sample, task, model)
        repeated += row.id in rows
        rows.setdefault(row.id, row)
    status = header.text("status")
    notes = []
    if status not in ("", "success"):
        notes.append(f"{path}: that run has the status {status!r}, so answers may be missing")
    if repeated:
        notes.append(f"{path} has several epochs: the answers of the first one are ranked")
    return Log(tuple(rows.values()), tuple(notes))


def _row(sample: Node, task: str, model: str) -> LogRow:
    target = sample.values.get("target")
    return LogRow(
        place=sample.place,
        task=task,
        id=sample.text("id"),
        model=model,
        answer=_answer(sample),
        references=texts(sample.place, target if isinstance(target, list) else [target]),
        question=_question(sample),
        passage=sample.node("metadata").text(*PASSAGES),
    )


def _answer(sample: Node) -> str | None:
    """Return the text of the last message of the model, without its reasoning."""
    output = sample.node("output")
    choices = output.nodes("choices")
    if not choices:
        completion = output.text("completion")
        return completion.strip() or None
    text = content_text(sample.place, choices[0].node("message").values.get("content"))
    if sample.values.get("error") and not text:
        return None
    return _attached(sample, text).strip()


def _question(sample: Node) -> str:
    asked = sample.values.get("input")
    if isinstance(asked, list):
        users = [one for one in asked if isinstance(one, dict) and one.get("role") == "user"]
        asked = users[-1].get("content") if users else ""
    return _attached(sample, content_text(sample.place, asked))


def _attached(sample: Node, text: str) -> str:
    """Return a text, or the long one that is kept apart from the messages under its name."""
    if not text.startswith(_ATTACHMENT):
        return text
    found = sample.node("attachments").text(text.removeprefix(_ATTACHMENT))
    return plain_text(sample.place, found or text)
