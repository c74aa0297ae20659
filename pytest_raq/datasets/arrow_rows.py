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


BATCH = 4096
"""Rows that are Python objects at the same time."""

_REASON_LENGTH = 200
_HUB_SECONDS = 10.0
"""How long the hub may take to say which commit is meant."""
_UNKNOWN_SPLIT = re.compile(r'Unknown split "(.*)"\. Should be one of \[(.*)\]')
_COMMIT = re.compile(r"[0-9a-f]{40}")
_COMMIT_START = re.compile(r"[0-9a-f]{7,40}")


def parquet_table(path: Path) -> Table:
    """Return the rows of a Parquet file; DatasetError when it cannot be read."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as exc:
        raise DatasetError(
            f"{path}: Parquet files need the datasets extra: pip install 'pytest-raq[datasets]'"
        ) from exc
    try:
        file = parquet.ParquetFile(path)
        schema = file.schema_arrow
    except Exception as exc:
        raise _damaged(path, exc) from exc

    def batches(wanted: Sequence[str]) -> Iterator[Any]:
        try:
            yield from file.iter_batches(batch_size=BATCH, columns=roots(schema.names, wanted))
        except DatasetError:
            raise
        except Exception as exc:
            raise _damaged(path, exc) from exc

    return arrow_table(str(path), schema, batches)


def _damaged(path: Path, exc: Exception) -> DatasetError:
    reason = " ".join(str(exc).split())[:200]
    return DatasetError(f"{path}: is no Parquet file, or a damaged one: {reason}")


def arrow_table(
    source: str,
    schema: Any,  # noqa: ANN401 - an optional library's class
    batches: Callable[[Sequence[str]], Iterable[Any]],
) -> Table:
    """Return rows that come in record batches with the columns asked for."""

    def rows(wanted: Sequence[str]) -> Iterator[Row]:
        number = 0
        for batch in batches(wanted):
            for values in zip(*(_values(batch, column) for column in wanted), strict=True):
                yield f"row {number}", values
                number += 1

    refuse_repeated(source, schema.names)
    return Table(source, tuple(_names(schema)), rows)


def roots(names: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """Return the columns of a schema that hold the columns asked for."""
    return list(dict.fromkeys(_root(names, column) for column in wanted))


def _root(names: Sequence[str], column: str) -> str:
    return column if column in names else column.partition(".")[0]


def _values(batch: Any, column: str) -> list[Any]:  # noqa: ANN401 - an optional library's class
    root = _root(batch.schema.names, column)
    values: list[Any] = batch.column(root).to_pylist()
    return values if root == column else [look_up({root: value}, column) for value in values]


def _names(fields: Iterable[Any]) -> Iterator[str]:
    """Yield the names of columns, those of objects in them, or in lists of them, with dots."""
    for field in fields:
        yield field.name
        kind = field.type
        while hasattr(kind, "value_type"):  # a list, or a dictionary of repeated values
            kind = kind.value_type
        if hasattr(kind, "fields"):
            yield from (f"{field.name}.{name}" for name in _names(kind.fields))


class HubTable(NamedTuple):
    """Rows of a hub, the commit that they are of, and what a reader should know of that."""

    table: Table
    revision: str
    notes: tuple[str, ...]


def saved_table(path: Path, split: str | None) -> Table:
    """Return the rows of a folder made by ``save_to_disk``.

    DatasetError when it is no such folder or has no such split.
    """
    library = _library()
    try:
        with _quiet(library):
            loaded = library.load_from_disk(str(path))
    except Exception as exc:
        raise DatasetError(
            f"{path}: is a folder that save_to_disk did not make, or a damaged one: {_reason(exc)}"
        ) from exc
    return _table(str(path), _choose_split(str(path), loaded, split))


def hub_table(settings: DatasetSettings, folder: Path) -> HubTable:
    """Return the rows of a hub data set and the commit that they are of.

    A branch is followed to its commit before anything is loaded. Where the hub
    does not answer the local cache serves, and a note says so. ``folder`` is
    where the source was looked for as a file.
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
    """Return the commit that the hub means by the revision, or why it did not say.

    Last whether there was no reply at all, not even a refusal.
    """
    api = importlib.import_module("huggingface_hub").HfApi(library_name="pytest-raq")
    try:
        info = api.dataset_info(settings.source, revision=settings.revision, timeout=_HUB_SECONDS)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the cache may serve
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
    """Keep progress bars and warnings of the libraries out of a test run; we tell in notes."""
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
    """Let the library go to its cache at once, where it would knock for half a minute."""
    before = library.config.HF_HUB_OFFLINE
    library.config.HF_HUB_OFFLINE = before or wanted
    try:
        yield
    finally:
        library.config.HF_HUB_OFFLINE = before


def _told(settings: DatasetSettings, folder: Path, exc: Exception, problem: str) -> DatasetError:
    """Return the error of a hub in our words; the libraries raise many kinds."""
    source = settings.source
    unknown = _UNKNOWN_SPLIT.search(str(exc))
    if unknown:
        return _wrong_split(source, unknown[1], unknown[2].replace("'", ""))
    hub = f"{source}: is no file in {folder}, and as a hub id"
    if isinstance(exc, ConnectionError) or "offline" in type(exc).__name__.lower():
        return DatasetError(
            f"{hub} it is neither in the local cache nor can the hub be reached"
            f" ({problem or _reason(exc)}); load it once with a network"
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
    text = _without_token(" ".join(str(exc).split()) or type(exc).__name__)
    return text if len(text) <= _REASON_LENGTH else f"{text[:_REASON_LENGTH]}…"


def _without_token(text: str) -> str:
    """Return what a library said without the token that it was given."""
    token = importlib.import_module("huggingface_hub").get_token()
    return text.replace(token, "***") if token else text


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


def _table(source: str, rows: Any) -> Table:  # noqa: ANN401 - an optional library's class
    def batches(wanted: Sequence[str]) -> Iterator[Any]:
        columns = rows.select_columns(roots(rows.column_names, wanted))
        yield from columns.with_format("arrow").iter(batch_size=BATCH)

    return arrow_table(source, rows.features.arrow_schema, batches)
