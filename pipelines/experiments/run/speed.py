"""Measures how fast a trained model scores raw rows."""

from __future__ import annotations

import time
from collections.abc import Callable

import pyarrow as pa

from optdist.data.feature_table import FeatureTable

_ROWS = 50_000  # at most


def scoring_rows(table: FeatureTable) -> pa.Table:
    """Raw validation rows to measure the speed of scoring on."""
    return table.read_samples("validation", table.schema.raw_columns, _ROWS)


def rows_per_second(score: Callable[[pa.Table], object], rows: pa.Table) -> float:
    """Rows that `score(rows)` handles in a second, after a first call that is not counted."""
    score(rows.slice(0, 1000))
    started = time.monotonic()
    score(rows)
    return len(rows) / (time.monotonic() - started)
