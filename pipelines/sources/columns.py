"""Columns by name: required, parsed, checked, and Spark's complaints about them explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StringType

from optdist.config.source import SourceConfig
from optdist.errors import DataError
from pipelines.sources.formats.base import MARKS, RAGGED
from pipelines.sources.formats.messages import first_line
from pipelines.sources.formats.names import quoted

# columns that the pipeline adds
DAY, AMOUNT = "event_day", "event_amount"
LABEL, REASON = "label", "reason"
ROW_KEY, GROUP_KEY = "row_key", "group_key"  # hashes of a sample's id and of its split key
IS_RAGGED = "more or fewer fields than the header"  # where the column RAGGED has a line
# what Spark casts to a number and is none in a table: 12.5D, 1f, 0x1F
_PLAIN = r"^\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)\s*$"
# how other programs write that there is no id: pandas, SQL, Python, R, Excel, MySQL, JavaScript
NO_ID = (
    *("", "nan", "-nan", "<na>", "na", "n/a", "#n/a", "#n/a n/a", "#na", "nat", "nil"),
    *("null", "(null)", "[null]", "<null>", "#null!", "none", "(none)", "<none>", "\\n"),
    *("undefined", "(blank)", "unknown", "(unknown)"),
)
_EXACT = {"double": 2**53, "float": 2**24}  # from where on whole numbers share a value
BLANKS = " \t\r\n\u00a0\ufeff"  # the last two: no-break space, byte order mark
DISTINCT_ERROR = 0.01  # of approximate counts, relative


@contextmanager
def explain_errors(what: str, *frames: DataFrame) -> Iterator[None]:
    """Turn Spark's complaint about a column or an expression into one that lists the columns.

    Args:
        what: the setting at work, for the message.
        frames: the tables whose columns are listed.

    Raises:
        DataError: in place of Spark's AnalysisException.
    """
    try:
        yield
    except AnalysisException as error:
        columns = ", ".join(
            dict.fromkeys(name for frame in frames for name in frame.columns if name not in MARKS)
        )
        raise DataError(
            f"The data set's {what} does not work: {first_line(error)} Columns found: {columns}."
        ) from error


def require(rows: DataFrame, names: list[str], what: str, more: str = "") -> DataFrame:
    """Refuse rows that lack a column; the others get the letter case of the configuration.

    Args:
        rows: the table.
        names: the columns that must be there.
        what: the setting that names them, for the message.
        more: the message's end.

    Raises:
        DataError: listing missing and found columns.
    """
    columns = [name for name in rows.columns if name not in MARKS]
    cases = {name.lower(): name for name in columns}
    missing = [name for name in names if name.lower() not in cases]
    if missing:
        raise DataError(
            f"The data set's {what} names columns that are not there: {', '.join(missing)}. "
            f"Found: {', '.join(columns)}.{more}"
        )
    other = {cases[name.lower()]: name for name in names if name not in columns}
    return rows.withColumnsRenamed(other) if other else rows


def main_table_of(source: SourceConfig) -> str:
    """A sentence about whose columns these are; "" where there is one table only."""
    main, *others = source.tables
    if not others:
        return ""
    joined = ", ".join(others)
    return f" The first of source.tables, {main}, is the main table: {joined} can only be joined."


def column(name: str) -> Column:
    """A column of a table by its whole name: `F.col` would take `a.b` for a field of `a`."""
    return F.col(quoted(name))


def parse_number(rows: DataFrame, name: str) -> Column:
    """A column of rows as a double, null where it cannot be read as one, as `12.5D`."""
    number = F.expr(f"try_cast({quoted(name)} AS double)")
    if not is_text(rows, name):
        return number
    return F.when(F.lower(column(name)).rlike(_PLAIN), number)


def is_text(rows: DataFrame, name: str) -> bool:
    """Whether a column of rows is text."""
    return any(
        field.name.lower() == name.lower() and isinstance(field.dataType, StringType)
        for field in rows.schema
    )


def is_finite(value: Column) -> Column:
    """Neither NaN nor infinite."""
    return reduce(
        lambda a, b: a & b, [~F.isnan(value), value != float("inf"), value != float("-inf")]
    )


def about_distinct(value: Column) -> Column:
    """How many values a column has, within `DISTINCT_ERROR`, nulls left out; a sketch of 16 KB.

    As exact an `approx_count_distinct` takes many times as long.
    """
    hashed = F.when(value.isNotNull(), F.xxhash64(value))
    return F.hll_sketch_estimate(F.hll_sketch_agg(hashed, F.lit(14)))


def without_blanks(rows: DataFrame, names: Sequence[str]) -> DataFrame:
    """Rows whose keys have no blanks around their text: `7 ` and `7` name the same."""
    texts = [name for name in names if is_text(rows, name)]
    return rows.withColumns({name: F.btrim(column(name), F.lit(BLANKS)) for name in texts})


def is_missing(name: str) -> Column:
    """Null, or a blank text."""
    return column(name).isNull() | (F.trim(column(name).cast("string")) == "")


def is_no_id(rows: DataFrame, name: str) -> Column:
    """Whether a column of rows names nobody: null, NaN, blank, or a word for null."""
    if is_text(rows, name):
        return column(name).isNull() | F.lower(F.trim(column(name))).isin(*NO_ID)
    if isinstance(rows.schema[name].dataType, (DoubleType, FloatType)):
        return column(name).isNull() | F.isnan(column(name))
    return column(name).isNull()


def is_inexact_id(rows: DataFrame, name: str) -> Column:
    """Whether an id is of a type of fractions, and too large to be told from its neighbours."""
    limit = _EXACT.get(rows.schema[name].dataType.typeName())
    return F.lit(False) if limit is None else F.abs(column(name)) >= limit


def content_hash(names: Sequence[str]) -> Column:
    """A hash of columns, which differs where a null is in another one of them."""
    values = [column(name) for name in names]
    return F.xxhash64(*values, *[value.isNull() for value in values])  # it skips over nulls


def is_ragged(rows: DataFrame) -> list[tuple[str, Column]]:
    """The check, if the rows are from a format that marks such lines."""
    return [(IS_RAGGED, F.col(RAGGED).isNotNull())] if RAGGED in rows.columns else []


def first_reason(checks: list[tuple[str, Column]]) -> Column:
    """The first reason whose condition holds, or null."""
    return F.coalesce(*[F.when(condition, F.lit(reason)) for reason, condition in checks])
