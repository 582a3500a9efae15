"""The events of a transactions source: read, checked, dated."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType

from optdist.config import Config
from optdist.config.source import FIRST_DAY, SourceConfig
from optdist.errors import DataError
from pipelines.sources.quarantine import REASON, first_reason, is_finite, number, require, set_aside
from pipelines.sources.tables import explained, joined_rows

DAY, AMOUNT = "event_day", "event_amount"


@dataclass(frozen=True)
class Events:
    """The events read (persisted), the good ones, and those set aside."""

    seen: DataFrame
    good: DataFrame
    bad: DataFrame


def clean_events(spark: SparkSession, config: Config, until: dt.date | None) -> Events:
    """Events with `event_day` and `event_amount`, and the bad ones with a reason.

    Args:
        spark: the session.
        config: the data set's description.
        until: keep no event after this day.
    """
    source = config.dataset.source
    rows = joined_rows(spark, source)
    for what, name in [("amount", source.amount), ("timestamp", source.timestamp)]:
        require(rows, [str(name)], what)
    require(rows, config.dataset.id, "id")
    for history in source.history:
        require(rows, history.key, "history key")
    typed = _with_day(rows, source).withColumn(AMOUNT, number(str(source.amount)))
    typed = typed.withColumn(
        REASON,
        first_reason(
            [(f"null {name}", F.col(name).isNull()) for name in config.dataset.id]
            + [
                ("unparsable amount", F.col(AMOUNT).isNull()),
                ("amount is not finite", ~is_finite(F.col(AMOUNT))),
                ("unparsable timestamp", F.col(DAY).isNull()),
                # a day of grace: east of the session's time zone the next day has begun
                ("timestamp in the future", F.col(DAY) > F.date_add(F.current_date(), 1)),
            ]
        ),
    )
    if until is not None:
        typed = typed.where(F.col(DAY).isNull() | (F.col(DAY) <= F.lit(until)))
    seen = typed.persist()
    good = seen.where(F.col(REASON).isNull()).drop(REASON)
    return Events(seen, good, set_aside(seen, "events", made=(DAY, AMOUNT)))


def reach(
    spark: SparkSession, source: SourceConfig, events: Events, as_of: dt.date | None
) -> tuple[dt.date, dt.date]:
    """The first day with an event, and the last that the data reach, `as_of` at most.

    Raises:
        DataError: there is no event.
    """
    # Of events after `as_of` only the last day is asked for: do the data reach as far as `as_of`?
    every = events.good if as_of is None else _with_day(joined_rows(spark, source), source)
    days = span(every.where(F.col(DAY) <= F.current_date()))
    if days is None:
        events.seen.unpersist()
        raise DataError("No event is left after `where` and the checks.")
    return days[0], min(days[1], as_of or days[1])


def span(events: DataFrame) -> tuple[dt.date, dt.date] | None:
    """The first and the last day of events; None where there is no event."""
    first, last = events.agg(F.min(DAY), F.max(DAY)).collect()[0]
    return None if last is None else (first, last)


def first_days(events: DataFrame, entity: list[str]) -> DataFrame:
    """Each entity's first day with an event: entity keys, `first_day`."""
    return events.groupBy(*entity).agg(F.min(DAY).alias(FIRST_DAY))


def _with_day(rows: DataFrame, source: SourceConfig) -> DataFrame:
    """Add `event_day`, null where the timestamp cannot be read.

    Raises:
        DataError: the timestamp is a number, which Spark would take for seconds since 1970.
    """
    name = str(source.timestamp)
    kind = rows.schema[name].dataType
    if isinstance(kind, NumericType):
        raise DataError(
            f"The timestamp {name} is a number ({kind.simpleString()}), which may be 20240131 or "
            f"seconds since 1970. Make a date of it under source.columns, for example "
            f"{name}: to_date(cast({name} AS string), 'yyyyMMdd'), or "
            f"to_date(timestamp_seconds({name}))."
        )
    with explained("timestamp", rows):
        return rows.withColumn(DAY, F.to_date(F.expr(f"try_cast(`{name}` AS timestamp)")))
