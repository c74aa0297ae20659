"""Data sets in SQuAD's columns, from a hub or from a folder made by ``save_to_disk``."""

from __future__ import annotations

import importlib
import os
import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_raq.datasets.items import Item, derive_id, distinct
from pytest_raq.errors import DatasetError
from pytest_raq.records import UNANSWERABLE, Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from pytest_raq.config import DatasetSettings

_NEEDED = ("context", "question", "answers")
_OPTIONAL = ("id", "title", "is_impossible")
_BATCH = 1000
_REASON_LENGTH = 200
_UNKNOWN_SPLIT = re.compile(r'Unknown split "(.*)"\. Should be one of \[(.*)\]')
_COMMIT = re.compile(r"[0-9a-f]{40}")
_COMMIT_START = re.compile(r"[0-9a-f]{7,40}")


def read_saved(path: Path, split: str | None) -> list[Item]:
    """Return the questions of a folder made by ``save_to_disk``.

    DatasetError when it is no such folder, has no such split or other columns.
    """
    library = _library()
    try:
        with _quiet(library):
            loaded = library.load_from_disk(str(path))
    except Exception as exc:
        raise DatasetError(
            f"{path}: is a folder that save_to_disk did not make, or a damaged one: {_reason(exc)}"
        ) from exc
    return _items(str(path), _choose_split(str(path), loaded, split))


def read_hub(settings: DatasetSettings, folder: Path) -> tuple[list[Item], str]:
    """Return the questions of a hub data set and its commit, or the revision asked for.

    Where the hub is out of reach the local cache serves. ``folder`` is where
    the source was looked for as a file.
    """
    library = _library()
    source = settings.source
    try:
        with _quiet(library):
            loaded = library.load_dataset(
                source, settings.name, revision=settings.revision, split=settings.split
            )
    except Exception as exc:
        raise _told(settings, folder, exc) from exc
    rows = _choose_split(source, loaded, settings.split)
    return _items(source, rows), _commit(rows, settings)


def _library() -> ModuleType:
    # Read when huggingface_hub is imported: it reports its use otherwise.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library = importlib.import_module("datasets")
    except ImportError as exc:
        raise DatasetError(
            "data sets of a hub or made by save_to_disk need the datasets package:"
            " pip install 'pytest-raq[datasets]'"
        ) from exc
    if not hasattr(library, "load_from_disk"):
        place = library.__file__ or ", ".join(library.__path__)
        raise DatasetError(f"{place} hides the datasets package: rename it, or install datasets")
    return library


@contextmanager
def _quiet(library: ModuleType) -> Iterator[None]:
    """Keep progress bars and the warnings of the library out of a test run."""
    were_shown = not library.are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library.disable_progress_bars()
        try:
            yield
        finally:
            if were_shown:
                library.enable_progress_bars()


def _told(settings: DatasetSettings, folder: Path, exc: Exception) -> DatasetError:
    """Return the error of a hub in our words; the libraries raise many kinds."""
    source = settings.source
    unknown = _UNKNOWN_SPLIT.search(str(exc))
    if unknown:
        return _wrong_split(source, unknown[1], unknown[2].replace("'", ""))
    hub = f"{source}: is no file in {folder}, and as a hub id"
    if isinstance(exc, ConnectionError) or "offline" in type(exc).__name__.lower():
        return DatasetError(
            f"{hub} it is neither in the local cache nor can the hub be reached"
            f" ({_reason(exc)}); load it once with a network"
        )
    if type(exc).__name__ == "DatasetNotFoundError":
        return DatasetError(
            f"{hub} it was not found: {_reason(exc)} (a private one needs HF_TOKEN)"
        )
    return DatasetError(
        f"{hub} it could not be loaded: {_reason(exc)}"
        " (dataset.name, dataset.split and dataset.revision say which part)"
    )


def _reason(exc: Exception) -> str:
    text = " ".join(str(exc).split()) or type(exc).__name__
    return text if len(text) <= _REASON_LENGTH else f"{text[:_REASON_LENGTH]}…"


def _choose_split(source: str, loaded: Any, split: str | None) -> Any:  # noqa: ANN401 - an optional library's class
    """Return the rows of the split; a data set of one split needs no name."""
    if not isinstance(loaded, dict):
        return loaded
    names = list(loaded)
    if split is None and len(names) == 1:
        return loaded[names[0]]
    if split not in names:
        raise _wrong_split(source, split, ", ".join(names))
    return loaded[split]


def _wrong_split(source: str, split: str | None, names: str) -> DatasetError:
    wanted = "the split is missing" if split is None else f"has no split {split!r}"
    return DatasetError(f"{source}: {wanted}; set dataset.split to one of {names}")


def _commit(rows: Any, settings: DatasetSettings) -> str:  # noqa: ANN401 - an optional library's class
    """Return the commit that the rows come from, told by their place in the cache.

    Out of reach of the hub the library takes whatever commit is cached, also
    where another one is asked for: that is refused.
    """
    asked = settings.revision or ""
    places = [part for file in rows.cache_files for part in Path(file["filename"]).parts]
    commit = next(filter(_COMMIT.fullmatch, reversed(places)), "")
    if commit and _COMMIT_START.fullmatch(asked) and not commit.startswith(asked):
        raise DatasetError(
            f"{settings.source}: revision {asked} is neither in the local cache nor can the hub be"
            f" reached; the cache holds {commit}: load the other once with a network"
        )
    return commit or asked


def _items(source: str, rows: Any) -> list[Item]:  # noqa: ANN401 - an optional library's class
    columns = rows.column_names
    missing = [column for column in _NEEDED if column not in columns]
    if missing:
        raise DatasetError(
            f"{source}: has no column {missing[0]!r}; it has {', '.join(columns)},"
            f" and SQuAD's are id, title, {', '.join(_NEEDED)}"
        )
    wanted = [column for column in (*_NEEDED, *_OPTIONAL) if column in columns]
    plain = rows.select_columns(wanted).with_format(None)
    found: list[Item] = []
    for batch in plain.iter(batch_size=_BATCH):
        for values in zip(*(batch[column] for column in wanted), strict=True):
            place = f"row {len(found)}"
            row = dict(zip(wanted, values, strict=True))
            found.append(Item(place, _question(f"{source}: {place}", row)))
    return found


def _question(where: str, row: Mapping[str, Any]) -> Question:
    passage, asked = _text(where, row, "context"), _text(where, row, "question")
    # SQuAD 2.0 has no answers there; others write an empty one.
    references = () if row.get("is_impossible") else _references(where, row["answers"])
    name = row.get("id")
    return Question(
        id=derive_id(passage, asked) if name in (None, "") else str(name),
        title=str(row.get("title") or ""),
        passage=passage,
        question=asked,
        references=references or (UNANSWERABLE,),
        answerable=bool(references),
    )


def _text(where: str, row: Mapping[str, Any], column: str) -> str:
    value = row[column]
    if not isinstance(value, str) or not value.strip():
        raise DatasetError(f"{where}: {column}: expected a text, found {value!r:.40}")
    return value


def _references(where: str, answers: object) -> tuple[str, ...]:
    """Return the texts of SQuAD's answers: ``{text: [...]}`` or ``[{text: ...}, ...]``."""
    texts = answers.get("text") if isinstance(answers, dict) else answers
    if isinstance(texts, list):
        texts = [item.get("text") if isinstance(item, dict) else item for item in texts]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DatasetError(
            f"{where}: answers.text: expected a list of texts, found {answers!r:.40}"
        )
    return distinct(text for text in texts if text.strip())
