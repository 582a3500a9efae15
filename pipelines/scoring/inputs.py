"""The samples of a scoring date: read once, kept beside the scores, pinned by the manifest."""

from __future__ import annotations

import datetime as dt
import shutil
import uuid
from pathlib import Path

from pydantic import BaseModel
from pyspark.sql import SparkSession

from optdist.config import Config, fingerprint
from optdist.errors import DataError
from optdist.files import uri
from optdist.layout import ScoresFolder
from pipelines.features.samples import scoring_samples
from pipelines.scoring.checks import check_reach
from pipelines.scoring.manifest import Published
from pipelines.sources.formats.registry import explain_read_errors, input_fingerprint
from pipelines.sources.quarantine import checked_reasons


class Input(BaseModel):
    """The samples to score."""

    folder: str
    rows: int
    fingerprint: str
    quarantined: dict[str, int]
    last_event: str | None = None  # the newest event's day; None without transactions


def source_fingerprint(config: Config) -> str:
    """What decides the samples of a date: the data set's description and the raw files."""
    written = config.written.get("dataset") or config.dataset.model_dump(mode="json")
    days = config.scoring.acquired_within_days
    return fingerprint([written, days, input_fingerprint(config.dataset.source)])


def pinned_input(home: Path, pinned: Published, source: str) -> Input | None:
    """The samples that a published date has kept; if they are gone, None and a line of print."""
    if not (home / pinned.input / "_SUCCESS").exists():
        print(f"  the samples of this date's last run are gone ({pinned.input}): reading anew")
        return None
    print(f"  using the samples that this date was scored with: {home / pinned.input}")
    if pinned.input_fingerprint != source:
        print(
            f"  WARNING: source or data set changed since ({pinned.input_fingerprint} then, "
            f"{source} now); --refresh reads the input anew"
        )
    return Input(
        folder=pinned.input,
        rows=pinned.rows,
        fingerprint=pinned.input_fingerprint,
        quarantined=pinned.quarantined,
        last_event=pinned.last_event,
    )


@explain_read_errors()
def keep_input(
    spark: SparkSession, config: Config, run_date: dt.date, scores: ScoresFolder, source: str
) -> Input:
    """Write the samples to score beside those that the date may already have, and the bad rows.

    Raises:
        DataError: there are none, too many rows are bad, or the data end long before the date.
    """
    folder = scores.inputs(run_date) / uuid.uuid4().hex[:8]
    samples = scoring_samples(spark, config.dataset, run_date, config.scoring.acquired_within_days)
    last = samples.reach[1] if samples.reach else None
    try:
        check_reach(run_date, last, config.scoring.max_days_behind)
        samples.rows.write.parquet(uri(folder))
        good = {"samples": spark.read.parquet(uri(folder)).count()}
        if samples.events is not None:
            good["events"] = samples.events.count()
        aside = scores.quarantine(run_date)
        samples.quarantine.write.mode("overwrite").parquet(uri(aside))
        limit = config.scoring.max_quarantined_share
        setting = f"see {aside}; scoring.max_quarantined_share"
        bad = checked_reasons(spark.read.parquet(uri(aside)), good, limit, setting)
        if not good["samples"]:
            raise DataError(f"No row that is known at {run_date} can be scored.")
    except DataError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DataError(f"{error} Nothing was published.") from error
    finally:
        samples.release()
    return Input(
        folder=folder.relative_to(scores.path).as_posix(),
        rows=good["samples"],
        fingerprint=source,
        quarantined=bad,
        last_event=str(last) if last else None,
    )
