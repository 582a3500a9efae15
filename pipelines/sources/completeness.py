"""Decides until which day the events are complete: the last day may have been loaded half.

The last day is compared with the same weekday of the weeks before it. It looks cut short if it has
less than half of the events of any of them, or if it has no event in hours in which all of them
had a share that is not left out by chance. With few events or few weeks nothing is decided.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.config.transactions import TransactionsSourceConfig
from pipelines.sources.columns import DAY
from pipelines.sources.formats.names import quoted

WEEKS, LEAST_WEEKS = 8, 4  # how many weeks to look back, and how many are evidence
LEAST_EVENTS = 30  # of the median day: fewer are no evidence
LEAST_SHARE = 0.5  # of the smallest day's events, below which the last day looks cut short
LATE_SHARE = 0.05  # of a day's events that must come after the last day's last hour
CHANCE = 0.001  # that a whole day would have none of them

Hours = Sequence[int]  # events of a day in each of its 24 hours


@dataclass(frozen=True)
class Completeness:
    """Until which day the events are complete, so that label windows may end there, and why."""

    until: dt.date
    reason: str


def find_completeness(
    events: DataFrame,
    source: TransactionsSourceConfig,
    days: tuple[dt.date, dt.date],
    as_of: dt.date | None = None,
) -> Completeness:
    """Decide until which day the events are complete: `as_of` at most.

    Args:
        events: good events with `event_day`, none after `as_of`.
        source: `timestamp`, and what `days_incomplete` says.
        days: first and last day of all events, also of those after `as_of`.
        as_of: the day until which events were read; None: all.
    """
    first, last = days
    end = min(last, as_of or last)
    if source.days_incomplete is not None:
        until = min(end, last - dt.timedelta(source.days_incomplete))
        return Completeness(until, f"source.days_incomplete is {source.days_incomplete}")
    if end < last:
        return Completeness(end, f"there are events until {last}")
    weeks = min(WEEKS, (last - first).days // 7)
    sign = why_cut_short(hours_by_week(events, source.timestamp, last, weeks))
    if sign is None:
        return Completeness(last, "nothing says that the last day is cut short")
    return Completeness(
        last - dt.timedelta(1),
        f"{last} looks cut short: {sign}; source.days_incomplete: 0 would take it as whole",
    )


def why_cut_short(days: Sequence[Hours]) -> str | None:
    """Why the last day looks cut short; None: it does not, or there is too little evidence.

    Args:
        days: events by hour of the last day, and of the same weekday of the weeks before.
    """
    (hours, *others), (count, *counts) = days, [sum(hours) for hours in days]
    if len(counts) < LEAST_WEEKS or median(counts) < LEAST_EVENTS:
        return None
    if count < LEAST_SHARE * min(counts):
        return (
            f"it has {count:,} events, and the same weekday of the {len(counts)} weeks before had "
            f"{min(counts):,} or more"
        )
    end = max(hour for hour, number in enumerate(hours) if number) + 1 if count else 0
    late = min(sum(other[end:]) / max(sum(other), 1) for other in others)
    if late >= LATE_SHARE and (1 - late) ** count < CHANCE:
        return (
            f"it has no event after {end:02}:00, and the same weekday of the {len(counts)} weeks "
            f"before had {late:.0%} or more of its events later"
        )
    return None


def hours_by_week(events: DataFrame, timestamp: str, last: dt.date, weeks: int) -> list[Hours]:
    """Events by hour of a day, and of the same weekday of the weeks before it, latest first.

    Args:
        events: events with `event_day`.
        timestamp: the column with a date or timestamp.
        last: the day.
        weeks: how many weeks before it.
    """
    back = F.datediff(F.lit(last), DAY)
    same = events.where((back % 7 == 0) & back.between(0, 7 * weeks))
    hour = F.hour(F.expr(f"try_cast({quoted(timestamp)} AS timestamp)"))
    rows = same.groupBy((back / 7).cast("int").alias("week"), hour.alias("hour")).count().collect()
    counts: Mapping[tuple[int, int], int] = {(row[0], row[1]): int(row[2]) for row in rows}
    return [[counts.get((week, hour), 0) for hour in range(24)] for week in range(weeks + 1)]
