"""Runs the jobs of models dry: all of their checks, and what they would read, write and take."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.config.horizons import further_horizons, further_models
from optdist.config.identity import identity
from optdist.files import find_holder
from pipelines.backtest.dates import Request
from pipelines.cleaning import leftovers
from pipelines.dry_run.backtest import check_backtest
from pipelines.dry_run.engine import check_engine
from pipelines.dry_run.estimates import in_time, seconds_of_training
from pipelines.dry_run.feature_job import Read, dry_run_of, session_of
from pipelines.dry_run.features import check_features
from pipelines.dry_run.registry import check_comparison, check_registry, require_registry
from pipelines.dry_run.report import Report
from pipelines.dry_run.scoring import check_scoring
from pipelines.dry_run.sizes import in_words
from pipelines.registry.history import rollback_target


def dry_run_training(read: Read, as_of: dt.date | None) -> Report:
    """What `jobs/train.py` would do.

    Args:
        read: reads the configuration.
        as_of: the job's option.
    """

    def look(report: Report, config: Config) -> None:
        spark = session_of(config)
        registry, _ = check_registry(report, config)
        check_engine(report, config)
        forecast = check_features(report, spark, config, as_of)
        look_at_further(report, spark, config, as_of)
        if forecast.train is not None:
            time = seconds_of_training(config, registry, forecast.train)
            built = f"features about {in_time(forecast.seconds)}, " if forecast.seconds else ""
            report.estimate("time", f"{built}training about {in_time(time.value)} ({time.source})")

    return dry_run_of("train", read, look)


def look_at_further(
    report: Report, spark: SparkSession, config: Config, as_of: dt.date | None
) -> None:
    """Add what is found for further horizons alone.

    Args:
        report: what is found.
        spark: the session.
        config: the data set.
        as_of: the job's option.
    """
    further = further_horizons(config)
    for days, one in further.items():
        part = Report(report.job, written=report.written)
        check_registry(part, one)
        check_features(part, spark, one, as_of)
        new = [line for line in part.lines if line not in report.lines]
        report.lines += [replace(line, sentence=f"{days} days: {line.sentence}") for line in new]
    if further:
        count = len(further) + 1
        text = f"{count}, one for each horizon; rows, disk and time are those of the first"
        report.estimate("models", text)


def dry_run_promotion(read: Read, as_of: dt.date | None, reference: str, *, force: bool) -> Report:
    """What `jobs/promote.py` would do.

    Args:
        read: reads the configuration.
        as_of: the job's option.
        reference: the version or alias to promote.
        force: whether it is made champion without a comparison.
    """

    def look(report: Report, config: Config) -> None:
        registry, works = check_registry(report, config)
        version = None
        if works:
            with report.check("version") as attempt:
                version = require_registry(registry, config).resolve(reference)
                then = ": the job makes it champion without a comparison" if force else ""
                attempt.say(f"{reference} is version {version}{then}")
        if not force:
            forecast = check_features(report, session_of(config), config, as_of)
            if registry and version:
                check_comparison(report, config, registry, version, forecast.schema)

    return dry_run_of("promote", read, look)


def dry_run_rollback(read: Read) -> Report:
    """What `jobs/promote.py --rollback` would do."""

    def look(report: Report, config: Config) -> None:
        registry, works = check_registry(report, config)
        if works:
            with report.check("rollback") as attempt:
                known = require_registry(registry, config)
                champion, before = rollback_target(known, identity(config))
                attempt.say(f"version {before} would be champion again, instead of {champion}")

    return dry_run_of("promote", read, look)


def dry_run_scoring(
    read: Read,
    run_date: dt.date,
    model: str | None,
    *,
    refresh: bool,
    later: Sequence[dt.date] = (),
) -> Report:
    """What `jobs/score.py` would do.

    Args:
        read: reads the configuration.
        run_date: the date, or the first of several.
        model: the job's option.
        refresh: the job's option.
        later: the other dates, of which the last is looked at too.
    """

    def look(report: Report, config: Config) -> None:
        for date in [run_date, *later[-1:]]:
            check_scoring(report, session_of(config), config, date, model, refresh=refresh)
        if later:
            count = len(later) + 1
            report.estimate("dates", f"{count:,}; rows, disk and time are those of the last")

    return dry_run_of("score", read, look)


def dry_run_backtest(read: Read, request: Request) -> Report:
    """What `jobs/backtest.py` would do.

    Args:
        read: reads the configuration.
        request: the job's options.
    """

    def look(report: Report, config: Config) -> None:
        check_backtest(report, session_of(config), config, request)

    return dry_run_of("backtest", read, look)


def dry_run_cleaning(read: Read, keep_days: int, *, delete: bool) -> Report:
    """What `jobs/clean.py` would remove, as it lists it.

    Args:
        read: reads the configuration.
        keep_days: the job's option.
        delete: the job's option.
    """

    def look(report: Report, config: Config) -> None:
        registry, works = check_registry(report, config)
        if not works:
            return
        with report.check("leftovers") as attempt:
            folders = leftovers(config.layout, registry, keep_days, further_models(config))
            for folder in folders:
                busy = find_holder(folder.lock)
                state = f"in use ({busy})" if busy else "would be removed" if delete else "old"
                attempt.say(f"{state}: {folder.path}, {in_words(folder.size)}")
            total = in_words(sum(folder.size for folder in folders))
            hint = "" if delete or not folders else "; --delete would remove them"
            attempt.say(f"{len(folders)} folders of {config.dataset.name}, {total}{hint}")

    return dry_run_of("clean", read, look)
