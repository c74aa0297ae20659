"""Find out what a source is, read it, draw the sample."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.datasets.hub import read_hub, read_saved
from pytest_raq.datasets.items import check_items
from pytest_raq.datasets.sampling import sample_questions
from pytest_raq.datasets.squad_json import read_squad_json
from pytest_raq.errors import DatasetError
from pytest_raq.records import QuestionSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_raq.config import DatasetSettings
    from pytest_raq.datasets.items import Item
    from pytest_raq.records import Question

READERS: Mapping[str, Callable[[Path], list[Item]]] = {".json": read_squad_json}
"""One reader a file format, by suffix."""

_OTHER_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
"""Suffixes that make a source a file although no reader knows them."""

_PATH_STARTS = ("/", "./", "../", "~", "\\", ".\\", "..\\")


def load_questions(settings: DatasetSettings, folder: Path) -> QuestionSet:
    """Return the sampled questions of a source.

    The source is a SQuAD JSON file or a folder made by ``save_to_disk``, where
    a relative path starts at ``folder``, else the id of a hub data set.
    ``total`` counts the questions of the whole source; a sample that is larger
    takes them all. DatasetError says in one line what is wrong and where.
    """
    questions, revision = _read(settings, folder)
    drawn = sample_questions(questions, settings.sample, settings.seed)
    return QuestionSet(
        questions=drawn,
        source=settings.source,
        fingerprint=fingerprint(drawn),
        revision=revision,
        total=len(questions),
    )


def fingerprint(questions: Iterable[Question]) -> str:
    """Return the SHA-256 of all that is asked and expected, in the order of ids.

    The title is left out: no model and no judge sees it.
    """
    rows = sorted(
        [item.id, item.passage, item.question, list(item.references), item.answerable]
        for item in questions
    )
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()


def _read(settings: DatasetSettings, folder: Path) -> tuple[list[Question], str]:
    """Return all questions and the revision of a hub data set."""
    path = _local_path(settings.source, folder)
    if path is None:
        items, revision = read_hub(settings, folder)
        return check_items(settings.source, items), revision
    items = read_saved(path, settings.split) if path.is_dir() else _read_file(path)
    return check_items(str(path), items), ""


def _local_path(source: str, folder: Path) -> Path | None:
    """Return the path that a source names; None when it can only be a hub id."""
    try:
        path = folder / Path(source).expanduser()
        exists = path.exists()
    except (OSError, RuntimeError, ValueError) as exc:
        raise DatasetError(f"{source!r}: is not a path: {exc}") from exc
    if exists:
        return path
    suffix = path.suffix.lower()
    if source.startswith(_PATH_STARTS) or suffix in (*READERS, *_OTHER_SUFFIXES):
        raise DatasetError(
            f"{path}: does not exist; a source is a file or a folder, relative to {folder},"
            " or a hub id"
        )
    return None


def _read_file(path: Path) -> list[Item]:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(
            f"{path}: {path.suffix or 'a file without suffix'} cannot be read;"
            f" a source is a SQuAD file ({', '.join(READERS)}),"
            " a folder made by save_to_disk, or a hub id"
        )
    return reader(path)
