"""Raw tables: found, read, joined, and fingerprinted."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import fingerprint
from optdist.config.source import JoinConfig, SourceConfig, TableConfig
from optdist.errors import DataError
from optdist.files import uri

_PACKAGE = "package:"
# what Spark's CSV reader says of a file whose header differs from the first file's
_OTHER_HEADER = re.compile(r"CSV header does not|Number of column in CSV header is not equal")


def joined_rows(spark: SparkSession, source: SourceConfig) -> DataFrame:
    """The main table with the joins, derived columns and condition of the source.

    Raises:
        DataError: a table or a column is missing (the message lists the columns found), or a join
            would multiply rows.
    """
    frames = {name: read_table(spark, name, table) for name, table in source.tables.items()}
    rows = frames[next(iter(source.tables))]
    for join in source.joins:
        other = frames[join.table]
        with explained(f"join with {join.table}", rows, other):
            if join.aggregate:
                aggregates = [F.expr(sql).alias(name) for name, sql in join.aggregate.items()]
                other = other.groupBy(*join.by).agg(*aggregates)
            else:
                _one_row_per_key(other, join)
            rows = rows.join(other, on=join.by, how=join.how)
    for name, expression in source.columns.items():
        with explained(f"column {name}", rows):
            rows = rows.withColumn(name, F.expr(expression))
    if source.where:
        with explained("where", rows):
            rows = rows.where(source.where)
    return rows


def _one_row_per_key(other: DataFrame, join: JoinConfig) -> None:
    """Raise a DataError if the table to join has a key twice; a null key joins nothing."""
    again = other.dropna(subset=join.by).groupBy(*join.by).agg(F.count("*").alias("count_of_key"))
    for row in again.where("count_of_key > 1").limit(1).select("count_of_key").collect():
        raise DataError(
            f"The table {join.table} has {row[0]:,} rows of one key ({', '.join(join.by)}): the "
            f"join would count the main table's rows as often. Aggregate it (joins[].aggregate) "
            f"or remove duplicates."
        )


def read_table(spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
    """Read one raw table; CSV values stay text until a column's use decides their type."""
    path = resolved_path(table.path)
    try:
        if table.format == "csv":
            # enforceSchema=false: files of a folder whose headers differ are an error, not a mix-up
            options = {"header": "true", "escape": '"', "enforceSchema": "false", **table.options}
            return spark.read.options(**options).csv(uri(path))
        return spark.read.options(**table.options).parquet(uri(path))
    except AnalysisException as error:
        raise DataError(
            f"The table {name} cannot be read from {path}: {_first_line(error)} "
            f"Set dataset.source.tables.{name}.path."
        ) from error


def resolved_path(path: str) -> str:
    """A path or URL; `package:PACKAGE/file` is a file inside an installed package.

    Raises:
        DataError: the package is not installed.
    """
    if not path.startswith(_PACKAGE):
        return path if "://" in path else str(Path(path).expanduser().resolve())
    package, _, inside = path.removeprefix(_PACKAGE).partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.origin:
        raise DataError(f"{path}: the package {package} is not installed. Install it with pip.")
    return str(Path(spec.origin).parent / inside)


def input_fingerprint(source: SourceConfig) -> list[Any]:
    """Names, sizes and times of the raw files, or the version of the package that they are in.

    A URL is taken by its name alone: give new data a new path there.
    """
    return [[name, *_table_fingerprint(table)] for name, table in sorted(source.tables.items())]


@contextmanager
def explained(what: str, *frames: DataFrame) -> Iterator[None]:
    """Turn Spark's complaint about a column or an expression into one that lists the columns."""
    try:
        yield
    except AnalysisException as error:
        found = ", ".join(dict.fromkeys(name for frame in frames for name in frame.columns))
        raise DataError(
            f"The data set's {what} does not work: {_first_line(error)} Columns found: {found}."
        ) from error


@contextmanager
def files_explained() -> Iterator[None]:
    """Turn what Spark finds wrong in a file, once it reads it, into an error that names the file.

    Tables are read lazily, so whatever first counts or writes rows stands in this.
    """
    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        text = str(error)
        if not _OTHER_HEADER.search(text):
            raise
        file = re.search(r"CSV file: (\S+)", text)
        raise DataError(
            f"The header of {file[1] if file else 'a CSV file'} differs from that of another file "
            f"of its folder. All files of a table need the same columns in the same order."
        ) from error


def raw_files(path: str) -> list[Path]:
    """A table's files on this machine: the one, or all of a folder.

    Raises:
        DataError: there is nothing at the path.
    """
    root = Path(path)
    if not root.exists():
        raise DataError(f"{path} does not exist. Set the table's path in the data set's YAML.")
    return sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]


def _table_fingerprint(table: TableConfig) -> list[Any]:
    path = resolved_path(table.path)
    if "://" in path:
        return [fingerprint(path)]
    root, files = Path(path), raw_files(path)
    if table.path.startswith(_PACKAGE):  # the same in every environment that installs the package
        package = table.path.removeprefix(_PACKAGE).partition("/")[0]
        return [table.path, _version(package), [[f.name, f.stat().st_size] for f in files]]
    return [
        fingerprint(path),  # a path may hold a secret of the environment
        [[str(f.relative_to(root)), f.stat().st_size, f.stat().st_mtime_ns] for f in files],
    ]


def _version(package: str) -> str | None:
    """The version of the distribution that holds a package; None outside of any."""
    names = importlib.metadata.packages_distributions().get(package.partition(".")[0], [])
    return importlib.metadata.version(names[0]) if names else None


def _first_line(error: AnalysisException) -> str:
    return str(error).strip().splitlines()[0].split(" Did you mean")[0].rstrip(".") + "."
