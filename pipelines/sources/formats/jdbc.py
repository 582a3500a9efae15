"""Reads a table or a query of a database over JDBC, once for a job."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.jdbc_errors import driver_of, explain_database
from pipelines.sources.formats.names import quoted
from pipelines.sources.formats.paths import lower_keys
from pipelines.sources.formats.spark_sources import SparkSource

_FETCHED = "10000"  # rows at a time; without it PostgreSQL's driver holds a whole table in memory
_PARTITIONS = 8  # connections at once where only partitionColumn is given
_ZONE = "spark.sql.session.timeZone"
# codes of java.sql.Types
_DATE, _TIMESTAMP = 91, 93
_TIMES = {_TIMESTAMP, 2014}
_NUMBERS = {-6, -5, 2, 3, 4, 5, 6, 7, 8}
_COLUMN, _LOW, _HIGH, _NUMBER = "partitioncolumn", "lowerbound", "upperbound", "numpartitions"
_PARTS = {_COLUMN, _LOW, _HIGH, _NUMBER}


class Jdbc(SparkSource):
    """A table or query of a database: the options are those of Spark's reader `jdbc`.

    Next to what Spark does, the driver's class is found by the URL, the bounds of `partitionColumn`
    are found in the table, a query can be partitioned, and timestamps without a time zone keep
    their day whatever Java's time zone is.
    """

    def __init__(self) -> None:
        """Spark's reader is the source."""
        super().__init__("jdbc")

    def read(self, spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
        """Look at the table's columns, then read it, in parts where there is a column for that.

        Raises:
            DataError: options are missing or do not fit the table.
        """
        options = _complete_options(name, table)
        columns = _columns(spark, options)
        if _COLUMN in options:
            options = _in_parts(spark, name, options, columns)
        if not {"customschema", "prefertimestampntz"} & options.keys():
            options |= _local_times(options, columns)
        return spark.read.format(self.source).options(**options).load()

    def explain(self, error: Exception) -> str | None:
        """What a database or its driver refuses."""
        return explain_database(error)


@dataclass(frozen=True)
class _ColumnType:
    name: str
    code: int  # of java.sql.Types
    kind: str  # the database's name of the type


def _complete_options(name: str, table: TableConfig) -> dict[str, str]:
    """The options in lower case, with the table or query as `dbtable`, and defaults."""
    options = lower_keys(table.options)
    setting = f"source.tables.{name}"
    if "url" not in options:
        raise DataError(
            f"{setting} needs the option url, such as jdbc:postgresql://host:5432/database."
        )
    for key in sorted({"fetchsize", _NUMBER, "querytimeout"} & options.keys()):
        if not options[key].isdecimal():
            raise DataError(f"{setting}.options: {key} must be a whole number, not {options[key]}.")
    targets = [bool(table.path), "dbtable" in options, "query" in options]
    if sum(targets) != 1:
        raise DataError(
            f"{setting} needs one of path (the table's name, such as public.sales), and the "
            f"options dbtable and query."
        )
    query = options.pop("query", None)
    target = f"({query.strip().rstrip(';')}) optdist_query" if query else table.path
    driver = driver_of(options["url"])
    defaults = {"fetchsize": _FETCHED, **({"driver": driver.name} if driver else {})}
    return {**defaults, "dbtable": target, **options}


def _columns(spark: SparkSession, options: Mapping[str, str]) -> list[_ColumnType]:
    """The columns of the table or query, as the database describes them."""
    with _connection(spark, options) as (connection, dialect):
        nothing = connection.createStatement().executeQuery(
            dialect.getSchemaQuery(options["dbtable"])
        )
        about = nothing.getMetaData()
        return [
            _ColumnType(about.getColumnLabel(i), about.getColumnType(i), about.getColumnTypeName(i))
            for i in range(1, about.getColumnCount() + 1)
        ]


@contextmanager
def _connection(spark: SparkSession, options: Mapping[str, str]) -> Iterator[tuple[Any, Any]]:
    """A connection of Java's that is closed at the end, and Spark's dialect for it."""
    java = spark.sparkContext._jvm
    sql = java.org.apache.spark.sql
    settings = java.PythonUtils.toScalaMap({k: options[k] for k in options.keys() - _PARTS})
    dialect = sql.jdbc.JdbcDialects.get(options["url"])
    jdbc = sql.execution.datasources.jdbc.JDBCOptions(settings)
    connection = dialect.createConnectionFactory(jdbc).apply(-1)  # -1: of the driver
    try:
        yield connection, dialect
    finally:
        connection.close()


def _in_parts(
    spark: SparkSession, name: str, options: Mapping[str, str], columns: list[_ColumnType]
) -> dict[str, str]:
    """The options with the bounds of the column that parts the table, where they are not given.

    Bounds only decide which part a row is in: rows beyond them are read too.
    """
    column = _partition_column(name, options[_COLUMN], columns)
    kind = "number" if column.code in _NUMBERS else "day" if column.code == _DATE else "time"
    if kind == "time" and _is_local(options["url"], column) and not _same_zone(spark):
        raise DataError(
            f"source.tables.{name} cannot be parted by {column.name}: it is a timestamp without a "
            f"time zone, and Java's time zone is not spark.sql.session.timeZone. Name a number or "
            f"a date as partitionColumn."
        )
    number = min(_PARTITIONS, spark.sparkContext.defaultParallelism)
    complete = {_NUMBER: str(number), **options, _COLUMN: column.name}
    if _LOW in options and _HIGH in options:
        return complete
    low, high = _extremes(spark, options, column)
    if low is None or high is None:  # no row, or nulls alone
        return {key: options[key] for key in options.keys() - _PARTS}
    return {_LOW: _bound(name, kind, low, -1), _HIGH: _bound(name, kind, high, 1), **complete}


def _partition_column(name: str, column: str, columns: list[_ColumnType]) -> _ColumnType:
    """The column of the table that an option names, in any case of letters."""
    same = [c for c in columns if c.name == column] or [
        c for c in columns if c.name.lower() == column.lower()
    ]
    if not same:
        raise DataError(
            f"source.tables.{name} has no column {column}, which the option partitionColumn names. "
            f"Found: {', '.join(c.name for c in columns)}."
        )
    if same[0].code not in {*_NUMBERS, _DATE, *_TIMES}:
        raise DataError(
            f"source.tables.{name} cannot be parted by {column}, which is {same[0].kind}: name a "
            f"number, date or timestamp as partitionColumn."
        )
    return same[0]


def _extremes(
    spark: SparkSession, options: Mapping[str, str], column: _ColumnType
) -> tuple[str | None, str | None]:
    """The smallest and the largest value of a column, as text."""
    with _connection(spark, options) as (connection, dialect):
        quoted_name = dialect.quoteIdentifier(column.name)
        values = connection.createStatement().executeQuery(
            f"SELECT MIN({quoted_name}), MAX({quoted_name}) FROM {options['dbtable']}"
        )
        values.next()
        return values.getString(1), values.getString(2)


def _bound(name: str, kind: str, value: str, side: int) -> str:
    """A value as Spark reads a bound: a whole number (rounded to a side), a day or a second."""
    if kind != "number":
        return value[: 10 if kind == "day" else 19]
    number = Decimal(value)
    if not number.is_finite():
        raise DataError(
            f"source.tables.{name}: partitionColumn has {value}. Give lowerBound and upperBound."
        )
    return str(math.floor(number) if side < 0 else math.ceil(number))


def _local_times(options: Mapping[str, str], columns: list[_ColumnType]) -> dict[str, str]:
    """The option that reads timestamps without a time zone as they are written.

    Otherwise Spark reads them in Java's time zone, so that days move where it is not the session's.
    """
    local = [
        f"{quoted(column.name)} TIMESTAMP_NTZ"
        for column in columns
        if _is_local(options["url"], column) and column.name != options.get(_COLUMN)
    ]
    return {"customschema": ", ".join(local)} if local else {}


def _is_local(url: str, column: _ColumnType) -> bool:
    """Whether a column has timestamps without a time zone."""
    kind = column.kind.lower()
    instant = "tz" in kind or "zone" in kind
    if url.startswith(("jdbc:mysql:", "jdbc:mariadb:")):
        instant = kind == "timestamp"  # there it is a moment, and datetime has no zone
    return column.code == _TIMESTAMP and (kind.endswith("_ntz") or not instant)


def _same_zone(spark: SparkSession) -> bool:
    """Whether Java's time zone is the session's."""
    java = spark.sparkContext._jvm.java.util.TimeZone
    return bool(java.getDefault().hasSameRules(java.getTimeZone(spark.conf.get(_ZONE))))
