"""Holds out the newest dates: which samples are out of time, and which lie in the gap before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from optdist.config import SourceConfig, SplitConfig
from optdist.errors import DataError
from pipelines.monitoring.data_report.periods import day_of
from pipelines.sources.columns import column


@dataclass(frozen=True)
class OutOfTime:
    """The newest dates of a table's samples.

    Args:
        day: the column with a sample's day.
        start: the first day that is held out.
        last_before: the last day whose label window ends before `start`; samples between the two
            are in the gap.
    """

    day: str
    start: dt.date
    last_before: dt.date

    @property
    def held_out(self) -> Column:
        """Whether a sample is out of time."""
        return self._date >= F.lit(self.start)

    @property
    def in_gap(self) -> Column:
        """Whether a sample's label window reaches into the days that are held out."""
        return (self._date > F.lit(self.last_before)) & ~self.held_out

    @property
    def _date(self) -> Column:
        return column(self.day).cast("date")


def find_out_of_time(
    samples: DataFrame, source: SourceConfig, split: SplitConfig
) -> OutOfTime | None:
    """The newest dates that are held out, or None where `split.by` does not ask for that.

    Args:
        samples: all samples, with the column of their day; one row a date comes to the driver.
        source: says which column that is, and which days a label is of.
        split: how many samples to hold out, at least.

    Raises:
        DataError: samples have no date, or all have the same, or no earlier one is left.
    """
    day, _ = day_of(source)
    if split.by != "time" or day is None:
        return None
    counts = samples.groupBy(column(day).cast("date").alias("day")).agg(F.count("*")).collect()
    rows = {row[0]: int(row[1]) for row in counts}
    undated = rows.pop(None, 0)
    if undated:
        raise DataError(
            f"split.by: time needs the date of each sample, and {undated:,} have none in {day}. "
            f"Leave them out with source.where."
        )
    if not rows:  # no sample at all, which is refused later
        return None
    start = newest_dates(list(rows.items()), split.newest)
    days = source.label_days[1] if source.label_days else split.gap_days or 0
    last_before = start - dt.timedelta(days + 1)
    dates = f"the dates of {day} are {min(rows)} to {max(rows)}"
    if len(rows) == 1:
        raise DataError(
            f"split.by: time needs several dates, and {dates}, only one. Take samples at more "
            f"dates, or set split.by: customer."
        )
    if min(rows) > last_before:
        raise DataError(
            f"split.by: time leaves nothing to train on: {dates}, the newest from {start} on are "
            f"held out, and a label's window must end before that day, {days} days after its "
            f"sample's. Take samples at earlier dates, a smaller split.newest or a shorter "
            f"horizon, or set split.by: customer."
        )
    return OutOfTime(day, start, last_before)


def newest_dates(rows: Sequence[tuple[dt.date, int]], share: float) -> dt.date:
    """The latest day from which on there is at least a share of all samples.

    Args:
        rows: each day once, with its number of samples.
        share: of the samples, in (0, 1).
    """
    newest = sorted(rows, reverse=True)
    counts = list(accumulate(count for _, count in newest))
    return next(
        day
        for (day, _), held_out in zip(newest, counts, strict=True)
        if held_out >= share * counts[-1]
    )
