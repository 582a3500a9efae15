"""Builds a feature table: splits samples, fits on training rows, encodes, counts, then finishes."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from optdist.config import Config, fingerprint, secrets_hidden
from optdist.data.feature_table import EVERY_SPLIT, OUT_OF_TIME, FeatureTable
from optdist.errors import DataError
from optdist.files import locked, uri
from optdist.log import LOG
from pipelines.features.auto_history import with_learned
from pipelines.features.encode import write_encoded
from pipelines.features.facts import describe_build
from pipelines.features.fingerprint import describe_content
from pipelines.features.fitting import (
    count_imputed,
    fit_samples,
    mark_calendar,
    warn_of_letter_case,
)
from pipelines.features.history_sql import written_history
from pipelines.features.out_of_time import OutOfTime
from pipelines.features.pinning import pinned_config, table_versions
from pipelines.features.splits import GAP
from pipelines.features.training_samples import write_samples
from pipelines.monitoring.data_report.writing import (
    make_report,
    print_page,
    recheck_report,
    refuse_leaks,
)
from pipelines.monitoring.profiles import measure_training
from pipelines.sources.formats.base import NotPinnedError
from pipelines.sources.needs import calendar_columns


def build_features(
    spark: SparkSession, config: Config, as_of: dt.date | None = None
) -> FeatureTable:
    """Build the feature table, or return the one that is up to date.

    The folder's name is a fingerprint of config and input. A folder without a manifest is the rest
    of an interrupted build and is built again.

    Args:
        spark: the session.
        config: the data set, its split, and how to build.
        as_of: read nothing after this day; None: all that the data have.

    Raises:
        BusyError: another job is building it.
        DataError: a table, column or split is missing, or too many rows are bad.
    """
    with secrets_hidden(config.written), pinned_config(spark, config) as config:
        content = describe_content(config, as_of)
        path = config.layout.feature_table(fingerprint(content))
        if not _is_usable(path):
            with locked(path):
                if not _is_usable(path):  # by a job that has just ended
                    return _build(spark, config, as_of, path, content)
    table = FeatureTable.open_and_mark(path)
    reach = _up_to(table.manifest.last_event)
    LOG.info(f"features {config.dataset.name} are up to date: {path}{reach}")
    warnings = recheck_report(table, config.report)
    print_page(table)
    refuse_leaks(warnings, config.report, table.page)
    return table


def _is_usable(path: Path) -> bool:
    """Whether a table is finished; one with a damaged manifest or schema is built again."""
    if not FeatureTable.is_finished(path):
        return False
    try:
        FeatureTable.open(path)
    except DataError as error:
        LOG.warning(f"{error} It is built again now.")
        return False
    return True


def finished_features(config: Config, as_of: dt.date | None = None) -> FeatureTable | None:
    """The feature table, if it is up to date; this needs no Spark.

    None also where only Spark can tell: a table of a database is first read.
    """
    try:
        path = features_path(config, as_of)
    except NotPinnedError:
        return None
    return FeatureTable.open_and_mark(path) if FeatureTable.is_finished(path) else None


def features_path(config: Config, as_of: dt.date | None = None) -> Path:
    """The folder of the feature table, which need not be there yet."""
    return config.layout.feature_table(fingerprint(describe_content(config, as_of)))


def _build(
    spark: SparkSession,
    config: Config,
    as_of: dt.date | None,
    path: Path,
    content: dict[str, Any],
) -> FeatureTable:
    table = FeatureTable.create(path)
    steps = _Steps(config.dataset.name)
    written = write_samples(spark, config, as_of, table)
    counts, samples = written.counts, written.samples
    last_event = str(samples.reach[1]) if samples.reach else None
    steps.done(
        f"{counts['samples']:,} samples, {counts['quarantined']:,} rows quarantined, "
        f"{counts['incomplete']:,} left out because their label windows have not ended"
        f"{_up_to(last_event)}{_held_out(samples.out_of_time, counts)}"
    )
    dataset = with_learned(config.dataset, samples.history)
    schema = fit_samples(spark.read.parquet(uri(table.samples_path("train"))), dataset.features)
    learned = {"types": samples.types, "history": samples.history}
    schema = mark_calendar(
        schema.model_copy(update=learned), calendar_columns(spark, config.dataset.source)
    )
    table.write_schema(schema)
    steps.done(f"schema of {len(schema.categorical)} categories, {len(schema.numeric)} numbers")
    warn_of_letter_case(schema)
    filled = count_imputed(spark.read.parquet(uri(table.samples)).where("split != 'train'"), schema)
    if filled:
        LOG.info(
            f"  filled with the training mean, because training had no missing value: {filled}"
        )
    splits = [split for split in EVERY_SPLIT if split in counts]
    for split in splits:
        write_encoded(spark, table, split, counts[split], schema, config.build)
    steps.done("encoded: " + ", ".join(f"{split} {counts[split]:,}" for split in splits))
    build = describe_build(dataset.source, written, as_of)
    warnings = make_report(spark, dataset, config.report, table, schema, build)
    profile = measure_training(
        spark.read.parquet(uri(table.samples)), schema, dataset, written.dated, written.days
    )
    profile.save(table.profile)
    steps.done("data report and profile")
    finished = table.finish(
        counts,
        fingerprint=path.name,
        dataset=config.dataset.name,
        as_of=as_of and as_of.isoformat(),
        last_event=last_event,
        out_of_time_from=samples.out_of_time and samples.out_of_time.start.isoformat(),
        imputed=filled,
        types=samples.types,
        versions=table_versions(config.dataset.source),
        joins=samples.joins,
        warnings=warnings,
        history_sql=written_history(dataset.source),
        seconds=round(time.monotonic() - steps.start, 1),
        written=content,
    )
    LOG.info(f"features {config.dataset.name}: {path}")
    print_page(finished)
    refuse_leaks(warnings, config.report, table.page)
    return finished


def _up_to(last_event: str | None) -> str:
    return f"; the data reach {last_event}" if last_event else ""


def _held_out(late: OutOfTime | None, counts: Mapping[str, int]) -> str:
    """How many samples are held out, and how many are in the gap before."""
    if late is None:
        return ""
    return (
        f"; {counts[OUT_OF_TIME]:,} from {late.start} on are out of time, and {counts[GAP]:,} "
        f"whose label windows reach into those days are in no split"
    )


class _Steps:
    """Progress lines with the seconds of each step."""

    def __init__(self, name: str) -> None:
        self.name, self.start = name, time.monotonic()
        self.last = self.start
        LOG.info(f"building features {name}")

    def done(self, what: str) -> None:
        now = time.monotonic()
        LOG.info(f"  {what} ({now - self.last:.0f} s)")
        self.last = now
