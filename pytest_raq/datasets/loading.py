"""Detects the kind of a source, reads it, applies the filter, draws the sample."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_raq.datasets.arrow_rows import hub_table, parquet_table, saved_table
from pytest_raq.datasets.compression import unpack
from pytest_raq.datasets.encodings import foreign_encoding
from pytest_raq.datasets.items import check_items, read_file
from pytest_raq.datasets.selection import filter_items, sample_questions
from pytest_raq.datasets.squad import read_json, squad_items
from pytest_raq.datasets.tables import QUESTION_STRATA, read_table
from pytest_raq.datasets.text_rows import csv_table, json_lines_table, json_list_table
from pytest_raq.errors import DatasetError
from pytest_raq.files import COMPRESSED, data_suffix
from pytest_raq.records import QuestionSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_raq.config import DatasetSettings
    from pytest_raq.datasets.items import Item
    from pytest_raq.datasets.tables import Table
    from pytest_raq.records import Question

SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
"""The suffixes of the files that can be read; text files may be compressed too."""

_TEXTS = frozenset(SUFFIXES) - {".parquet"}

_TABLES: Mapping[str, Callable[[Path, DatasetSettings], Table]] = {
    ".jsonl": lambda path, settings: json_lines_table(path, settings.encoding),
    ".ndjson": lambda path, settings: json_lines_table(path, settings.encoding),
    ".csv": lambda path, settings: csv_table(path, settings.delimiter, settings.encoding),
    ".tsv": lambda path, settings: csv_table(path, settings.delimiter, settings.encoding),
    ".parquet": lambda path, _: parquet_table(path),
}

_PATH_STARTS = ("/", "./", "../", "~", "\\", ".\\", "..\\")


def load_questions(settings: DatasetSettings, folder: Path) -> QuestionSet:
    """Return the sampled questions of a source.

    The source is a file with one of the SUFFIXES or a folder made by
    ``save_to_disk``, where a relative path starts at ``folder``, else the id
    of a hub data set. ``total`` counts the questions that pass the filter; a
    larger sample takes all of them. DatasetError says in one line what is
    wrong and where.
    """
    found = _read(settings, folder)
    items, repeated = check_items(found.source, found.items)
    kept = filter_items(found.source, items, settings.filter)
    drawn = _sample(kept, settings)
    return QuestionSet(
        questions=drawn,
        source=settings.source,
        fingerprint=fingerprint(drawn),
        revision=found.revision,
        total=len(kept),
        notes=(*found.notes, *_tell_repeated(settings.source, repeated)),
    )


def is_on_hub(settings: DatasetSettings, folder: Path) -> bool:
    """Whether a source can only be a hub id; raises DatasetError like `load_questions`."""
    return _local_path(settings.source, folder) is None


def guess_encoding(path: Path) -> tuple[str, str]:
    """Return the encoding that a text file looks like, and a word of it; empty for UTF-8.

    Raises DatasetError if the file cannot be read.
    """
    if not path.is_file() or data_suffix(path) not in _TEXTS:
        return "", ""
    return foreign_encoding(unpack(path, read_file(path)))


def _tell_repeated(source: str, repeated: int) -> Iterable[str]:
    if repeated:
        yield f"{source}: {repeated} rows repeat a question and are left out"


def _sample(items: list[Item], settings: DatasetSettings) -> tuple[Question, ...]:
    questions = [item.question for item in items]
    strata = None
    if settings.stratify is not None:
        strata = {item.question.id: _stratum(item, settings.stratify) for item in items}
    return sample_questions(questions, settings.sample, settings.seed, strata)


def _stratum(item: Item, by: str) -> str:
    return str(getattr(item.question, by)) if by in QUESTION_STRATA else item.stratum


def fingerprint(questions: Iterable[Question]) -> str:
    """Return the SHA-256 of all questions and references, in the order of ids.

    Title and group are not included: no model and no judge sees them.
    """
    rows = sorted(
        [item.id, item.passage, item.question, list(item.references), item.answerable]
        for item in questions
    )
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()


class _Source(NamedTuple):
    """All questions of a source, the revision of a hub data set, and notes on both."""

    source: str
    items: Iterable[Item]
    revision: str = ""
    notes: tuple[str, ...] = ()


def _read(settings: DatasetSettings, folder: Path) -> _Source:
    path = _local_path(settings.source, folder)
    if path is None:
        hub = hub_table(settings, folder)
        return _Source(settings.source, read_table(hub.table, settings), hub.revision, hub.notes)
    if path.is_dir():
        return _Source(str(path), read_table(saved_table(path, settings.split), settings))
    if data_suffix(path) == ".json":
        return _Source(str(path), _read_json(path, settings))
    return _Source(str(path), read_table(_open_table(path, settings), settings))


def _local_path(source: str, folder: Path) -> Path | None:
    """Return the path that a source names; None if it can only be a hub id."""
    try:
        path = folder / Path(source).expanduser()
        exists = path.exists()
    except (OSError, RuntimeError, ValueError) as exc:
        raise DatasetError(f"{source!r}: is not a path: {exc}") from exc
    if exists:
        return path
    if source.startswith(_PATH_STARTS) or data_suffix(path) in SUFFIXES:
        raise DatasetError(
            f"{path}: does not exist; a source is a file or a folder, relative to {folder},"
            " or a hub id"
        )
    return None


def _open_table(path: Path, settings: DatasetSettings) -> Table:
    suffix = data_suffix(path)
    make = _TABLES.get(suffix)
    if make is None:
        raise DatasetError(
            f"{path}: {path.suffix or 'a file without suffix'} cannot be read;"
            f" a source is a file ({', '.join(SUFFIXES)}, text files also with"
            f" {', '.join(COMPRESSED)}), a folder made by save_to_disk, or a hub id"
        )
    if suffix == ".parquet" and path.suffix.lower() in COMPRESSED:
        raise DatasetError(f"{path}: Parquet files are compressed inside already; unpack this one")
    return make(path, settings)


def _read_json(path: Path, settings: DatasetSettings) -> Iterable[Item]:
    """Return the questions of a SQuAD document, or of a list of objects."""
    document = read_json(path, settings.encoding)
    if isinstance(document, list):
        return read_table(json_list_table(path, document), settings)
    changed = settings.columns.model_fields_set or settings.filter.columns
    if changed or settings.stratify not in (None, *QUESTION_STRATA):
        raise DatasetError(
            f"{path}: has the layout of SQuAD, which has no columns; dataset.columns,"
            " dataset.filter.columns and dataset.stratify by a column work only for files with"
            " rows"
        )
    return squad_items(path, document, settings.no_answer_references)
