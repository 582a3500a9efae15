"""Adds up the cells of all rows of some samples, of whatever is counted of them."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.data.cells import CELLS
from pipelines.batches import Batches, map_batches


def sum_cells(rows: DataFrame, count: Callable[[Batches], Batches]) -> pd.DataFrame:
    """The cells that have rows; the driver gets at most one row for each bin and part.

    Args:
        rows: samples with the columns that are counted.
        count: makes rows of `CELLS` of batches, those of one key to be added up.
    """
    return (
        map_batches(rows, count, CELLS)
        .groupBy("kind", "feature", "part", "bin")
        .agg(*[F.sum(name).alias(name) for name in ("rows", "positives", "total")])
        .toPandas()
    )
