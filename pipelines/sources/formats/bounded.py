"""Reads the first rows of each part of a large table, for checks that must not read all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame

from optdist.config.tables import TableConfig
from pipelines.sources.formats.base import RAGGED


class BoundedTable(TableConfig):
    """A table of which only some rows are read: about `most_rows`, spread over its parts.

    Whoever reads the table gets those rows, and everything made of them is as for the whole table.
    """

    most_rows: int


def bounded(rows: DataFrame, most_rows: int) -> DataFrame:
    """The first rows of each of a table's parts, as many as make `most_rows` together.

    Args:
        rows: the table, as it was read.
        most_rows: the number of rows, at least one a part; 0: none, and nothing is read.
    """
    if not most_rows:
        return rows.limit(0)
    each = -(-most_rows // max(rows.rdd.getNumPartitions(), 1))

    def first(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        left = each
        for batch in batches:
            yield batch.slice(0, left)
            left -= batch.num_rows
            if left <= 0:
                return

    head = rows.mapInArrow(first, rows.schema)
    if RAGGED in rows.columns:
        head = head.withMetadata(RAGGED, rows.schema[RAGGED].metadata)
    return head
