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
from pipelines.sources.formats.base import MarksRows, TableFormat
from pipelines.sources.formats.files import Csv
from pipelines.sources.formats.json_lines import JsonLines
from pipelines.sources.formats.messages import SPARK_ERRORS, first_line
from pipelines.sources.formats.parquet import Parquet
from pipelines.sources.formats.suffixes import format_of

FORMATS: dict[str, TableFormat] = {"csv": Csv(), "json": JsonLines(), "parquet": Parquet()}
_OWN: dict[str, TableFormat] = {}  # those that a table has named as package.module:Class


def table_format(name: str) -> TableFormat:
    """The format of a name, or an instance of the class at `package.module:Class`.

    Raises:
        ConfigError: there is no such class, or it lacks what a format needs.
    """
    if name in FORMATS:
        return FORMATS[name]
    if name not in _OWN:
        own = named_class("source.tables.*.format", name, FORMATS)()
        if not isinstance(own, TableFormat):
            raise ConfigError(f"{name} lacks a method of {TableFormat.__module__}.TableFormat.")
        _OWN[name] = own
    return _OWN[name]


def read_table(spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
    """Read one raw table.

    Args:
        spark: the job's session.
        name: the table's key in the data set, for errors.
        table: its path, format and options.

    Raises:
        ConfigError: there is no such format.
        DataError: there is no such table, or Spark cannot read it.
    """
    return _read(spark, name, table, marked=False)


def read_marked(spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
    """Read one raw table; a format that can tell marks the rows whose line is cut or filled.

    Args:
        spark: the job's session.
        name: the table's key in the data set, for errors.
        table: its path, format and options.

    Raises:
        ConfigError: there is no such format.
        DataError: there is no such table, or Spark cannot read it.
    """
    return _read(spark, name, table, marked=True)


def _read(spark: SparkSession, name: str, table: TableConfig, *, marked: bool) -> DataFrame:
    kind = table_format(format_of(name, table))
    try:
        if marked and isinstance(kind, MarksRows):
            return kind.read_marked(spark, name, table)
        return kind.read(spark, name, table)
    except SPARK_ERRORS as error:
        raise DataError(
            f"The table {name} cannot be read from {table.path}: "
            f"{kind.explain(error) or first_line(error)} Set dataset.source.tables.{name}.path."
        ) from error


def input_fingerprint(source: SourceConfig) -> list[Any]:
    """The name of each raw table, and what changes when its content does."""
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
