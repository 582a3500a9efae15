"""Reads the events of transactions: checked, dated, and how far they reach."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import reduce
from operator import and_

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import IntegralType, NumericType

from optdist.config.transactions import FIRST_DAY, TransactionsSourceConfig
from optdist.data.feature_table import JoinMatch
from optdist.errors import DataError
from pipelines.sources.columns import (
    AMOUNT,
    DAY,
    MARKS,
    REASON,
    column,
    explain_errors,
    first_reason,
    is_finite,
    is_inexact_id,
    is_no_id,
    is_ragged,
    main_table_of,
    parse_number,
    require,
    without_blanks,
)
from pipelines.sources.date_hints import suggest_day_of_number
from pipelines.sources.formats.names import quoted
from pipelines.sources.id_texts import require_one_text
from pipelines.sources.joins import read_checked
from pipelines.sources.no_events import explain_no_event
from pipelines.sources.own_columns import without_own_names
from pipelines.sources.quarantine import quarantine_rows, ragged_text
from pipelines.sources.reach import DayRange, Reach, find_reach
from pipelines.sources.remedies import EXAMPLES
from pipelines.sources.shapes import shape
from pipelines.sources.typed import raw_text, unparsed_reason
from pipelines.sources.values import guess_value


@dataclass(frozen=True)
class Events:
    """The events read (persisted), the good ones and their days, and those quarantined."""

    seen: DataFrame
    good: DataFrame
    bad: DataFrame
    reach: Reach
    entity: list[str]
    joins: list[JoinMatch] = field(default_factory=list)
    own: list[str] = field(default_factory=list)  # columns of the main table, joins apart

    def vanished(self) -> DataFrame:
        """The entities all of whose events were quarantined."""
        bad = F.coalesce(REASON, self.reach.reason()).isNotNull()
        keys = self.seen.where(bad).select(*map(column, self.entity))
        named = reduce(and_, [~is_no_id(keys, name) for name in self.entity])
        return keys.where(named).distinct().join(self.good, on=self.entity, how="left_anti")


def clean_events(
    spark: SparkSession,
    source: TransactionsSourceConfig,
    entity: list[str],
    until: dt.date | None = None,
) -> Events:
    """Events with `event_day` and `event_amount`, and the bad ones with a reason.

    Args:
        spark: the session.
        source: tables, columns, and what an event is.
        entity: the columns that name whose event it is.
        until: keep no event after this day.

    Raises:
        DataError: a column is missing, the timestamp is a number, or an id is written in two ways.
    """
    rows, joins, own = read_checked(spark, source)
    for names, what in roles(source, entity):
        rows = require(rows, names, what, main_table_of(source))
    rows = without_own_names(rows, source, entity)
    rows = without_blanks(rows, [*entity, *(name for block in source.blocks for name in block.key)])
    typed = with_day(rows, source.timestamp).withColumn(AMOUNT, parse_number(rows, source.amount))
    typed = typed.withColumn(REASON, F.coalesce(_reason(typed, entity), *unparsed_reason(rows)))
    if until is not None:
        typed = typed.where(F.col(DAY).isNull() | (F.col(DAY) <= F.lit(until)))
    seen = typed.persist()
    require_one_text(seen, entity)
    reach = find_reach(seen.where(F.col(REASON).isNull()))
    checked = seen.withColumn(REASON, F.coalesce(REASON, reach.reason()))
    good = checked.where(F.col(REASON).isNull()).drop(REASON, *MARKS)
    amount, timestamp = (raw_text(seen, name) for name in (source.amount, source.timestamp))
    texts = ragged_text(seen) | {
        "unparsable amount": amount,
        "amount is not finite": amount,
        "unparsable timestamp": timestamp,
        "timestamp in the future": timestamp,
    }
    value = guess_value(seen, source.amount)
    bad = quarantine_rows(checked, "events", (DAY, AMOUNT), texts=texts, value=value)
    mine = {name.lower() for name in own}  # `require` writes names as the settings do
    own = [name for name in good.columns if name.lower() in mine]
    return Events(seen, good, bad, reach, entity, joins, own)


def roles(source: TransactionsSourceConfig, entity: list[str]) -> list[tuple[list[str], str]]:
    """The columns that events must have, and the setting that names them.

    Args:
        source: amount, timestamp and the keys of histories.
        entity: the columns that name whose event it is.
    """
    keys = [(history.key, "history key") for history in source.blocks]
    if auto := source.auto_history:
        names = [*(auto.key or []), *auto.values, *(auto.categories or [])]
        keys.append((names, "history: auto"))
    return [
        ([source.amount], "amount"),
        ([source.timestamp], "timestamp"),
        (entity, "id"),
        *keys,
    ]


def find_data_range(
    spark: SparkSession,
    source: TransactionsSourceConfig,
    events: Events,
    as_of: dt.date | None = None,
) -> DayRange:
    """The first and the last day with an event, also of events after `as_of`.

    Args:
        spark: the session.
        source: where the events come from.
        events: the events until `as_of`.
        as_of: the day until which events were read; None: all.

    Raises:
        DataError: there is no event.
    """
    reach = events.reach
    if as_of is not None:  # of events after it only the days are looked at: do they reach it?
        rows = read_checked(spark, source, checked=False).rows  # once is enough
        reach = find_reach(with_day(rows, source.timestamp))
    if reach.range is None:
        reason = explain_no_event(spark, source, events.seen)
        events.seen.unpersist()
        raise DataError(reason)
    return reach.range


def first_days(events: DataFrame, entity: list[str]) -> DataFrame:
    """Each entity's first day with an event: entity keys, `first_day`."""
    return events.groupBy(*map(column, entity)).agg(F.min(DAY).alias(FIRST_DAY))


def with_day(rows: DataFrame, timestamp: str) -> DataFrame:
    """Add `event_day`, null where the timestamp cannot be read.

    Raises:
        DataError: the timestamp is a number, which Spark would take for seconds since 1970.
    """
    kind = rows.schema[timestamp].dataType
    if isinstance(kind, NumericType):
        raise DataError(_explain_number(rows, timestamp))
    with explain_errors("timestamp", rows):
        return rows.withColumn(
            DAY, F.to_date(F.expr(f"try_cast({quoted(timestamp)} AS timestamp)"))
        )


def _explain_number(rows: DataFrame, timestamp: str) -> str:
    """What to set for a timestamp that is a number, by what its values look like."""
    kind = rows.schema[timestamp].dataType
    whole = column(timestamp).cast("decimal(20,0)").cast("string")
    texts = [row[0] for row in rows.select(whole).dropna().limit(EXAMPLES).collect()]
    is_whole = isinstance(kind, IntegralType)
    sql = suggest_day_of_number(timestamp, texts, whole=is_whole) if texts else None
    seen = f"Its values look like `{shape(min(texts))}`. " if texts else ""
    remedy = f"Set source.columns.{timestamp}: {sql}" if sql else "Convert it in source.columns"
    return (
        f"The timestamp {timestamp} is a number ({kind.simpleString()}), which Spark would take "
        f"for seconds since 1970. {seen}{remedy} (a day such as 20240131 is read by "
        f"to_date(cast({timestamp} AS string), 'yyyyMMdd'))."
    )


def _reason(rows: DataFrame, entity: list[str]) -> F.Column:
    """Why an event cannot be used, or null."""
    return first_reason(
        is_ragged(rows)
        + [(f"null {name}", is_no_id(rows, name)) for name in entity]
        + [(f"inexact {name}", is_inexact_id(rows, name)) for name in entity]
        + [
            ("unparsable amount", F.col(AMOUNT).isNull()),
            ("amount is not finite", ~is_finite(F.col(AMOUNT))),
            ("unparsable timestamp", F.col(DAY).isNull()),
            # a day of grace: east of the session's time zone the next day has begun
            ("timestamp in the future", F.col(DAY) > F.date_add(F.current_date(), 1)),
        ]
    )
