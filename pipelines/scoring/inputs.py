"""Reads the samples of a scoring date once and keeps them, so that a rerun uses them again."""

from __future__ import annotations

import datetime as dt
import shutil
import uuid
from collections.abc import Sequence

from pydantic import BaseModel
from pyspark.sql import SparkSession

from optdist.config import Config, fingerprint
from optdist.data.profile import DayCount
from optdist.data.schema import FeatureSchema
from optdist.errors import DataError
from optdist.files import uri
from optdist.layout import ScoresFolder
from optdist.log import LOG
from optdist.sums import folder_digest
from pipelines.features.fingerprint import without_versions
from pipelines.features.pinning import table_versions
from pipelines.features.samples import scoring_samples
from pipelines.monitoring.profiles import count_days, totals_of
from pipelines.scoring.checks import check_reach
from pipelines.scoring.columns import needs_history, with_historic_value
from pipelines.scoring.manifest import ScoresManifest
from pipelines.sources.formats.base import NotPinnedError
from pipelines.sources.formats.registry import explain_read_errors, input_fingerprint
from pipelines.sources.quarantine import check_bad_rows, rows_by_reason


class KeptSamples(BaseModel):
    """The samples to score, kept next to the scores."""

    folder: str  # below the data set's scores
    rows: int
    fingerprint: str
    versions: dict[str, int] = {}  # raw table -> its version, where it has one
    quarantined: dict[str, int]
    last_event: str | None = None  # the newest event's day; None without transactions
    digest: str | None = None  # of its files; None: an older version kept them
    days: list[DayCount] = []  # the events of each day; kept samples have them in their profile


def fingerprint_source(config: Config) -> str:
    """A hash of what decides a date's samples: the data set's description and the raw tables.

    Raises:
        NotPinnedError: a table must have been read first.
    """
    written = config.written.get("dataset") or config.dataset.model_dump(mode="json")
    written = without_versions(written)
    days = config.scoring.acquired_within_days
    return fingerprint([written, days, input_fingerprint(config.dataset.source)])


def known_fingerprint(config: Config) -> str | None:
    """The same, or None where a table would have to be read first."""
    try:
        return fingerprint_source(config)
    except NotPinnedError:
        return None


def find_kept_samples(
    scores: ScoresFolder,
    pinned: ScoresManifest,
    source: str | None,
    columns: Sequence[str] = (),
) -> KeptSamples | None:
    """The samples that a date was scored with; if they are gone, None and a printed line.

    Args:
        scores: the data set's scores.
        pinned: the date's manifest.
        source: the fingerprint of the source as it is now; None: not known before it is read.
        columns: the setting `scoring.columns`, which may need more than what was kept.

    Raises:
        DataError: their files are not those that were kept.
    """
    folder = scores.path / pinned.input
    if not (folder / "_SUCCESS").exists():
        LOG.info(f"  the samples of this date's last run are gone ({pinned.input}): reading again")
        return None
    if needs_history(columns) and not needs_history(pinned.columns):
        LOG.info("  the samples of this date's last run have no past value: reading again")
        return None
    LOG.info(f"  using the samples that this date was scored with: {folder}")
    if source is None:
        LOG.info(
            "  not looked whether the source changed since: only reading its tables would tell"
        )
    elif pinned.input_fingerprint != source:
        LOG.warning(
            f"source or data set changed since ({pinned.input_fingerprint} then, "
            f"{source} now); --refresh reads the input again"
        )
    if pinned.input_digest not in (None, folder_digest(folder)):
        raise DataError(
            f"{folder} is damaged: its files are not those that {pinned.run_date} was scored with. "
            f"--refresh reads the input again, as it is now."
        )
    return KeptSamples(
        digest=pinned.input_digest,
        folder=pinned.input,
        rows=pinned.rows,
        fingerprint=pinned.input_fingerprint,
        versions=pinned.versions,
        quarantined=pinned.quarantined,
        last_event=pinned.last_event,
    )


@explain_read_errors()
def read_samples(
    spark: SparkSession,
    config: Config,
    run_date: dt.date,
    scores: ScoresFolder,
    source: str,
    schema: FeatureSchema,
) -> KeptSamples:
    """Read and keep the samples to score and the bad rows; samples kept before stay for now.

    Args:
        spark: the session.
        config: the data set, and the scoring settings.
        run_date: the cut-off; nothing after it is read.
        scores: the data set's scores.
        source: the fingerprint of the source as it is now.
        schema: what training learned of columns of text and of history.

    Raises:
        DataError: there are none, too many rows are bad, or the data end long before the date.
    """
    folder = scores.inputs(run_date) / uuid.uuid4().hex[:8]
    days = config.scoring.acquired_within_days
    samples = scoring_samples(spark, config.dataset, run_date, days, schema.types, schema.history)
    if schema.types is None and any(
        kind != "string" for t in samples.types.values() for kind in t.values()
    ):
        LOG.warning(
            "the model was trained by an older optdist, which compared these columns as "
            "text; its features may differ. Train again."
        )
    last = samples.reach[1] if samples.reach else None
    try:
        check_reach(run_date, last, config.scoring.max_days_behind)
        rows = samples.rows
        if needs_history(config.scoring.columns):
            rows = with_historic_value(rows, samples.events, config.dataset)
        rows.write.parquet(uri(folder))
        good = {"samples": spark.read.parquet(uri(folder)).count()}
        by_day = count_days(samples.events, samples.event_columns)
        events, value = totals_of(by_day)
        quarantine = scores.quarantine(run_date)
        samples.quarantine.write.mode("overwrite").parquet(uri(quarantine))
        limit = config.scoring.max_quarantined_share
        setting = f"see {quarantine}; scoring.max_quarantined_share"
        rows = spark.read.parquet(uri(quarantine))
        bad = rows_by_reason(check_bad_rows(rows, good | events, limit, setting, value))
        if bad:
            samples.count_vanished(", ".join(config.dataset.id))
        if not good["samples"]:
            raise DataError(f"No row that is known at {run_date} can be scored.")
    except DataError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise error.followed_by("Nothing was published.") from error
    finally:
        samples.release()
    return KeptSamples(
        digest=folder_digest(folder),
        folder=folder.relative_to(scores.path).as_posix(),
        rows=good["samples"],
        fingerprint=source,
        versions=table_versions(config.dataset.source),
        quarantined=bad,
        last_event=str(last) if last else None,
        days=by_day or [],
    )
