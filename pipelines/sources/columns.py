"""Columns by name: required, parsed, checked, and Spark's complaints about them explained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from optdist.errors import DataError
from pipelines.sources.formats.messages import first_line
from pipelines.sources.formats.names import quoted

# columns that the pipeline adds
DAY, AMOUNT = "event_day", "event_amount"
LABEL, REASON = "label", "reason"


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
        columns = ", ".join(dict.fromkeys(name for frame in frames for name in frame.columns))
        raise DataError(
            f"The data set's {what} does not work: {first_line(error)} Columns found: {columns}."
        ) from error


def require(rows: DataFrame, names: list[str], what: str) -> None:
    """Refuse rows that lack a column.

    Args:
        rows: the table.
        names: the columns that must be there.
        what: the setting that names them, for the message.

    Raises:
        DataError: listing missing and found columns.
    """
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise DataError(
            f"The data set's {what} names columns that are not there: {', '.join(missing)}. "
            f"Found: {', '.join(rows.columns)}."
        )


def column(name: str) -> Column:
    """A column of a table by its whole name: `F.col` would take `a.b` for a field of `a`."""
    return F.col(quoted(name))


def parse_number(name: str) -> Column:
    """A column as a double, null where it cannot be read as one."""
    return F.expr(f"try_cast({quoted(name)} AS double)")


def is_finite(value: Column) -> Column:
    """Neither NaN nor infinite."""
    return reduce(
        lambda a, b: a & b, [~F.isnan(value), value != float("inf"), value != float("-inf")]
    )


def is_missing(name: str) -> Column:
    """Null, or a blank text."""
    return column(name).isNull() | (F.trim(column(name).cast("string")) == "")


def first_reason(checks: list[tuple[str, Column]]) -> Column:
    """The first reason whose condition holds, or null."""
    return F.coalesce(*[F.when(condition, F.lit(reason)) for reason, condition in checks])
