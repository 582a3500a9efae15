"""Reads a version of a Delta table: its log says which Parquet files and rows it has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DataType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
)

from optdist.config.tables import TableConfig
from optdist.files import uri
from optdist.log import LOG
from pipelines.sources.formats.delta_log import DeltaVersion, find_version, read_version
from pipelines.sources.formats.names import quoted

_NAME = "delta.columnMapping.physicalName"
# columns while it is read
_FILE, _DELETED, _PARTITION = "_delta_file", "_delta_deleted", "_delta_partition"  # of the log
_KEY, _POSITION = "_delta_key", "_delta_position"  # of rows


class Delta:
    """Delta tables, of which a job reads one version, the newest unless `version` is set.

    Partition values, renamed columns and deleted rows (deletion vectors) are those of the log.
    """

    def pin(self, spark: SparkSession, name: str, table: TableConfig) -> TableConfig:
        """The table with the number of the version that it has now."""
        _, version = find_version(name, table)
        LOG.info(f"  {name}: version {version} of the Delta table")
        return table.model_copy(update={"version": version})

    def read(self, spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
        """Read the files of the version with the columns of the version."""
        version = read_version(name, table)
        if not version.files:
            return spark.createDataFrame([], _plain(version.schema))
        inside = [f for f in version.schema if f.name not in version.partition_columns]
        schema = StructType([StructField(_written(f), _in_files(f.dataType)) for f in inside])
        rows = _load(spark, version, schema)
        if version.partition_columns or version.deleted:
            rows = _with_log(spark, rows, version)
        columns = {
            field.name: F.col(quoted(_written(field))).cast(_plain(field.dataType))
            for field in inside
        }
        columns |= {
            name: F.col(f"{_PARTITION}{i}") for i, name in enumerate(version.partition_columns)
        }
        return rows.select(*[columns[f.name].alias(f.name) for f in version.schema])

    def fingerprint(self, table: TableConfig) -> list[Any]:
        """The table's identity and the version's number, wherever the table is."""
        return ["delta", *find_version("", table)]

    def explain(self, error: Exception) -> str | None:
        """Files that the version names and that are gone."""
        gone = re.search(
            r"(?:FileNotFoundException|does not exist)\\S*:? ?(\\S*\\.parquet)", str(error)
        )
        if not gone:
            return None
        return f"{gone[1]} is gone: VACUUM removes files of older versions. Choose a newer version."


def _load(spark: SparkSession, version: DeltaVersion, schema: StructType) -> DataFrame:
    """The rows of all files, as they are there."""
    reader = spark.read.format("parquet").schema(schema).option("__globPaths__", "false")
    return reader.load([uri(file.path) for file in version.files])


def _with_log(spark: SparkSession, rows: DataFrame, version: DeltaVersion) -> DataFrame:
    """The rows that are not deleted, each with the partition values of its file."""
    fields = [
        StructField(f"{_PARTITION}{i}", _plain(version.schema[name].dataType))
        for i, name in enumerate(version.partition_columns)
    ]
    words = StructField(_DELETED, ArrayType(LongType()))
    log = spark.createDataFrame(
        [
            (
                file.path,
                *[file.partition[name] for name in version.partition_columns],
                version.deleted[file.path].tolist() if file.path in version.deleted else None,
            )
            for file in version.files
        ],
        StructType([StructField(_FILE, StringType()), *fields, words]),
    )
    position = F.col("_metadata.row_index") if version.deleted else F.lit(None).cast("bigint")
    located = rows.select("*", _path().alias(_KEY), position.alias(_POSITION))
    joined = located.join(F.broadcast(log), F.col(_KEY) == F.col(_FILE), how="left")
    known = F.when(
        F.col(_FILE).isNull(),
        F.raise_error(F.concat(F.lit("The Delta log has no file "), F.col(_KEY))).cast("boolean"),
    )
    return joined.where(known.otherwise(_is_kept()))


def _is_kept() -> Column:
    """Whether a row's bit says that it is not deleted; a file without deleted rows has no bits."""
    word = F.get(F.col(_DELETED), F.expr(f"CAST({_POSITION} DIV 64 AS int)"))
    bit = F.getbit(word, F.expr(f"CAST({_POSITION} % 64 AS int)"))
    return F.coalesce(bit == 0, F.lit(True))


def _path() -> Column:
    """The path of a row's file as the log has it: Spark encodes it, and not as a form's text."""
    encoded = F.regexp_replace("_metadata.file_path", r"\+", "%2B")
    return F.regexp_replace(F.url_decode(encoded), "^file:/+", "/")


def _written(field: StructField) -> str:
    """A column's name in the files, which is another where columns were renamed."""
    return str(field.metadata.get(_NAME, field.name))


def _in_files(kind: DataType) -> DataType:
    """A type with the names that nested columns have in the files."""
    return _renamed(kind, _written)


def _plain(kind: DataType) -> DataType:
    """A type with the names of the table."""
    return _renamed(kind, lambda field: field.name)


def _renamed(kind: DataType, name: Callable[[StructField], str]) -> DataType:
    if isinstance(kind, StructType):
        return StructType([StructField(name(f), _renamed(f.dataType, name)) for f in kind])
    if isinstance(kind, ArrayType):
        return ArrayType(_renamed(kind.elementType, name))
    if isinstance(kind, MapType):
        return MapType(_renamed(kind.keyType, name), _renamed(kind.valueType, name))
    return kind
