"""Counts samples and labels by split and date, and gathers dates to periods for a page."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.config import SourceConfig
from optdist.data.feature_table import EVERY_SPLIT
from pipelines.monitoring.data_report.statistics import DateCount, PeriodStatistics, SplitStatistics
from pipelines.sources.columns import LABEL, column

MOST = 24  # periods on a page


_LENGTHS: list[Callable[[dt.date], dt.date]] = [
    lambda day: day,
    lambda day: day - dt.timedelta(day.weekday()),
    lambda day: day.replace(day=1),
    lambda day: day.replace(month=1 + (day.month - 1) // 3 * 3, day=1),
    lambda day: day.replace(month=1, day=1),
]


def day_of(source: SourceConfig) -> tuple[str | None, bool]:
    """The column with a sample's day, if it has one, and whether that day is the label's own."""
    if source.known_before:
        column, first_label_day = source.known_before
        return column, first_label_day == 0
    return source.cut, source.label_days is None or source.label_days[0] == 0


def count_by_date(samples: DataFrame, cut: str | None) -> list[DateCount]:
    """Count samples by split and date: a row for each day.

    Args:
        samples: samples with `split` and `label`.
        cut: the column with a sample's day; None: it has none.
    """
    day = column(cut).cast("date") if cut else F.lit(None).cast("date")
    sums = samples.groupBy("split", day.alias("day")).agg(
        F.count("*"), F.count_if(F.col(LABEL) > 0), F.sum(LABEL), F.max(LABEL)
    )
    return [DateCount(*row) for row in sums.collect()]


def period_starts(days: Iterable[dt.date]) -> list[dt.date]:
    """The first days of periods that samples of these days are gathered to, at most `MOST`.

    A period is a date, or else a week, month, quarter or year.
    """
    days = sorted(set(days))
    for first_day in _LENGTHS:
        starts = sorted({first_day(day) for day in days})
        if len(starts) <= MOST:
            return starts
    return starts[-MOST:]


def by_period(rows: Sequence[DateCount], starts: Sequence[dt.date]) -> list[PeriodStatistics]:
    """The counts of each period, by split.

    Args:
        rows: counts by split and date.
        starts: the first day of each period, ascending.
    """
    groups: dict[int, list[DateCount]] = defaultdict(list)
    for row in rows:
        if row.day is not None:
            place = sum(start <= row.day for start in starts) - 1
            groups[max(place, 0)].append(row)
    return [
        PeriodStatistics(
            first=str(min(row.day for row in group if row.day)),
            last=str(max(row.day for row in group if row.day)),
            splits=sum_by_split(group),
        )
        for _, group in sorted(groups.items())
    ]


def sum_by_split(rows: Sequence[DateCount]) -> dict[str, SplitStatistics]:
    """The counts of each split that has rows."""
    counts = {}
    for split in EVERY_SPLIT:
        own = [row for row in rows if row.split == split]
        if own:
            counts[split] = SplitStatistics(
                rows=sum(row.rows for row in own),
                positives=sum(row.positives for row in own),
                total=sum(row.total for row in own),
            )
    return counts
