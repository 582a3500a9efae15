"""Describes all columns of a table from its first rows and one aggregation over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from optdist.config.tables import TableConfig
from pipelines.drafting.guesses import amount_reader, time_readers
from pipelines.drafting.request import DraftError
from pipelines.sources.columns import (
    DISTINCT_ERROR,
    about_distinct,
    column,
    is_missing,
    is_no_id,
    parse_number,
)
from pipelines.sources.formats.registry import explain_read_errors, read_table
from pipelines.sources.texts import Statistics, text_measures

Sort = Literal["time", "number", "text", "boolean", "other"]

HEAD = 1_000  # rows that the driver looks at
_MOST = 0.99  # of a column's values that must be readable as its type
_TIMES = (T.DateType, T.TimestampType, T.TimestampNTZType)
_OTHERS = (T.ArrayType, T.MapType, T.StructType, T.BinaryType)


@dataclass(frozen=True)
class ColumnProfile:
    """What the values of a column are like; counts are of rows."""

    name: str
    sort: Sort
    is_text: bool  # in the file
    type: str | None  # to declare, where it is text in the file
    reader: str | None  # Spark SQL that reads it, where a type alone does not
    rows: int
    filled: int  # neither null nor blank
    named: int  # not a word for null either: nan, none
    distinct: int  # about
    whole: bool  # all its numbers are whole
    low: float | None
    high: float | None
    mean: float | None
    negatives: int
    zeros: int
    content: int  # the same for columns with the same values in all rows

    @property
    def missing(self) -> float:
        """The share of rows without a value."""
        return 1 - self.filled / max(self.rows, 1)

    @property
    def is_constant(self) -> bool:
        """Whether it has one value, or none."""
        return self.distinct < 2 or (self.low is not None and self.low == self.high)

    @property
    def is_code(self) -> bool:
        """Whether its values may be names of things: text, or whole numbers."""
        return self.sort == "text" or (self.sort == "number" and self.whole)

    @property
    def repeats(self) -> float:
        """Rows for each distinct value."""
        return self.filled / max(self.distinct, 1)

    @property
    def is_unique(self) -> bool:
        """Whether, as far as an approximate count tells, no value is there twice."""
        return self.distinct >= (1 - 4 * DISTINCT_ERROR) * self.filled > 0


@dataclass(frozen=True)
class TableProfile:
    """A table and its columns by name."""

    name: str
    table: TableConfig  # with the values of variables: to read, never to write down
    written: TableConfig
    rows: int
    different: int  # rows that differ, about
    columns: dict[str, ColumnProfile]

    @property
    def has_header(self) -> bool:
        """Whether its columns have names of their own."""
        return self.table.options.get("header", "true") != "false"

    @property
    def types(self) -> dict[str, str]:
        """The types to declare."""
        return {name: c.type for name, c in self.columns.items() if c.type}


@explain_read_errors()
def profile_table(
    spark: SparkSession, name: str, written: TableConfig, table: TableConfig
) -> TableProfile:
    """Describe a table, in one pass over its rows.

    Args:
        spark: the session.
        name: the table's name in the data set.
        written: where it is, as the data set will have it.
        table: the same with the values of variables.

    Raises:
        DataError: it cannot be read.
        DraftError: it has no row.
    """
    rows = read_table(spark, name, table)
    head = rows.limit(HEAD).collect()
    guesses = [_Guess.of(rows, i, [row[i] for row in head]) for i in range(len(rows.columns))]
    whole_row = F.xxhash64(*[_hashable(rows, c) for c in rows.columns])
    parts = [F.struct(*g.measures(rows, whole_row)).alias(f"c{i}") for i, g in enumerate(guesses)]
    different = about_distinct(whole_row).alias("different")
    row = rows.agg(F.count(F.lit(1)).alias("rows"), different, *parts).collect()[0]
    if not row["rows"]:
        raise DraftError(f"The table {name} has no row. Give one with rows: {written.path}.")
    columns = [g.profile(row[f"c{i}"].asDict(), row["rows"]) for i, g in enumerate(guesses)]
    different_rows = min(row["different"], row["rows"])
    by_name = {c.name: c for c in columns}
    return TableProfile(name, table, written, row["rows"], different_rows, by_name)


@dataclass(frozen=True)
class _Guess:
    """A column with what its first values suggest."""

    name: str
    kind: T.DataType
    times: Sequence[str]  # SQL that may read it as a time
    amount: str | None  # SQL that may read it as a number

    @classmethod
    def of(cls, rows: DataFrame, place: int, values: Sequence[Any]) -> _Guess:
        name, kind = rows.columns[place], rows.schema.fields[place].dataType
        texts = [str(value) for value in values if value is not None and str(value).strip()]
        if isinstance(kind, T.StringType):
            times = time_readers(name, texts, is_number=False)
            return cls(name, kind, times, None if times else amount_reader(name, texts))
        if isinstance(kind, T.IntegralType):
            return cls(name, kind, time_readers(name, texts, is_number=True), None)
        return cls(name, kind, (), None)

    @property
    def is_text(self) -> bool:
        return isinstance(self.kind, T.StringType)

    def measures(self, rows: DataFrame, whole_row: Column) -> list[Column]:
        value, text = column(self.name), self.is_text
        hashable = _hashable(rows, self.name)
        filled = hashable.isNotNull() if isinstance(self.kind, _OTHERS) else ~is_missing(self.name)
        number = self._number(rows)
        finite = F.when(F.abs(number) < float("inf"), number)
        counted = F.trim(value) if text else hashable
        return [
            F.count_if(filled).alias("filled"),
            F.count_if(filled & ~self._is_no_id(rows)).alias("named"),
            about_distinct(F.when(filled, counted)).alias("distinct"),
            F.count(finite).alias("numbers"),
            F.count_if(finite != F.floor(finite)).alias("fractions"),
            F.count_if(finite < 0).alias("negatives"),
            F.count_if(finite == 0).alias("zeros"),
            F.min(finite).alias("low"),
            F.max(finite).alias("high"),
            F.avg(finite).alias("mean"),
            F.sum(F.pmod(F.xxhash64(hashable.cast("string"), whole_row), F.lit(1 << 31))).alias(
                "content"
            ),
            F.array(*[F.count(F.expr(sql)) for sql in self.times]).alias("times"),
            (F.struct(*text_measures(rows, self.name)) if text else F.lit(None)).alias("texts"),
        ]

    def _is_no_id(self, rows: DataFrame) -> Column:
        return F.lit(False) if isinstance(self.kind, _OTHERS) else is_no_id(rows, self.name)

    def _number(self, rows: DataFrame) -> Column:
        if isinstance(self.kind, (*_OTHERS, *_TIMES)):
            return F.lit(None).cast("double")
        if self.amount:
            return F.expr(self.amount)
        return parse_number(rows, self.name)

    def profile(self, found: dict[str, Any], rows: int) -> ColumnProfile:
        texts = Statistics(**found["texts"].asDict()) if self.is_text else None
        sort, kind, reader = self._sort(found, texts)
        is_number = sort == "number"
        return ColumnProfile(
            name=self.name,
            sort=sort,
            is_text=self.is_text,
            type=kind,
            reader=reader,
            rows=rows,
            filled=found["filled"],
            named=found["named"],
            distinct=min(found["distinct"], found["filled"]),
            whole=is_number and not found["fractions"],
            low=found["low"] if is_number else None,
            high=found["high"] if is_number else None,
            mean=found["mean"] if is_number else None,
            negatives=found["negatives"] if is_number else 0,
            zeros=found["zeros"] if is_number else 0,
            content=found["content"] or 0,
        )

    def _sort(
        self, found: dict[str, Any], texts: Statistics | None
    ) -> tuple[Sort, str | None, str | None]:
        """The sort of the column, the type to declare, and the SQL that reads it."""
        if isinstance(self.kind, _OTHERS):
            return "other", None, None
        if isinstance(self.kind, T.BooleanType):
            return "boolean", None, None
        if isinstance(self.kind, _TIMES):
            return "time", None, None
        best = max(range(len(self.times)), key=lambda i: found["times"][i], default=None)
        if best is not None and found["times"][best] >= _MOST * max(found["filled"], 1):
            if texts and self.times[best].startswith("try_cast("):
                return "time", "date" if texts.days == texts.values else "timestamp", None
            return "time", None, self.times[best]
        if texts is None:
            return "number", None, None
        if not texts.values or texts.zeros:
            return "text", None, None
        if self.amount and found["numbers"] >= _MOST * texts.values:
            return "number", None, self.amount
        if texts.numbers < _MOST * texts.values:
            return "text", None, None
        return "number", texts.type if texts.type != "string" else "double", None


def _hashable(rows: DataFrame, name: str) -> Column:
    """A column that can be hashed and counted, whatever its type."""
    is_other = isinstance(rows.schema[name].dataType, _OTHERS)
    return F.to_json(F.struct(column(name))) if is_other else column(name)
