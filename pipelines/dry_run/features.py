"""Checks what building a feature table needs, and estimates what it takes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.data.feature_table import FeatureTable
from optdist.data.schema import FeatureSchema
from optdist.errors import OptDistError
from optdist.files import find_holder
from pipelines.dry_run.days import check_days
from pipelines.dry_run.estimates import bytes_of_features, in_time, seconds_of_features
from pipelines.dry_run.machine import check_disk, check_root
from pipelines.dry_run.report import SKIPPED, WARNING, Report
from pipelines.dry_run.samples import Rehearsal, Rehearser
from pipelines.dry_run.sizes import Size, in_words
from pipelines.dry_run.tables import HEAD_ROWS, check_tables
from pipelines.features.build import features_path
from pipelines.sources.formats.base import NotPinnedError


@dataclass(frozen=True)
class Forecast:
    """What a job would find in, or write to, a feature table.

    Args:
        train: training rows; None: not known.
        seconds: the time until the table is there.
        schema: that of the table; None: it is not built yet.
    """

    train: int | None
    seconds: float
    schema: FeatureSchema | None = None


def check_features(
    report: Report, spark: SparkSession, config: Config, as_of: dt.date | None
) -> Forecast:
    """Look at all that decides a feature table, or find the one that is up to date.

    Args:
        report: what is found.
        spark: the session.
        config: the data set, its split, and where the table would be.
        as_of: read nothing after this day; None: all that the data have.
    """
    free = check_root(report, config.root)
    table = _built_before(report, config, as_of)
    if table:
        return Forecast(table.manifest.counts["train"], 0.0, table.schema)
    tables = check_tables(report, spark, config.dataset)
    rehearsal = None
    if tables.readable:
        if not tables.whole and not tables.share:
            check_days(report, spark, config.dataset, as_of)
        rehearsal = Rehearser(report, spark, config, tables).check_training(as_of)
    samples = say_rows(report, rehearsal, tables.main)
    if samples is None:
        return Forecast(None, 0.0)
    disk = bytes_of_features(config, samples)
    report.estimate("disk", f"about {in_words(disk.value)} of features ({disk.source})")
    check_disk(report, disk.value, free)
    time = seconds_of_features(config, tables.main.rows)
    if time:
        report.estimate("time", f"features: about {in_time(time.value)} ({time.source})")
    return Forecast(round(samples * config.split.train), time.value if time else 0.0)


def say_rows(report: Report, rehearsal: Rehearsal | None, main: Size) -> int | None:
    """Add the estimate of samples, and return it; None: nothing is known.

    Args:
        report: what is found.
        rehearsal: the samples that were made of all rows, or of some.
        main: the size of the main table.
    """
    if rehearsal is None or (main.rows is None and not rehearsal.exact):
        rows = f"{main.rows:,} raw rows" if main.rows is not None else "not known"
        report.estimate("rows", f"{rows}; samples not known")
        return None
    if rehearsal.exact:
        report.estimate("rows", f"{rehearsal.samples:,} samples (counted)")
        return rehearsal.samples
    if rehearsal.share:
        samples = round(rehearsal.samples / rehearsal.share)
        report.estimate(
            "rows",
            f"{main.rows:,} raw rows; about {samples:,} samples (by {rehearsal.samples:,} of "
            f"{rehearsal.share:.1%} of ids)",
        )
        return samples
    looked = HEAD_ROWS
    most = round(rehearsal.samples * max((main.rows or 0) / looked, 1.0))
    report.estimate(
        "rows",
        f"{main.rows:,} raw rows; {rehearsal.samples:,} to {most:,} samples (by {looked:,} rows; "
        f"the fewer, the more rows one id has)",
    )
    return most


def _built_before(report: Report, config: Config, as_of: dt.date | None) -> FeatureTable | None:
    """The feature table that the job would use again."""
    table = None
    try:
        path = features_path(config, as_of)
    except NotPinnedError as error:
        report.add("feature table", SKIPPED, f"whether it is up to date: {error}")
        return None
    except OptDistError:  # a table that is not there, which its own check names
        return None
    with report.check("feature table") as attempt:
        if FeatureTable.is_finished(path):
            table = FeatureTable.open(path)
            counts = table.manifest.counts
            attempt.say(f"up to date, used again: {path}")
            report.estimate("rows", f"{counts['samples']:,} samples (built before)")
        else:
            attempt.say(f"would be built: {path}")
    if not attempt.failed:
        holder = find_holder(path)
        if holder:
            report.add("feature table", WARNING, f"a job seems to be building it ({holder})")
    return table
