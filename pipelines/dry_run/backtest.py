"""Checks what a backtest needs: its dates, the published scores, the models and the data."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.config.transactions import TransactionsSourceConfig
from optdist.data.schema import FeatureSchema
from optdist.errors import ModelError
from optdist.files import find_holder
from optdist.tracking import Registry
from pipelines.backtest.dates import Request, choose_dates
from pipelines.backtest.pipeline import segment_names
from pipelines.backtest.results import PUBLISHED, TRAINED
from pipelines.backtest.scorers import learned_until, sample_of
from pipelines.dry_run.engine import check_engine
from pipelines.dry_run.estimates import START_SECONDS, in_time, seconds_of_scoring
from pipelines.dry_run.features import say_rows
from pipelines.dry_run.machine import check_root
from pipelines.dry_run.registry import check_registry, require_registry
from pipelines.dry_run.report import PROBLEM, WARNING, Report
from pipelines.dry_run.samples import Rehearser
from pipelines.dry_run.tables import check_tables
from pipelines.scoring.manifest import read_manifest
from pipelines.scoring.pipeline import description_of, moved_features
from pipelines.scoring.version import require_same_data


def check_backtest(report: Report, spark: SparkSession, config: Config, request: Request) -> None:
    """Look at the dates, the models and the samples of the newest date.

    Args:
        report: what is found.
        spark: the session.
        config: the data set and the section `backtest`.
        request: the job's options.
    """
    check_root(report, config.root)
    registry, works = check_registry(report, config)
    dates = _dates(report, config, request)
    names = list(dict.fromkeys([request.by, *request.models]))
    schemas = [
        _model(report, config, registry, name, dates)
        for name in names
        if works and name not in (PUBLISHED, TRAINED)
    ]
    if TRAINED in names:
        check_engine(report, config)
    tables = check_tables(report, spark, config.dataset)
    if not (tables.readable and dates):
        return
    rehearser = Rehearser(report, spark, config, tables)
    schema = next((one for one in schemas if one), None)
    rehearsal = rehearser.check_scoring(dates[-1], schema)
    samples = say_rows(report, rehearsal, tables.main)
    if samples is not None:
        each = seconds_of_scoring(config, tables.main.rows, samples).value * len(names)
        report.estimate("time", f"about {in_time(START_SECONDS + each * len(dates))} (rough)")


def _dates(report: Report, config: Config, request: Request) -> list[dt.date]:
    """The dates, and which of them were published."""
    dates: list[dt.date] = []
    scores = config.layout.scores
    with report.check("dates") as attempt:
        request.check()
        dates = choose_dates(request, scores, None, config.backtest.max_dates)
        attempt.say(f"{len(dates)}: {', '.join(map(str, dates[:12]))}{', …' * (len(dates) > 12)}")
        source = config.dataset.source
        if isinstance(source, TransactionsSourceConfig):
            days = dt.timedelta(source.horizon_days)
            attempt.say(
                f"the labels of {dates[-1]} are mature once the data have {dates[-1] + days}"
            )
    if PUBLISHED in (request.by, *request.models):
        missing = [date for date in dates if read_manifest(scores.date(date)) is None]
        if missing:
            state = PROBLEM if len(missing) == len(dates) and request.by == PUBLISHED else WARNING
            report.add("dates", state, f"not published: {', '.join(map(str, missing))}")
    holder = find_holder(config.layout.backtest.work)
    if holder:
        report.add("dates", WARNING, f"a backtest of the data set seems to run ({holder})")
    return dates


def _model(
    report: Report,
    config: Config,
    registry: Registry | None,
    name: str,
    dates: list[dt.date],
) -> FeatureSchema | None:
    """The schema of a version that is asked for, if it fits the data set."""
    schema = None
    with report.check(f"model {name}") as attempt:
        known = require_registry(registry, config)
        version = known.resolve(name)
        with known.borrowed_package(version) as package:
            schema = package.schema
            moved = moved_features(config, package, None)
        require_same_data(known, version, description_of(config, None, None), moved)
        until = learned_until(known, config.layout, version)
        words = [f"{date} {sample_of(until, date)}" for date in dates[:12]]
        attempt.say(f"version {version} learned until {until or '?'}: {', '.join(words)}")
    with report.check("segments") as attempt:
        columns = [*[f.name for f in schema.categorical]] if schema else []
        lost = [n for n in segment_names(config) if schema and n not in columns]
        if lost:
            raise ModelError(f"backtest.segments names no categorical feature: {', '.join(lost)}.")
        attempt.say(f"by {', '.join(segment_names(config)) or 'none'}")
    return schema
