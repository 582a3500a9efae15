"""Runs the feature job dry: it needs neither a model nor the registry, and starts without them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from pyspark.sql import SparkSession

from optdist.config import Config
from pipelines.dry_run.features import check_features
from pipelines.dry_run.quick_session import quick_session
from pipelines.dry_run.report import Report

Read = Callable[[], Config]


def dry_run_features(read: Read, as_of: dt.date | None) -> Report:
    """What `jobs/build_features.py` would do.

    Args:
        read: reads the configuration.
        as_of: the job's option.
    """

    def look(report: Report, config: Config) -> None:
        check_features(report, session_of(config), config, as_of)

    return dry_run_of("build_features", read, look)


def dry_run_of(job: str, read: Read, look: Callable[[Report, Config], None]) -> Report:
    """The report of a job on one data set, as far as its configuration can be read.

    Args:
        job: its name.
        read: reads the configuration.
        look: the checks.
    """
    report, config = Report(job), None
    with report.check("configuration") as attempt:
        config = read()
        report.written = config.written
        attempt.say(f"data set {config.dataset.name}, model {config.model.name}")
    if config is not None:
        report.job = f"{job} {config.dataset.name}"
        look(report, config)
    return report


def session_of(config: Config) -> SparkSession:
    """The session of a dry run."""
    return quick_session(config.spark, f"dry run of {config.dataset.name}")
