"""Checks what scoring a date needs, and estimates what it takes."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.config.horizons import further_horizons
from optdist.data.schema import FeatureSchema
from optdist.files import find_holder
from optdist.tracking import Registry
from pipelines.dry_run.estimates import bytes_of_scores, in_time, seconds_of_scoring
from pipelines.dry_run.features import say_rows
from pipelines.dry_run.machine import check_disk, check_root
from pipelines.dry_run.registry import check_registry, require_registry
from pipelines.dry_run.report import WARNING, Report
from pipelines.dry_run.samples import Rehearser
from pipelines.dry_run.sizes import in_words
from pipelines.dry_run.tables import check_tables
from pipelines.scoring.horizons import choose_horizons, require_fitting
from pipelines.scoring.inputs import KeptSamples, find_kept_samples, known_fingerprint
from pipelines.scoring.manifest import ScoresManifest, read_manifest
from pipelines.scoring.pipeline import description_of, moved_features
from pipelines.scoring.version import choose_version, require_same_data


def check_scoring(
    report: Report,
    spark: SparkSession,
    config: Config,
    run_date: dt.date,
    model: str | None,
    *,
    refresh: bool,
) -> None:
    """Look at a date's scores, the model, and the samples.

    Args:
        report: what is found.
        spark: the session.
        config: the data set and the scoring settings.
        run_date: the last day that is read.
        model: an alias or version instead of the pinned one, or of champion.
        refresh: whether the input is read again.
    """
    free = check_root(report, config.root)
    registry, works = check_registry(report, config)
    pinned, kept = _published(report, config, run_date, refresh=refresh)
    schema = _model(report, config, registry, pinned, kept, model) if works else None
    if registry and schema:
        _horizons(report, config, registry, schema, pinned, kept, model)
    raw_rows = None
    if kept:
        samples: int | None = kept.rows
        report.estimate("rows", f"{kept.rows:,} samples (kept from the date's last run)")
    else:
        tables = check_tables(report, spark, config.dataset)
        rehearser = Rehearser(report, spark, config, tables)
        rehearsal = rehearser.check_scoring(run_date, schema) if tables.readable else None
        samples, raw_rows = say_rows(report, rehearsal, tables.main), tables.main.rows
    if samples is None:
        return
    disk = bytes_of_scores(config, samples)
    report.estimate("disk", f"about {in_words(disk.value)} ({disk.source})")
    check_disk(report, disk.value, free)
    time = seconds_of_scoring(config, raw_rows, samples)
    report.estimate("time", f"about {in_time(time.value)} ({time.source})")


def _published(
    report: Report, config: Config, run_date: dt.date, *, refresh: bool
) -> tuple[ScoresManifest | None, KeptSamples | None]:
    """What the date has been scored with, and the samples that it has kept."""
    pinned, kept = None, None
    scores = config.layout.scores
    with report.check("run date") as attempt:
        pinned = read_manifest(scores.date(run_date))
        if pinned is None:
            attempt.say(f"{run_date} has not been scored")
        else:
            attempt.say(
                f"{run_date} is published already ({pinned.rows:,} rows, version "
                f"{pinned.model_version}): the job would replace it"
            )
            if not refresh:
                kept = find_kept_samples(
                    scores, pinned, known_fingerprint(config), config.scoring.columns
                )
    holder = find_holder(scores.date(run_date))
    if holder:
        report.add("run date", WARNING, f"a job seems to be scoring it ({holder})")
    return pinned, kept


def _model(
    report: Report,
    config: Config,
    registry: Registry | None,
    pinned: ScoresManifest | None,
    kept: KeptSamples | None,
    model: str | None,
) -> FeatureSchema | None:
    """The schema of the version that would score, if it fits the data set."""
    schema = None
    with report.check("model") as attempt:
        known = require_registry(registry, config)
        version = choose_version(known, pinned, model)
        with known.borrowed_package(version) as package:
            schema, inference = package.schema, package.inference
            moved = moved_features(config, package, kept)
        require_same_data(known, version, description_of(config, pinned, kept), moved)
        attempt.say(f"version {version}, inference {inference}, fits the data set")
    return schema


def _horizons(
    report: Report,
    config: Config,
    registry: Registry,
    own: FeatureSchema,
    pinned: ScoresManifest | None,
    kept: KeptSamples | None,
    model: str | None,
) -> None:
    """Look whether each further horizon has a model that fits the data set."""
    if not further_horizons(config):
        return
    with report.check("horizons") as attempt:
        described = description_of(config, pinned, kept)
        for horizon in choose_horizons(config, registry, pinned, model):
            with horizon.registry.borrowed_package(horizon.version) as package:
                require_fitting(horizon, package.schema, config, own, described, kept)
            attempt.say(f"{horizon.days} days: version {horizon.version} fits the data set")
