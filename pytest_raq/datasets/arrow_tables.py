"""Rows kept as Arrow columns: Parquet files, and what the datasets library loads."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pytest_raq.datasets.tables import Table, look_up, refuse_repeated
from pytest_raq.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from pytest_raq.datasets.tables import Row

BATCH = 4096
"""Rows that are Python objects at the same time."""


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
