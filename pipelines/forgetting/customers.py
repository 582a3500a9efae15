"""Reads which customers are to be forgotten, and makes the table that rows are matched with."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StringType, StructField, StructType

from optdist.config import DatasetConfig
from optdist.errors import ConfigError
from pipelines.sources.columns import NO_ID, column

MOST = 100_000  # customers of one run: they are a small table on the driver and in each executor
_WHOLE = re.compile(r"^(-?\d+)\.0+$")


@dataclass(frozen=True)
class Customers:
    """The customers to forget: the columns that name one, and a value of each for each customer."""

    columns: tuple[str, ...]
    ids: tuple[tuple[str, ...], ...]

    def table(self, spark: SparkSession) -> DataFrame:
        """A row for each customer: `key_0`, `key_1` and so on, as `plain` writes values."""
        fields = [StructField(key, StringType()) for key in self.keys]
        return spark.createDataFrame(list(self.ids), StructType(fields))

    @property
    def keys(self) -> list[str]:
        """The columns of `table`."""
        return [f"key_{i}" for i in range(len(self.columns))]

    def forms(self) -> list[tuple[str, ...]]:
        """How a table may have written each id: a whole number also as 17.0."""
        return [form for one in self.ids for form in itertools.product(*map(_forms, one))]


@dataclass(frozen=True)
class Wish:
    """What a user asks for.

    Attributes:
        customers: to forget.
        keep_raw: go on although raw tables still have them, or cannot be read.
        delete_versions: delete the versions that learned from them, those in use excepted.
    """

    customers: Customers
    keep_raw: bool = False
    delete_versions: bool = False


def columns_of(dataset: DatasetConfig, by: Sequence[str] | None = None) -> tuple[str, ...]:
    """The columns that name a customer.

    Without a choice these are the data set's `split_key` where it is part of `id`, because it
    names who must not be in two splits, such as the customer of an id of customer and product.

    Args:
        dataset: names the columns of an id.
        by: the columns that were asked for.

    Raises:
        ConfigError: a column is none of the id, so that scores do not have it.
    """
    if by is None:
        by = dataset.split_key if set(dataset.split_key) <= set(dataset.id) else dataset.id
    unknown = [name for name in by if name not in dataset.id]
    if unknown or not by:
        raise ConfigError(
            f"--by {','.join(by)}: customers are found by columns of dataset.id "
            f"({', '.join(dataset.id)}), which all that is written has."
        )
    return tuple(dict.fromkeys(by))


def read_customers(texts: Sequence[str], file: Path | None, columns: Sequence[str]) -> Customers:
    """The customers of the command line and of a file, each once.

    Args:
        texts: an id each; for several columns, values with commas between, quoted as in CSV.
        file: has one id a line, and may begin with a line of the columns' names.
        columns: the result of `columns_of`.

    Raises:
        ConfigError: no customer is named, the file cannot be read, or a value is missing.
    """
    lines = [(f"argument {i}", text) for i, text in enumerate(texts, 1)]
    if file is not None:
        lines += [(f"{file}, line {i}", text) for i, text in enumerate(_lines(file), 1)]
    header = tuple(name.lower() for name in columns)
    records = []
    for place, text in lines:
        values = _values(place, text, columns)
        is_header = tuple(value.lower() for value in values) == header
        if not (is_header and place.endswith(", line 1")):
            records.append(values)
    ids = tuple(dict.fromkeys(records))
    if not ids:
        raise ConfigError("No customer is named. Give ids as arguments, or one a line in --file.")
    if len(ids) > MOST:
        raise ConfigError(f"{len(ids):,} customers are more than {MOST:,}: forget them in parts.")
    return Customers(tuple(columns), ids)


def plain_text(text: str) -> str:
    """A value as it is compared: without blanks around it, a whole number without `.0`."""
    return _WHOLE.sub(r"\1", text.strip())


def plain(rows: DataFrame, name: str) -> Column:
    """The same of a column, whatever its type."""
    value = column(name)
    if isinstance(rows.schema[name].dataType, (DoubleType, FloatType)):  # 1.0E7
        whole = F.floor(value) == value
        text = F.when(whole, value.cast("decimal(38,0)").cast("string"))
        return F.coalesce(text, value.cast("string"))
    return plain_value(value.cast("string"))


def plain_value(text: Column) -> Column:
    """The same of a column of text."""
    trimmed = F.regexp_replace(text, r"^\s+|\s+$", "")
    number = F.when(trimmed.rlike(r"^-?\d(\.\d+)?E\d+$"), trimmed.cast("decimal(38,0)"))
    return F.coalesce(number.cast("string"), F.regexp_replace(trimmed, r"^(-?\d+)\.0+$", "$1"))


def _values(place: str, text: str, columns: Sequence[str]) -> tuple[str, ...]:
    values = [text]
    if len(columns) > 1:
        values = next(csv.reader([text], skipinitialspace=True), [])
    if len(values) != len(columns):
        raise ConfigError(
            f"{place} has {len(values)} value{'s' * (len(values) != 1)}; a customer of this data "
            f"set is {','.join(columns)}. Quote a value that has a comma, or choose columns (--by)."
        )
    plains = tuple(map(plain_text, values))
    if any(value.lower() in NO_ID for value in plains):
        raise ConfigError(f"{place} has an empty value, or a word for none, which names nobody.")
    return plains


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"--file {file} cannot be read: {reason}.") from error
    return [line for line in text.splitlines() if line.strip()]


def _forms(value: str) -> list[str]:
    return [value, f"{value}.0"] if re.fullmatch(r"-?\d+", value) else [value]
