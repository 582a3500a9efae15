"""Reads Parquet, also of pandas' nanoseconds, and of files whose types differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from pipelines.sources.formats.files import FileFormat, Options, load
from pipelines.sources.formats.footers import (
    NANOSECONDS,
    NULL,
    UNREADABLE,
    Footer,
    common_type,
    read_footer,
)
from pipelines.sources.formats.names import quoted

_NANOS_AS_LONG = "spark.sql.legacy.parquet.nanosAsLong"
_MICROSECONDS = {nanos: plain for plain, nanos in NANOSECONDS.items()}


class Parquet(FileFormat):
    """Parquet files.

    Files of one folder may have other columns, and other types where one of them holds the values
    of all exactly. A column without such a type, or with one that Spark does not read, keeps its
    name with the reason behind it and no values, so that it matters only to who uses it.
    """

    reader = "parquet"

    def load(
        self, spark: SparkSession, path: str, files: list[Path], options: Options
    ) -> DataFrame:
        """Read files as they are if their columns are the same, and all are Spark's."""
        if (Path(path) / "_spark_metadata").is_dir():  # which says which files a stream has written
            listed = load(spark, self.reader, path, options, StructType()).inputFiles()
            written = {Path(unquote(urlsplit(file).path)) for file in listed}
            files = [file for file in files if file.absolute() in written]
        footers = _in_one_spelling([read_footer(file) for file in files])
        groups = _same_columns(footers)
        if len(groups) < 2 and all(_is_plain(kind) for f in footers for kind in f.types.values()):
            return load(spark, self.reader, path, options)
        # it is read when rows are, so it stays; of other columns it changes nothing
        spark.conf.set(_NANOS_AS_LONG, "true")
        if Path(path).is_dir():
            options = {**options, "basePath": path}
        targets = _targets(footers, Path(path))
        frames = [_read_group(spark, group, options, targets) for group in groups]
        return reduce(DataFrame.unionByName, frames)

    def explain(self, error: Exception) -> str | None:
        """Types that Spark does not read, or that differ from file to file."""
        text = str(error)
        if "NANOS" in text:
            return (
                "A column has timestamps in nanoseconds, which Spark reads from this machine "
                "alone. Write them in microseconds, in pandas with "
                "to_parquet(..., coerce_timestamps='us', allow_truncated_timestamps=True)."
            )
        other = re.search(
            r"Parquet column cannot be converted in file (\S+?)\.? Column: \[(.*?)\], "
            r"Expected: (\S+), Found: ([^\s.]+)",
            text,
        )
        if other:
            return (
                f"The column {other[2]} of {other[1]} is {other[4]}, and {other[3]} in another "
                f"file. Write all files of a table with the same types."
            )
        if "can not read class org.apache.parquet" in text:
            return "A Parquet file is damaged: its footer cannot be read. Write it again."
        return super().explain(error)


def _in_one_spelling(footers: Sequence[Footer]) -> list[Footer]:
    """Files whose columns are spelled as in the first file that has them: Spark ignores case."""
    spellings: dict[str, str] = {}
    for footer in footers:
        if len({name.lower() for name in footer.types}) < len(footer.types):
            return list(footers)  # which Spark refuses
        for name in footer.types:
            spellings.setdefault(name.lower(), name)
    return [
        Footer(
            footer.file,
            {spellings[name.lower()]: kind for name, kind in footer.types.items()},
            frozenset(spellings[name.lower()] for name in footer.inexact),
        )
        for footer in footers
    ]


def _same_columns(footers: Sequence[Footer]) -> list[list[Footer]]:
    """Files in groups that have the same columns of the same types, in any order."""
    groups: dict[str, list[Footer]] = {}
    for footer in footers:
        key = sorted((name, str(kind)) for name, kind in footer.types.items())
        groups.setdefault(str(key), []).append(footer)
    return list(groups.values())


def _is_plain(kind: Any) -> bool:
    """Whether Spark reads a type by itself."""
    name = str(kind)
    return name != NULL and name not in _MICROSECONDS and not name.startswith(UNREADABLE)


def _targets(footers: Sequence[Footer], root: Path) -> dict[str, Any]:
    """Each column of the files -> its type in the table, or the reason why it has none."""
    parts = footers[0].file.relative_to(root).parent.parts if root.is_dir() else ()
    folders = {part.partition("=")[0].lower() for part in parts}
    names = dict.fromkeys(name for footer in footers for name in footer.types)
    return {
        name: _target([f for f in footers if name in f.types], name)
        for name in names
        if name.lower() not in folders
    }


def _target(footers: Sequence[Footer], name: str) -> Any:
    kind = common_type(footers, name)
    if kind is not None:
        return _MICROSECONDS.get(kind, kind) if isinstance(kind, str) else kind
    examples = {str(footer.types[name]): footer.file.name for footer in reversed(footers)}
    return _Unusable(", ".join(f"{kind} in {file}" for kind, file in sorted(examples.items())))


class _Unusable(str):
    """Why a column cannot be read."""


def _read_group(
    spark: SparkSession, group: Sequence[Footer], options: Options, targets: dict[str, Any]
) -> DataFrame:
    """Read files of the same columns, as the columns and types of the whole table."""
    types = group[0].types
    schema = StructType()
    for name, kind in types.items():
        if kind in _MICROSECONDS:
            schema.add(name, "long")
        elif _is_plain(kind):
            schema.add(name, {"bigint": "long", "int": "integer"}.get(str(kind), kind))
    rows = load(spark, "parquet", [footer.file for footer in group], options, schema)
    known = {name.lower() for name in targets}
    folders = [name for name in rows.columns if name.lower() not in known]
    columns = [_column(name, types.get(name), kind) for name, kind in targets.items()]
    return rows.select(*columns, *[F.col(quoted(name)) for name in folders])


def _column(name: str, kind: Any, target: Any) -> Column:
    """A column of a file as the table has it."""
    if isinstance(target, str) and target.startswith(UNREADABLE):
        target = _Unusable(f"a type that Spark does not read: {target.removeprefix(UNREADABLE)}")
    if isinstance(target, _Unusable):
        return F.lit(None).cast("string").alias(f"{name} ({target})")
    if target == NULL:
        target = "string"
    if kind is None or kind == NULL:
        return F.lit(None).cast(target).alias(name)
    if kind not in _MICROSECONDS:
        return F.col(quoted(name)).cast(target).alias(name)
    nanos = quoted(name)
    micros = f"(({nanos} - pmod({nanos}, 1000)) div 1000)"
    if kind == NANOSECONDS["timestamp"]:
        return F.expr(f"timestamp_micros({micros})").alias(name)
    epoch = "TIMESTAMP_NTZ'1970-01-01 00:00:00'"
    return F.expr(f"{epoch} + {micros} * INTERVAL '0.000001' SECOND").alias(name)
