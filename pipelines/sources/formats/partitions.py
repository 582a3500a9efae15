"""Reads the values of Hive folders (`month=01`) as they are written."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.sources.formats.names import quoted

_NULL = "__HIVE_DEFAULT_PARTITION__"
AS_TEXT = {"spark.sql.sources.partitionColumnTypeInference.enabled": "false"}


@contextmanager
def spark_settings(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Set settings of a session for the block alone."""
    before = {name: spark.conf.get(name, None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, value)


def typed_partitions(rows: DataFrame, files: Iterable[str]) -> DataFrame:
    """Rows whose partition columns, read as text, have a type again where no value would change.

    `month=1` to `month=12` are numbers; with a `month=01` among them all stay text.

    Args:
        rows: a table read with `AS_TEXT`.
        files: the paths of its files.
    """
    columns = {name.lower(): name for name, kind in rows.dtypes if kind == "string"}
    types = {columns[n]: t for n, t in _types(files).items() if n in columns and t != "string"}
    if not types:
        return rows
    return rows.select(
        *[
            F.col(quoted(c)).cast(types[c]).alias(c) if c in types else quoted(c)
            for c in rows.columns
        ]
    )


def _types(files: Iterable[str]) -> dict[str, str]:
    """Partition column in lower case -> the type that all of its values are written in."""
    values: dict[str, set[str]] = {}
    for folder in {file.rpartition("/")[0] for file in files}:
        for part in folder.split("/"):
            name, separator, value = part.partition("=")
            if separator and value != _NULL:
                values.setdefault(unquote(name).lower(), set()).add(unquote(value))
    return {name: _type(texts) for name, texts in values.items()}


def _type(texts: set[str]) -> str:
    if all(re.fullmatch(r"0|-?[1-9]\d{0,17}", text) for text in texts):
        return "int" if all(abs(int(text)) < 2**31 for text in texts) else "bigint"
    if all(re.fullmatch(r"-?(0|[1-9]\d{0,14})\.\d*[1-9]|-?(0|[1-9]\d{0,14})\.0", t) for t in texts):
        return "double"
    return "date" if all(_is_date(text) for text in texts) else "string"


def _is_date(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
