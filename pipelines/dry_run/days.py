"""Compares label windows with the days that a large table's Parquet footers say it has."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from optdist.config import DatasetConfig
from optdist.errors import DataError
from pipelines.dry_run.report import SKIPPED, Report
from pipelines.dry_run.sizes import local_files
from pipelines.features.event_samples import EventSampler
from pipelines.features.sampler import find_sampler
from pipelines.sources.formats.registry import read_table
from pipelines.sources.reach import DayRange


def check_days(
    report: Report, spark: SparkSession, dataset: DatasetConfig, as_of: dt.date | None
) -> None:
    """Look whether label windows lie within the data, as far as footers say what there is.

    Args:
        report: what is found.
        spark: the session.
        dataset: transactions, or a source without days, of which nothing is said.
        as_of: read nothing after this day; None: all that the data have.
    """
    sampler = find_sampler(dataset)
    if not isinstance(sampler, EventSampler):
        return
    with report.check("windows") as attempt:
        days = find_days(spark, dataset, sampler.source.timestamp)
        if days is None:
            attempt.failed = True
            report.add("windows", SKIPPED, "how far the data reach is known when all are read")
            return
        first, last = days[0], min(days[1], as_of or days[1])
        sampler.choose_ended(spark.createDataFrame([], "first_day date"), last)
        windows = sampler.label_windows(last)
        inside = [window for window in windows if window[1] >= first]
        if not inside:
            raise DataError(
                f"No label window lies within the data: source.{sampler.source.chooser} asks for "
                f"{sampler.requested_days(last)} with horizon_days "
                f"{sampler.source.horizon_days}, and the events are of {first} to {last}."
            )
        attempt.say(
            f"by the footers, events are of {first} to {last}; label windows of {inside[0][0]} to "
            f"{inside[-1][1]} have ended"
        )


def find_days(spark: SparkSession, dataset: DatasetConfig, timestamp: str) -> DayRange | None:
    """The first and the last day of a column of the main table by its Parquet footers, or None.

    Args:
        spark: the session.
        dataset: the data set.
        timestamp: the column; one that an expression makes is not known.
    """
    source = dataset.source
    if timestamp.lower() in map(str.lower, source.columns):
        return None
    name, table = next(iter(source.tables.items()))
    files = local_files(read_table(spark, name, table))
    try:
        days = [day for file in files or [] for day in _ends(file, timestamp)]
    except (KeyError, ValueError, OSError):  # no Parquet, no statistics, or no dates
        return None
    today = dt.datetime.now(dt.UTC).date()
    return (min(days), min(max(days), today)) if days else None


def _ends(file: Path, name: str) -> Iterator[dt.date]:
    """The first and the last day of each row group.

    Raises:
        KeyError: a row group does not say.
        ValueError: the file is no Parquet, or the column has no dates.
    """
    metadata = pq.read_metadata(file)
    paths = {metadata.schema.column(i).path.lower(): i for i in range(metadata.num_columns)}
    index = paths[name.lower()]
    for group in range(metadata.num_row_groups):
        column = metadata.row_group(group).column(index)
        if column.statistics is None or not column.statistics.has_min_max:
            if column.num_values and metadata.row_group(group).num_rows:
                raise KeyError(name)
            continue
        yield _day(column.statistics.min)
        yield _day(column.statistics.max)


def _day(value: Any) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    if isinstance(value, str):
        return dt.date.fromisoformat(value[:10])
    raise ValueError(f"{type(value).__name__} is no date")
