"""Maps rows batch by batch in Arrow, whatever their columns are called."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame

Batches = Iterator[pa.RecordBatch]


def map_batches(rows: DataFrame, function: Callable[[Batches], Batches], schema: str) -> DataFrame:
    """`DataFrame.mapInArrow`, which would take the column `a.b` for a field of `a`.

    Args:
        rows: the input.
        function: makes batches of batches with the columns of `rows`.
        schema: the columns that `function` returns, as Spark DDL.
    """
    names = rows.columns

    def map_named(batches: Batches) -> Batches:
        return function(pa.RecordBatch.from_arrays(batch.columns, names) for batch in batches)

    plain = rows.toDF(*[f"column_{number}" for number in range(len(names))])
    return plain.mapInArrow(map_named, schema)
