"""Parquet files for tests."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq


def write_parquet(folder, rows):
    path = folder / "q.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path
