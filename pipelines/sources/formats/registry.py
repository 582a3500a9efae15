"""Finds a table's format by name, and reads, fingerprints and explains tables through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from optdist.config.source import SourceConfig
from optdist.config.tables import TableConfig
from optdist.errors import ConfigError, DataError
from optdist.plugins import named_class
from pipelines.sources.formats.base import (
    RAGGED,
    MarksRows,
    PinnedTable,
    Pins,
    TableFormat,
    not_a_mark,
)
from pipelines.sources.formats.bounded import BoundedTable, bounded
from pipelines.sources.formats.delta import Delta
from pipelines.sources.formats.files import Csv
from pipelines.sources.formats.jdbc import Jdbc
from pipelines.sources.formats.json_lines import JsonLines
from pipelines.sources.formats.messages import SPARK_ERRORS, first_line
from pipelines.sources.formats.parquet import Parquet
from pipelines.sources.formats.spark_sources import Avro, CatalogTable, Orc, SparkSource
from pipelines.sources.formats.suffixes import format_of

FORMATS: dict[str, TableFormat] = {
    "csv": Csv(),
    "json": JsonLines(),
    "parquet": Parquet(),
    "avro": Avro(),
    "delta": Delta(),
    "hudi": SparkSource("hudi"),
    "iceberg": SparkSource("iceberg"),
    "jdbc": Jdbc(),
    "orc": Orc(),
    "table": CatalogTable(),
}
_OWN: dict[str, TableFormat] = {}  # those that a table has named by a class


def table_format(name: str) -> TableFormat:
    """The format of a name, or an instance of the class at `package.module:Class`.

    A name with dots is the class of a data source that Spark has.

    Raises:
        ConfigError: there is no such class, or it lacks what a format needs.
    """
    if name in FORMATS:
        return FORMATS[name]
    if name not in _OWN and "." in name and ":" not in name:
        _OWN[name] = SparkSource(name)
    if name not in _OWN:
        own = named_class("source.tables.*.format", name, FORMATS)()
        if not isinstance(own, TableFormat):
            raise ConfigError(f"{name} lacks a method of {TableFormat.__module__}.TableFormat.")
        _OWN[name] = own
    return _OWN[name]


def read_table(
    spark: SparkSession, name: str, table: TableConfig, *, marked: bool = False
) -> DataFrame:
    """Read one raw table.

    Args:
        spark: the job's session.
        name: the table's key in the data set, for errors.
        table: its path, format and options.
        marked: whether a format that can tell marks the rows whose line is cut or filled.

    Raises:
        ConfigError: there is no such format.
        DataError: there is no such table, or Spark cannot read it.
    """
    if isinstance(table, PinnedTable):
        return spark.table(table.view)
    kind = table_format(format_of(name, table))
    with _explained(name, table, kind):
        if marked and isinstance(kind, MarksRows):
            rows, marks = kind.read_marked(spark, name, table), {RAGGED}
        else:
            rows, marks = kind.read(spark, name, table), set[str]()
        names = {name: not_a_mark(name) for name in rows.columns if name not in marks}
        rows = rows.withColumnsRenamed({old: new for old, new in names.items() if old != new})
        return bounded(rows, table.bound) if isinstance(table, BoundedTable) else rows


@contextmanager
def pinned_tables(spark: SparkSession, source: SourceConfig) -> Iterator[SourceConfig]:
    """The source with tables that stay as they are now while the block runs.

    Tables that change under a job that reads them several times are read once, or at the version
    that is the newest now; files are not among them.

    Args:
        spark: the session.
        source: the tables.

    Raises:
        DataError: a table cannot be read.
    """
    tables: dict[str, TableConfig] = {}
    try:
        for name, table in source.tables.items():
            tables[name] = _pin(spark, name, table)
        yield source.model_copy(update={"tables": tables})
    finally:
        for table in tables.values():
            if isinstance(table, PinnedTable):
                spark.catalog.dropTempView(table.view)


def _pin(spark: SparkSession, name: str, table: TableConfig) -> TableConfig:
    kind = table_format(format_of(name, table))
    if isinstance(table, PinnedTable) or not isinstance(kind, Pins):
        return table
    with _explained(name, table, kind):
        return kind.pin(spark, name, table)


@contextmanager
def _explained(name: str, table: TableConfig, kind: TableFormat) -> Iterator[None]:
    """Turn Spark's errors into one that names the table, and the setting to look at."""
    try:
        yield
    except SPARK_ERRORS as error:
        place = table.path or f"format {table.format}"
        reason = kind.explain(error)
        if reason is None or not isinstance(kind, SparkSource):  # whose reasons say what to do
            setting = f"dataset.source.tables.{name}.{'path' if table.path else 'options'}"
            reason = f"{reason or first_line(error)} Set {setting}."
        raise DataError(f"The table {name} cannot be read from {place}: {reason}") from error


def input_fingerprint(source: SourceConfig) -> list[Any]:
    """The name of each raw table, and what changes when its content does.

    Raises:
        DataError: there is no such table.
        NotPinnedError: a table must have been read first, see `pinned_tables`.
    """
    return [
        [name, *table_format(format_of(name, table)).fingerprint(table)]
        for name, table in sorted(source.tables.items())
    ]


@contextmanager
def explain_read_errors() -> Iterator[None]:
    """Turn what Spark finds wrong in a table, once it reads it, into an error for its user.

    Tables are read lazily, so whatever first counts or writes rows stands in this.
    """
    try:
        yield
    except SPARK_ERRORS as error:
        for known in (*FORMATS.values(), *_OWN.values()):
            explanation = known.explain(error)
            if explanation:
                raise DataError(explanation) from error
        raise
