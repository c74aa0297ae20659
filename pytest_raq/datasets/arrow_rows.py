"""Rows of Parquet and Arrow files, and of data sets of a hub."""

from __future__ import annotations

import importlib
import logging
import os
import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_raq.datasets.tables import Table, look_up, refuse_repeated
from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import ModuleType

    from pytest_raq.config import DatasetSettings
    from pytest_raq.datasets.tables import Row


BATCH = 128
"""Number of rows that exist as Python objects at the same time."""

_MOST_PARQUET_ROWS = 1_000_000
_MOST_PARQUET_LETTERS = 500_000_000
"""Compressed, a file of 1 MB can hold all this and far more."""

_REASON_LENGTH = 200
_HUB_SECONDS = 10.0
"""Seconds that the hub may take to name the commit of a revision."""
_UNKNOWN_SPLIT = re.compile(r'Unknown split "(.*)"\. Should be one of \[(.*)\]')
_COMMIT = re.compile(r"[0-9a-f]{40}")
_COMMIT_START = re.compile(r"[0-9a-f]{7,40}")


def parquet_table(path: Path) -> Table:
    """Return the rows of a Parquet file; raise DatasetError if it cannot be read."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as exc:
        raise DatasetError(
            f"{path}: Parquet files need the datasets extra: pip install 'pytest-raq[datasets]'"
        ) from exc
    try:
        file = parquet.ParquetFile(path)
        schema = file.schema_arrow
        rows = int(file.metadata.num_rows)
    except Exception as exc:
        raise _damaged(path, exc) from exc
    if rows > _MOST_PARQUET_ROWS:
        raise DatasetError(
            f"{path}: has {rows:,} rows, more than {_MOST_PARQUET_ROWS:,}: keep only the questions"
            " that you ask"
        )

    def batches(wanted: Sequence[str]) -> Iterator[Any]:
        try:
            yield from file.iter_batches(batch_size=BATCH, columns=roots(schema.names, wanted))
        except DatasetError:
            raise
        except Exception as exc:
            raise _damaged(path, exc) from exc

    return arrow_table(str(path), schema, batches, most_letters=_MOST_PARQUET_LETTERS)


def _damaged(path: Path, exc: Exception) -> DatasetError:
    reason = " ".join(str(exc).split())[:200]
    return DatasetError(f"{path}: is not a Parquet file, or it is damaged: {reason}")


def arrow_table(
    source: str,
    schema: Any,  # noqa: ANN401 - an optional library's class
    batches: Callable[[Sequence[str]], Iterable[Any]],
    *,
    most_letters: int | None = None,
) -> Table:
    """Return rows from record batches, with the requested columns.

    Reading them raises DatasetError if their texts have more than ``most_letters``.
    """

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        number = letters = 0
        for batch in batches(wanted):
            for values in zip(*(_values(batch, column) for column in wanted), strict=True):
                letters += sum(map(_letters, values))
                if most_letters is not None and letters > most_letters:
                    raise DatasetError(
                        f"{source}: has more than {most_letters:,} letters of text: keep only the"
                        " questions that you ask"
                    )
                yield f"row {number}", values
                number += 1

    refuse_repeated(source, schema.names)
    return Table(source, tuple(_names(schema)), rows)


def roots(names: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """Return the columns of a schema that contain the requested columns."""
    return list(dict.fromkeys(_root(names, column) for column in wanted))


def _root(names: Sequence[str], column: str) -> str:
    return column if column in names else column.partition(".")[0]


def _values(batch: Any, column: str) -> list[Any]:  # noqa: ANN401 - an optional library's class
    root = _root(batch.schema.names, column)
    values: list[Any] = batch.column(root).to_pylist()
    return values if root == column else [look_up({root: value}, column) for value in values]


def _letters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_letters, value.values()))
    return sum(map(_letters, value)) if isinstance(value, list) else 0


def _names(fields: Iterable[Any]) -> Iterator[str]:
    """Yield the names of columns, with dots for objects inside them or inside their lists."""
    for field in fields:
        yield field.name
        kind = field.type
        while hasattr(kind, "value_type"):  # a list, or a dictionary of repeated values
            kind = kind.value_type
        if hasattr(kind, "fields"):
            yield from (f"{field.name}.{name}" for name in _names(kind.fields))


class HubTable(NamedTuple):
    """Rows of a hub data set, their commit, and notes for the reader."""

    table: Table
    revision: str
    notes: tuple[str, ...]


def saved_table(path: Path, split: str | None) -> Table:
    """Return the rows of a folder made by ``save_to_disk``.

    Raises DatasetError if it is not such a folder or has no such split.
    """
    library = _library()
    try:
        with _quiet(library):
            loaded = library.load_from_disk(str(path))
    except Exception as exc:
        raise DatasetError(
            f"{path}: is not a folder made by save_to_disk, or it is damaged: {_reason(exc)}"
        ) from exc
    return _table(str(path), _choose_split(str(path), loaded, split))


def hub_table(settings: DatasetSettings, folder: Path) -> HubTable:
    """Return the rows of a hub data set and their commit.

    A branch is resolved to its commit before anything is loaded. If the hub
    does not answer, the local cache is used, and a note reports it. ``folder`` is
    the folder where the source was searched as a file.
    """
    library = _library()
    source = settings.source
    with _quiet(library):
        newest, problem, is_out_of_reach = _ask_hub(settings)
    try:
        with _quiet(library), _offline(library, wanted=is_out_of_reach):
            loaded = library.load_dataset(
                source,
                settings.name,
                revision=newest or settings.revision,
                split=settings.split,
            )
    except Exception as exc:
        raise _told(settings, folder, exc, problem) from exc
    rows = _choose_split(source, loaded, settings.split)
    commit = _commit(rows, settings)
    notes = _notes(settings, commit, newest, problem)
    return HubTable(_table(source, rows), commit, tuple(notes))


def _ask_hub(settings: DatasetSettings) -> tuple[str, str, bool]:
    """Return the commit of the revision on the hub, and the problem if there is none.

    The third value says whether there was no reply at all, not even a refusal.
    """
    api = importlib.import_module("huggingface_hub").HfApi(library_name="pytest-raq")
    try:
        info = api.dataset_info(settings.source, revision=settings.revision, timeout=_HUB_SECONDS)
    except Exception as exc:  # noqa: BLE001 - after any error, the cache may be used
        replied = isinstance(exc, ValueError) or getattr(exc, "response", None) is not None
        return "", _reason(exc), not replied
    return str(info.sha or ""), "", False


def _notes(settings: DatasetSettings, commit: str, newest: str, problem: str) -> Iterator[str]:
    source = settings.source
    if problem:
        yield (
            f"the hub did not answer ({problem}): the questions of {source} come from the local"
            f" cache, commit {commit or 'unknown'}"
        )
    elif newest and commit != newest:
        yield (
            f"{source} is at commit {newest} on the hub and could not be loaded from there: the"
            f" questions come from the local cache, commit {commit}"
        )
    if commit and commit != settings.revision:
        yield (
            f"{source} may change under the same name: set dataset.revision ="
            f' "{commit}" to ask the same questions in every run'
        )


def _library() -> ModuleType:
    # Read when huggingface_hub is imported: otherwise it reports its use.
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
        raise DatasetError(f"{place} shadows the datasets package: rename it, or install datasets")
    return library


@contextmanager
def _quiet(library: ModuleType) -> Iterator[None]:
    """Hide progress bars and warnings of the libraries in a test run; notes report problems."""
    were_shown = not library.are_progress_bars_disabled()
    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library.disable_progress_bars()
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
            if were_shown:
                library.enable_progress_bars()


@contextmanager
def _offline(library: ModuleType, *, wanted: bool) -> Iterator[None]:
    """Let the library use its cache at once, instead of trying the hub for half a minute."""
    before = library.config.HF_HUB_OFFLINE
    library.config.HF_HUB_OFFLINE = before or wanted
    try:
        yield
    finally:
        library.config.HF_HUB_OFFLINE = before


def _told(settings: DatasetSettings, folder: Path, exc: Exception, problem: str) -> DatasetError:
    """Return the error of a hub with a message of ours; the libraries raise many kinds."""
    source = settings.source
    unknown = _UNKNOWN_SPLIT.search(str(exc))
    if unknown:
        return _wrong_split(source, unknown[1], unknown[2].replace("'", ""))
    hub = f"{source}: is not a file in {folder}, and as a hub id"
    if isinstance(exc, ConnectionError) or "offline" in type(exc).__name__.lower():
        return DatasetError(
            f"{hub} it is not in the local cache, and the hub cannot be reached"
            f" ({problem or _reason(exc)}); load it once with a network"
        )
    if type(exc).__name__ == "DatasetNotFoundError":
        return DatasetError(
            f"{hub} it was not found: {_reason(exc)} (a private one needs HF_TOKEN)"
        )
    return DatasetError(
        f"{hub} it could not be loaded: {_reason(exc)}"
        " (dataset.name, dataset.split and dataset.revision select the part)"
    )


def _reason(exc: Exception) -> str:
    text = _without_token(" ".join(str(exc).split()) or type(exc).__name__)
    return text if len(text) <= _REASON_LENGTH else f"{text[:_REASON_LENGTH]}…"


def _without_token(text: str) -> str:
    """Return the message of a library without the access token."""
    token = importlib.import_module("huggingface_hub").get_token()
    return text.replace(token, "***") if token else text


def _choose_split(source: str, loaded: Any, split: str | None) -> Any:  # noqa: ANN401 - an optional library's class
    """Return the rows of the split; a data set with one split needs no name."""
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
    """Return the commit of the rows, from their path in the cache.

    If the hub cannot be reached, the library takes any cached commit, even
    if another one was requested: that is refused.
    """
    asked = settings.revision or ""
    places = [part for file in rows.cache_files for part in Path(file["filename"]).parts]
    commit = next(filter(_COMMIT.fullmatch, reversed(places)), "")
    if commit and _COMMIT_START.fullmatch(asked) and not commit.startswith(asked):
        raise DatasetError(
            f"{settings.source}: revision {asked} is not in the local cache, and the hub cannot be"
            f" reached; the cache has {commit}: load the other one once with a network"
        )
    return commit or asked


def _table(source: str, rows: Any) -> Table:  # noqa: ANN401 - an optional library's class
    def batches(wanted: Sequence[str]) -> Iterator[Any]:
        columns = rows.select_columns(roots(rows.column_names, wanted))
        yield from columns.with_format("arrow").iter(batch_size=BATCH)

    return arrow_table(source, rows.features.arrow_schema, batches)
