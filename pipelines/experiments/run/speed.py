"""Measures how fast a trained model scores raw rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from optdist.data.feature_table import FeatureTable

_ROWS = 50_000  # at most


def scoring_rows(table: FeatureTable) -> pa.Table:
    """Raw validation rows to measure the speed of scoring on."""
    columns = table.schema.raw_columns
    parts, rows = [], 0
    for file in sorted(Path(table.samples_path("validation")).glob("*.parquet")):
        parts.append(pq.ParquetFile(file).read(columns=columns))
        rows += len(parts[-1])
        if rows >= _ROWS:
            break
    return pa.concat_tables(parts).slice(0, _ROWS).combine_chunks()


def rows_per_second(score: Callable[[pa.Table], object], rows: pa.Table) -> float:
    """Rows that `score(rows)` handles in a second, after a first call that is not counted."""
    score(rows.slice(0, 1000))
    started = time.monotonic()
    score(rows)
    return len(rows) / (time.monotonic() - started)
