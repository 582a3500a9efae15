"""Reads a table once for a whole job, and fingerprints its rows whatever their order."""

from __future__ import annotations

import uuid
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from optdist.config.tables import TableConfig
from pipelines.sources.formats.base import PinnedTable
from pipelines.sources.formats.names import quoted


def keep_rows(rows: DataFrame, table: TableConfig) -> PinnedTable:
    """Read rows once and keep them on the executors, spilled to their disks, as a view.

    Rows that an executor has lost are not read again, for they may have changed: the job fails.

    Args:
        rows: a table as Spark reads it.
        table: its settings.
    """
    kept = rows.localCheckpoint()
    view = f"optdist_{uuid.uuid4().hex}"
    kept.createTempView(view)
    settings = {name: getattr(table, name) for name in TableConfig.model_fields}
    return PinnedTable(**settings, view=view, content=fingerprint_rows(kept))


def fingerprint_rows(rows: DataFrame) -> list[Any]:
    """Columns, number and hashes of rows; the same rows in another order have the same.

    A hash of Spark's skips nulls, so where they are is hashed too.
    """
    values = [_hashable(rows, name) for name in rows.columns]
    nulls = F.concat(*[F.col(quoted(n)).isNull().cast("int").cast("string") for n in rows.columns])
    [row] = rows.agg(
        F.count("*"),
        F.sum(F.xxhash64(nulls, *values).cast("decimal(38, 0)")),
        F.sum(F.hash(nulls, *values).cast("decimal(38, 0)")),
    ).collect()
    return [[list(pair) for pair in rows.dtypes], *(str(value) for value in row)]


def _hashable(rows: DataFrame, name: str) -> Column:
    """A column, as JSON where it contains a map, which Spark does not hash."""
    value = F.col(quoted(name))
    return F.to_json(F.struct(value)) if "map<" in dict(rows.dtypes)[name] else value
