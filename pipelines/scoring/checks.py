"""Checks, in the scoring job, how recent the data are and whether every row has a sound score."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from optdist.config import LimitsConfig
from optdist.errors import GateError
from optdist.files import uri
from pipelines.checks import Statistics, enforce, failures
from pipelines.sources.columns import column


@dataclass(frozen=True)
class Reach:
    """A check that the newest event is not too many days before the run date."""

    run_date: dt.date
    last: dt.date

    def __call__(self, statistics: Statistics, limits: LimitsConfig) -> str | None:
        """The reason, or None."""
        days = statistics["days_behind"]
        if limits.contain(days):
            return None
        return (
            f"The last event is from {self.last}, {days} days before the run date {self.run_date}; "
            f"scoring.max_days_behind allows {limits.max:g}"
        )


def every_row_is_scored(statistics: Statistics, limits: LimitsConfig) -> str | None:
    """A check that rows were neither lost nor added."""
    if limits.contain(statistics["rows"]):
        return None
    return f"{limits.min:,.0f} rows were to be scored; {statistics['rows']:,} came out"


def every_score_is_sound(statistics: Statistics, limits: LimitsConfig) -> str | None:
    """A check that scores are numbers."""
    if limits.contain(statistics["unsound"]):
        return None
    return (
        f"{statistics['rows']:,} rows have scores, {statistics['unsound']:,} of them with a null, "
        f"negative or infinite value; the check requires {limits}"
    )


def check_reach(run_date: dt.date, last: dt.date | None, max_days_behind: int | None) -> None:
    """Check how long before the run date the newest event lies.

    Args:
        run_date: the date to score at.
        last: the newest event's day, or None without events.
        max_days_behind: allowed days; None: any.

    Raises:
        CheckError: it lies too long before.
    """
    if last is not None:
        statistics = {"days_behind": (run_date - last).days}
        checks = [(Reach(run_date, last), LimitsConfig(max=max_days_behind))]
        enforce(
            statistics, checks, "Bring the data up to date, or raise the setting (null: no check)."
        )


def check_scores(
    spark: SparkSession,
    staged: Path,
    expected: int,
    names: Sequence[str],
    further: Sequence[str] = (),
) -> dict[str, Any]:
    """Count the staged rows and check their values before anything is published.

    Args:
        spark: the session.
        staged: the folder of the scores.
        expected: the number of input rows.
        names: the columns that must have a finite number in each row.
        further: the columns with predicted values of further horizons.

    Returns:
        The manifest's `rows`, `total_predicted` and `checksum`, and the `totals` of further
        horizons by column.

    Raises:
        GateError: rows were lost or added, or a value is null, NaN, infinite or a negative value.
    """
    statistics = score_statistics(spark, staged, names, further)
    checks = [
        (every_row_is_scored, LimitsConfig(min=expected, max=expected)),
        (every_score_is_sound, LimitsConfig(max=0)),
    ]
    reasons = failures(statistics, checks)
    if reasons:
        raise GateError(reasons, f"Nothing was published; see {staged}.")
    return {
        "rows": int(statistics["rows"]),
        "total_predicted": float(statistics["total"] or 0.0),
        "checksum": statistics["checksum"],
        "totals": {name: float(statistics[name] or 0.0) for name in further},
    }


def checksum(columns: Sequence[str]) -> Column:
    """An aggregate that is the same for the same rows, in whatever order and files they are.

    It is the sum of 64-bit hashes of rows and the exclusive or of other ones, so that neither rows
    that change places nor a row that is there twice goes unseen.
    """
    row = [F.lit("|".join(columns)), *map(column, columns)]
    total = F.sum(F.xxhash64(*row).cast("decimal(38,0)"))
    other = F.bit_xor(F.xxhash64(F.lit("other"), *row))
    return F.concat_ws("-", F.lit("xxhash64"), total.cast("string"), F.hex(other))


def score_statistics(
    spark: SparkSession, staged: Path, names: Sequence[str], further: Sequence[str] = ()
) -> Statistics:
    """Compute what the checks of staged scores need, in one aggregation.

    Args:
        spark: the session.
        staged: the folder of the scores.
        names: the columns that must have a finite number in each row.
        further: the columns with predicted values of further horizons, which must have one too.
    """
    unsound = F.col("predicted_cltv") < 0
    for name in further:
        unsound |= F.col(name) < 0
    for name in [*names, *further]:
        value = F.col(name).cast("double")
        unsound |= value.isNull() | F.isnan(value) | (F.abs(value) == float("inf"))
    rows = spark.read.parquet(uri(staged))
    [row] = rows.agg(
        F.count("*").alias("rows"),
        F.count_if(unsound).alias("unsound"),
        F.sum(F.col("predicted_cltv").cast("double")).alias("total"),
        *[F.sum(F.col(name).cast("double")).alias(name) for name in further],
        checksum(rows.columns).alias("checksum"),
    ).collect()
    return dict(row.asDict())
