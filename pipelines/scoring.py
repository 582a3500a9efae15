"""The daily scoring job: everyone known at a date, scored by one pinned model, published whole."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from optdist.config import Config
from optdist.errors import DataError
from optdist.files import write_json
from optdist.schema import FeatureSchema
from optdist.tracking import CHAMPION, Tracker
from pipelines.samples import scoring_samples

_FLOATS = ("predicted_cltv", "p", "mu", "sigma", "selected_probability")
_predictors: dict[str, Any] = {}  # one model per Python worker, by its package's folder


class Published(BaseModel):
    """One date's scores; also its manifest, which pins what a rerun uses again."""

    status: str  # "started", then "published"
    dataset: str
    run_date: str
    model_name: str
    model_version: str
    inference: str
    input: str
    path: str
    rows: int = 0
    quarantined: dict[str, int] = {}
    total_predicted: float = 0.0


def score(
    spark: SparkSession,
    config: Config,
    tracker: Tracker,
    run_date: dt.date,
    model: str | None = None,
    refresh: bool = False,
) -> Published:
    """Score everyone known at the end of `run_date` and publish `run_date=.../`.

    The first run of a date keeps the samples that it scored, and its manifest names them and the
    model's version; a rerun uses both again and gives the same rows.

    Args:
        spark: the session.
        config: the data set and the scoring settings.
        tracker: the registry.
        run_date: the cut-off; nothing after it is read.
        model: an alias or version to use instead of the pinned one, or of `champion`.
        refresh: read the input anew instead of the samples that the date's first run kept.

    Raises:
        ModelError: the registry has no such model.
        DataError: rows were lost or are not finite, or too many input rows are bad.
    """
    home = config.root / "scores" / config.dataset.name
    manifest = home / "_manifests" / f"{run_date}.json"
    pinned = Published.model_validate_json(manifest.read_text()) if manifest.exists() else None
    version = tracker.resolve(model or (pinned.model_version if pinned else CHAMPION))
    package = tracker.package(version)
    schema = FeatureSchema.load(package / "schema.json")
    print(
        f"scoring {config.dataset.name} at {run_date} with {tracker.model_name} version {version}"
    )

    kept = home / "_inputs" / f"run_date={run_date}"
    if pinned is None or refresh or not kept.exists():
        quarantined = keep_input(spark, config, run_date, kept)
    else:
        quarantined = pinned.quarantined
        print(f"  using the samples that the first run of this date kept: {kept}")
    note = Published(
        status="started",
        dataset=config.dataset.name,
        run_date=str(run_date),
        model_name=tracker.model_name,
        model_version=version,
        inference=json.loads((package / "model.json").read_text())["inference"],
        input=str(kept),
        path=str(home / f"run_date={run_date}"),
        quarantined=quarantined,
    )
    write_json(manifest, note.model_dump())

    samples = spark.read.parquet(str(kept))
    staged = home / "_staging" / f"run_date={run_date}"
    scored = predict(samples, package, schema, config.scoring.quantiles, config.scoring.batch_rows)
    names = [*config.dataset.id, *prediction_columns(config.scoring.quantiles)]
    stamped = scored.select(
        *names,
        F.lit(note.inference).alias("inference"),
        F.lit(version).alias("model_version"),
    )
    stamped.write.mode("overwrite").parquet(str(staged))
    rows, total = check_scores(spark, staged, samples.count())
    publish(staged, Path(note.path))
    done = note.model_copy(update={"status": "published", "rows": rows, "total_predicted": total})
    write_json(manifest, done.model_dump())
    return done


def keep_input(
    spark: SparkSession, config: Config, run_date: dt.date, path: Path
) -> dict[str, int]:
    """Write the samples to score; return the bad rows by reason."""
    samples = scoring_samples(spark, config, run_date)
    partial = path.with_name(f"_partial-{path.name}")
    samples.rows.write.mode("overwrite").parquet(str(partial))
    reasons = samples.quarantine.groupBy("reason").count().collect()
    samples.release()
    bad = {str(row["reason"]): int(row["count"]) for row in reasons}
    good = spark.read.parquet(str(partial)).count()
    limit = config.scoring.max_quarantined_share
    if not good or sum(bad.values()) > limit * (good + sum(bad.values())):
        raise DataError(
            f"{good:,} rows can be scored and {sum(bad.values()):,} are bad ({bad}); "
            f"scoring.max_quarantined_share allows {limit:.1%}. Nothing was published."
        )
    publish(partial, path)
    return bad


def predict(
    samples: DataFrame,
    package: Path,
    schema: FeatureSchema,
    quantiles: Sequence[float],
    batch_rows: int,
) -> DataFrame:
    """Add the prediction columns to raw samples, in an iterator pandas UDF.

    Each Python worker loads the package once and scores in batches of `batch_rows`.
    """
    fields = [T.StructField(name, T.FloatType()) for name in _FLOATS]
    fields.append(T.StructField("selected_sdn", T.IntegerType()))
    names = prediction_columns(quantiles)
    fields += [T.StructField(n, T.FloatType()) for n in names[len(fields) :]]
    folder, levels = str(package), tuple(quantiles)

    def scores(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from pipelines.scoring import worker_predictor

        predictor = worker_predictor(folder)
        for batch in batches:
            yield pd.DataFrame(predictor.predict(batch, levels))[[f.name for f in fields]]

    udf = F.pandas_udf(scores, T.StructType(fields))
    samples.sparkSession.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(batch_rows))
    raw = F.struct(*[_as_read(samples, name).alias(name) for name in schema.raw_columns])
    return samples.withColumn("scored", udf(raw)).select("*", "scored.*").drop("scored")


def prediction_columns(quantiles: Sequence[float]) -> list[str]:
    """The columns that `predict` adds."""
    from optdist.models.optdist import quantile_name

    return [*_FLOATS, "selected_sdn", *[quantile_name(q) for q in quantiles]]


def worker_predictor(folder: str) -> Any:
    """The package's predictor in this Python worker, loaded on first use, with one thread."""
    if folder not in _predictors:
        from optdist.package import load_predictor

        _predictors.clear()
        _predictors[folder] = load_predictor(folder, threads=1)
    return _predictors[folder]


def check_scores(spark: SparkSession, staged: Path, expected: int) -> tuple[int, float]:
    """Count the staged rows and look at their values before anything is published."""
    value = F.col("predicted_cltv")
    sound = value.isNotNull() & ~F.isnan(value) & (value >= 0) & (value < float("inf"))
    row = (
        spark.read.parquet(str(staged))
        .agg(
            F.count("*").alias("rows"),
            F.count_if(~sound).alias("unsound"),
            F.sum(value.cast("double")).alias("total"),
        )
        .first()
    )
    assert row is not None
    if row["rows"] != expected or row["unsound"]:
        raise DataError(
            f"{expected:,} rows were to be scored; {row['rows']:,} came out, {row['unsound']:,} of "
            f"them null, negative or infinite. Nothing was published; see {staged}."
        )
    return int(row["rows"]), float(row["total"] or 0.0)


def publish(staged: Path, path: Path) -> None:
    """Put a finished folder in its place; a crash leaves the old one or the new one."""
    old = path.with_name(f"_old-{path.name}")
    shutil.rmtree(old, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.rename(old)
    staged.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _as_read(samples: DataFrame, name: str) -> Column:
    """Integers and booleans as text: pandas would make floats of nullable ones."""
    kind = samples.schema[name].dataType
    whole = isinstance(kind, (T.IntegralType, T.BooleanType))
    return F.col(name).cast("string") if whole else F.col(name)
