"""Encodes the samples of a split into Parquet files of one row group each."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from optdist.config import BuildConfig
from optdist.data.feature_table import UnfinishedTable
from optdist.data.schema import FeatureSchema
from optdist.files import uri
from pipelines.batches import map_batches
from pipelines.sources.columns import GROUP_KEY, LABEL, ROW_KEY, column


def write_encoded(
    spark: SparkSession,
    table: UnfinishedTable,
    split: str,
    rows: int,
    schema: FeatureSchema,
    build: BuildConfig,
) -> None:
    """Encode a split into near-equal files.

    Args:
        spark: the session.
        table: the table, whose samples are written.
        split: "train", "validation" or "test".
        rows: how many samples it has.
        schema: how to encode them.
        build: the number and the size of row groups.
    """
    samples = spark.read.parquet(uri(table.samples_path(split)))
    groups = min(rows, max(build.min_row_groups, -(-rows // build.rows_per_group)))
    if rows < groups * samples.rdd.getNumPartitions():
        # few rows of several parts would leave some groups empty; Spark would skip a coalesce(1)
        samples = samples.limit(rows)
    columns = dict.fromkeys([*schema.raw_columns, LABEL, ROW_KEY, GROUP_KEY])
    encoded = encode_samples(samples.select(*map(column, columns)).repartition(groups), schema)
    encoded.write.mode("overwrite").parquet(uri(table.split_path(split)))


def encode_samples(samples: DataFrame, schema: FeatureSchema) -> DataFrame:
    """Encoded features, label and keys of samples."""
    types = [f"{c} int" for c in schema.categorical_columns]
    types += [f"{c} float" for c in [*schema.numeric_columns, LABEL]]
    types += [f"{c} long" for c in (ROW_KEY, GROUP_KEY)]

    def encode_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from optdist.data.encoding import encode

        for batch in batches:
            columns = {name: pa.array(values) for name, values in encode(batch, schema).items()}
            columns[LABEL] = batch.column(LABEL).cast(pa.float32())
            columns |= {name: batch.column(name) for name in (ROW_KEY, GROUP_KEY)}
            yield pa.RecordBatch.from_pydict(columns)

    return map_batches(samples, encode_batches, ", ".join(types))
