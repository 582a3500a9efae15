"""Reads some rows of a large table, for checks that must not look at all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.config.tables import TableConfig
from pipelines.sources.formats.base import RAGGED
from pipelines.sources.formats.names import quoted

_PARTS = 1_000_000


@dataclass(frozen=True)
class Bound:
    """Which rows of a table are read: a share of its keys, or the first ones of its parts.

    Args:
        most_rows: how many together, where `share` is None; 0: none, and no file is read.
        share: of the keys, with all of their rows; this reads the whole table once.
        keys: the columns whose values are kept or left out together; those that the table lacks do
            not count, and without any, rows are drawn.
    """

    most_rows: int = 0
    share: float | None = None
    keys: tuple[str, ...] = ()


class BoundedTable(TableConfig):
    """A table of which only some rows are read.

    Whoever reads the table gets those rows, and everything made of them is as for the whole table.
    """

    bound: Bound


def bounded(rows: DataFrame, bound: Bound) -> DataFrame:
    """The rows of a table within a bound.

    Args:
        rows: the table, as it was read.
        bound: which rows.
    """
    if bound.share is None:
        return _first_rows(rows, bound.most_rows) if bound.most_rows else rows.limit(0)
    wanted = {key.lower() for key in bound.keys}
    keys = [F.col(quoted(name)) for name in rows.columns if name.lower() in wanted]
    if not keys:
        return rows.sample(bound.share, seed=1)
    part = F.pmod(F.xxhash64(*[key.cast("string") for key in keys]), F.lit(_PARTS))
    return rows.where(part < round(bound.share * _PARTS))


def _first_rows(rows: DataFrame, most: int) -> DataFrame:
    """The first rows of each of a table's parts, at least one of each."""
    each = -(-most // max(rows.rdd.getNumPartitions(), 1))

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
