"""Joins a table that changes over time as it was known at each sample's cut.

What happened before the cut is known, as it is of events: a change on a snapshot's own date is not,
one on the day of a first purchase is. Of several changes before the cut the latest moment counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType

from optdist.config.tables import JoinConfig
from optdist.data.feature_table import JoinMatch
from optdist.errors import DataError
from optdist.log import LOG
from pipelines.sources.columns import MARKS, column, content_hash
from pipelines.sources.formats.names import quoted
from pipelines.sources.matches import explain_no_match, require_share, share
from pipelines.sources.shapes import with_shape

CUT, IS_KNOWN = "_cut", "_is_known"
_FROM, _TO, _ROW = "_valid_from", "_valid_to", "_row"


def with_validity(other: DataFrame, join: JoinConfig, keys: Sequence[str]) -> DataFrame:
    """The table's dated rows, with the moments from and to which they are valid.

    Args:
        other: the table to join.
        join: its keys, `valid_from`, `valid_to`.
        keys: the keys' names in the table.

    Raises:
        DataError: no row is dated, or two different rows of a key are of the same moment.
    """
    start = _moment(other, join.valid_from or "", "valid_from", join)
    end = F.lit(None).cast("timestamp")
    if join.valid_to:  # the day as a whole
        last = _moment(other, join.valid_to, "valid_to", join)
        end = F.date_add(F.to_date(last), 1).cast("timestamp")
    rows, dated, example = other.agg(
        F.count(F.lit(1)),
        F.count(start),
        F.min(
            with_shape(F.when(start.isNull(), _value(other, join.valid_from or "").cast("string")))
        ),
    ).collect()[0]
    if dated < rows:
        such = f", such as `{example}`" if example else ""
        message = (
            f"{rows - dated:,} of {rows:,} rows of {join.table} have no {join.valid_from}{such}"
        )
        if not dated:
            raise DataError(
                f"valid_from of the join with {join.table}: {message}, that can be read as a date. "
                f"Write an expression that can, such as to_date({join.valid_from}, 'dd/MM/yyyy')."
            )
        LOG.info(f"  {message}, that can be read as a date: they are valid for no sample")
    versions = other.withColumns({_FROM: start, _TO: end}).where(F.col(_FROM).isNotNull())
    if not join.aggregate:
        _require_one_row_per_moment(versions, join, keys)
    return versions


def cut_of(rows: DataFrame, known_before: tuple[str, int]) -> Column:
    """The moment before which the features of a sample are known.

    Args:
        rows: samples.
        known_before: the column with their day or moment, and days to add to it.
    """
    name, days = known_before
    if isinstance(rows.schema[name].dataType, NumericType):
        raise DataError(
            f"The samples' day {name} is a number. Write it as a date, YYYY-MM-DD, in the table."
        )
    day = F.expr(f"try_cast({quoted(name)} AS timestamp)")
    return F.date_add(F.to_date(day), days).cast("timestamp") if days else day


def join_valid(
    rows: DataFrame, versions: DataFrame, join: JoinConfig, keys: Sequence[str]
) -> DataFrame:
    """All rows with what was valid at their `CUT`, and `IS_KNOWN` where something was.

    Each distinct key and cut is looked up once. For the latest row these are put in order with the
    table's rows, so that a key's many changes are read once and not once for each cut.

    Args:
        rows: samples with `CUT`.
        versions: the rows of `with_validity`.
        join: aggregates, if any.
        keys: the keys' names in both tables.
    """
    names = [column(name) for name in keys]
    cuts = rows.select(*names, CUT).dropna().distinct()
    content = [column(name) for name in versions.columns if name not in {*keys, _FROM, _TO}]
    if join.aggregate:
        seen = cuts.join(versions, on=list(keys), how="inner").where(F.col(_FROM) < F.col(CUT))
        known = aggregated(seen.where(_lasts()), join, keys, CUT)
    else:
        dated = versions.select(
            *names, F.col(_FROM).alias(CUT), F.struct(_TO, *content).alias(_ROW)
        )
        # a row of the cut's own moment comes after it
        order = Window.partitionBy(*names).orderBy(CUT, F.col(_ROW).isNotNull())
        latest = F.last(_ROW, ignorenulls=True).over(order)
        both = dated.unionByName(cuts, allowMissingColumns=True).withColumn("_latest", latest)
        known = both.where(F.col(_ROW).isNull() & F.col("_latest").isNotNull())
        known = known.select(*names, CUT, "_latest.*").where(_lasts()).drop(_TO)
    return rows.join(known.withColumn(IS_KNOWN, F.lit(True)), on=[*keys, CUT], how="left")


def aggregated(other: DataFrame, join: JoinConfig, keys: Sequence[str], *more: str) -> DataFrame:
    """The join's aggregates of each key; they name the keys as the data set does.

    Args:
        other: the table's rows.
        join: its keys and aggregates.
        keys: the keys' names in the rows, in the order of `join.by`.
        more: columns to group by, next to the keys.
    """
    plain = other.withColumnsRenamed(dict(zip(keys, join.by, strict=True)))
    groups = plain.groupBy(*map(column, [*join.by, *more])).agg(*_aggregates(plain, join))
    return groups.withColumnsRenamed(dict(zip(join.by, keys, strict=True)))


def _aggregates(other: DataFrame, join: JoinConfig) -> list[Column]:
    """The join's aggregates, and the first mark of a row that cannot be used."""
    aggregates = [F.expr(sql).alias(name) for name, sql in join.aggregate.items()]
    for mark in marks_of(other):
        about = {k: [] if k == "columns" else v for k, v in other.schema[mark].metadata.items()}
        aggregates.append(F.first(mark, ignorenulls=True).alias(mark, metadata=about))
    return aggregates


def of_joined(mark: str) -> str:
    """The name of a joined table's mark, next to that of the rows."""
    return f"{mark}_of_joined"


def marks_of(other: DataFrame) -> list[str]:
    """The joined table's marks of rows that cannot be used."""
    return [name for name in map(of_joined, MARKS) if name in other.columns]


def check_known(
    joined: DataFrame, versions: DataFrame, join: JoinConfig, keys: Sequence[str]
) -> JoinMatch:
    """Print the share of samples with a row that was valid at their cut.

    Args:
        joined: samples joined, with `CUT` and `IS_KNOWN`.
        versions: the table's rows.
        join: its keys, and the least share.
        keys: the keys' names in both tables.

    Raises:
        DataError: no sample has one, or fewer than `join.min_matched`.
    """
    day = F.to_date(CUT)
    count, dated, matched, first, last = joined.agg(
        F.count(F.lit(1)), F.count(CUT), F.count(IS_KNOWN), F.min(day), F.max(day)
    ).collect()[0]
    match = JoinMatch(
        table=join.table, by=join.by, rows=count, matched=matched, valid_from=join.valid_from
    )
    if not count:
        return match
    if dated < count:
        LOG.info(f"  {count - dated:,} of {count:,} samples have no day that can be read as a date")
    LOG.info(f"  join with {join.table}: {share(match)} have a row that was valid at their cut")
    if not matched:
        _explain_none(joined, versions, join, keys, f"{first} to {last}")
    require_share(match, join, "have a row that was valid at their cut")
    return match


def _explain_none(
    rows: DataFrame, versions: DataFrame, join: JoinConfig, keys: Sequence[str], cuts: str
) -> None:
    """Raise a DataError: keys or days do not fit."""
    names = [column(name) for name in keys]
    partners = rows.select(*names).join(versions.select(*names), on=list(keys), how="left_semi")
    if partners.isEmpty():
        explain_no_match(rows, versions, join, keys)
    first, last = versions.agg(F.min(F.to_date(_FROM)), F.max(F.to_date(_FROM))).collect()[0]
    raise DataError(
        f"No sample has a row of {join.table} that was valid at its cut: the cuts are {cuts}, and "
        f"{join.valid_from} is {first} to {last}. Look at joins[].valid_from."
    )


def _require_one_row_per_moment(versions: DataFrame, join: JoinConfig, keys: Sequence[str]) -> None:
    """Raise a DataError if a key has two rows of one moment that differ in anything."""
    marks = marks_of(versions)
    content = content_hash([name for name in versions.columns if name not in marks])
    names = [column(name) for name in keys]
    known = versions.where(reduce(and_, [name.isNotNull() for name in names]))
    hashed = known.select(*names, _FROM, content.alias("_content"))
    groups = hashed.groupBy(*names, _FROM).agg(
        F.min("_content").alias("_low"), F.max("_content").alias("_high")
    )
    several = groups.where("_low != _high").count()
    if several:
        raise DataError(
            f"In the table {join.table} {several:,} keys ({', '.join(join.by)}) have rows that "
            f"differ and are valid from the same moment ({join.valid_from}), so that none of them "
            f"is the latest. Give moments with a time of day, or aggregate (joins[].aggregate)."
        )


def _lasts() -> Column:
    """Whether a row's validity has not ended before the cut."""
    return F.col(_TO).isNull() | (F.col(_TO) >= F.col(CUT))


def _moment(other: DataFrame, value: str, setting: str, join: JoinConfig) -> Column:
    """A column, or an expression, as a timestamp; null where it cannot be read as one."""
    kind = other.select(_value(other, value).alias("value")).schema["value"].dataType
    if isinstance(kind, NumericType):
        raise DataError(
            f"{setting} of the join with {join.table}, {value}, is a number "
            f"({kind.simpleString()}). Write an expression that makes a date of it, such as "
            f"to_date(cast({value} AS string), 'yyyyMMdd') or timestamp_seconds({value})."
        )
    sql = quoted(value) if value in other.columns else value
    return F.expr(f"try_cast({sql} AS timestamp)")


def _value(other: DataFrame, value: str) -> Column:
    return column(value) if value in other.columns else F.expr(value)
