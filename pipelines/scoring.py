"""The daily scoring job: everyone known at a date, scored by one pinned model, published whole."""

from __future__ import annotations

import datetime as dt
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from optdist.config import Config, fingerprint
from optdist.errors import DataError, ModelError
from optdist.files import write_json
from optdist.models import OptDist
from optdist.models.base import prediction_columns
from optdist.package import package_model
from optdist.schema import FeatureSchema
from optdist.tracking import CHAMPION, Tracker
from pipelines.publishing import publish, restore
from pipelines.samples import scoring_samples
from pipelines.tables import files_explained, input_fingerprint

MANIFEST = "_manifest.json"  # in the date's folder, so that rows and manifest appear together
_TEXT_OR_NUMBER = (
    T.StringType,
    T.IntegralType,
    T.BooleanType,
    T.FractionalType,
    T.DateType,
    T.NullType,
)
_predictors: dict[str, Any] = {}  # one model per Python worker, by its package's folder


class Published(BaseModel):
    """One date's scores; its manifest pins the model and the input that a rerun uses again."""

    status: str = "published"
    dataset: str
    run_date: str
    path: str
    model_name: str
    model_version: str
    inference: str  # the rule of the model's package, such as "hard" or "soft"
    quantiles: list[float]
    input: str  # the samples that were scored, a folder below the data set's scores
    input_fingerprint: str  # of the source when they were read
    source_fingerprint: str  # of the source at this run
    quarantined: dict[str, int]  # bad input rows by reason
    rows: int
    total_predicted: float


class Input(BaseModel):
    """The samples to score."""

    folder: str
    fingerprint: str
    quarantined: dict[str, int]


def scores_home(config: Config) -> Path:
    """The folder of a data set's scores: `run_date=.../` and, hidden from readers, `_...`."""
    return config.root / "scores" / config.dataset.name


def score(
    spark: SparkSession,
    config: Config,
    tracker: Tracker,
    run_date: dt.date,
    model: str | None = None,
    refresh: bool = False,
) -> Published:
    """Score everyone known at the end of `run_date` and publish `run_date=.../`.

    A published date keeps the samples that were scored, and its manifest names them and the model's
    version; a rerun uses both again and gives the same rows.

    Args:
        spark: the session.
        config: the data set and the scoring settings.
        tracker: the registry.
        run_date: the cut-off; nothing after it is read.
        model: an alias or version to use instead of the pinned one, or of `champion`.
        refresh: read the input anew instead of the samples that the date has kept.

    Raises:
        ModelError: the registry has no such model.
        DataError: rows were lost or are not finite, or too many input rows are bad.
    """
    home = scores_home(config)
    path = home / f"run_date={run_date}"
    restore(path)
    pinned = read_manifest(path)
    version = chosen_version(tracker, pinned, model)
    package = tracker.package(version)
    schema = FeatureSchema.load(package / "schema.json")
    source = source_fingerprint(config)
    print(
        f"scoring {config.dataset.name} at {run_date} with {tracker.model_name} version {version}"
    )
    taken = pinned_input(home, pinned, source) if pinned and not refresh else None
    taken = taken or keep_input(spark, config, run_date, home, source)

    samples = spark.read.parquet(str(home / taken.folder))
    staged, levels = home / "_staging" / path.name, config.scoring.quantiles
    model_class, inference = package_model(package)
    scored = predict(
        samples,
        package,
        schema,
        levels,
        config.scoring.batch_rows,
        keep=config.dataset.id,
    )
    stamped = scored.withColumn("inference", F.lit(inference))
    stamped = stamped.withColumn("model_version", F.lit(version))
    stamped.write.mode("overwrite").parquet(str(staged))
    rows, total = check_scores(
        spark, staged, samples.count(), prediction_columns(model_class, levels)
    )
    done = Published(
        dataset=config.dataset.name,
        run_date=str(run_date),
        path=str(path),
        model_name=tracker.model_name,
        model_version=version,
        inference=inference,
        quantiles=levels,
        input=taken.folder,
        input_fingerprint=taken.fingerprint,
        source_fingerprint=source,
        quarantined=taken.quarantined,
        rows=rows,
        total_predicted=total,
    )
    write_json(staged / MANIFEST, done.model_dump())
    publish(staged, path)
    write_json(home / "_manifests" / f"{run_date}.json", done.model_dump())  # a copy, to look at
    for other in (home / taken.folder).parent.iterdir():
        if other.name != Path(taken.folder).name:
            shutil.rmtree(other)
    return done


def read_manifest(path: Path) -> Published | None:
    """A published date's manifest, or None where the date has none."""
    try:
        return Published.model_validate_json((path / MANIFEST).read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(
            f"{path / MANIFEST} cannot be read: {error} Remove {path} to score the date anew."
        ) from error


def chosen_version(tracker: Tracker, pinned: Published | None, model: str | None) -> str:
    """The version to score with: the one asked for, the date's pinned one, or the champion."""
    if model is None and pinned is not None and pinned.model_name != tracker.model_name:
        raise ModelError(
            f"{pinned.run_date} was scored with {pinned.model_name} version "
            f"{pinned.model_version}, and the config names {tracker.model_name}. "
            f"Give --model champion to score the date anew with the latter."
        )
    return tracker.resolve(model or (pinned.model_version if pinned else CHAMPION))


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
        fingerprint=pinned.input_fingerprint,
        quarantined=pinned.quarantined,
    )


@files_explained()
def keep_input(
    spark: SparkSession, config: Config, run_date: dt.date, home: Path, source: str
) -> Input:
    """Write the samples to score beside those that the date may already have.

    Raises:
        DataError: there are none, or too many rows are bad.
    """
    folder = f"_inputs/{run_date}/{uuid.uuid4().hex[:8]}"
    samples = scoring_samples(spark, config, run_date)
    try:
        samples.rows.write.parquet(str(home / folder))
        reasons = samples.quarantine.groupBy("reason").count().collect()
    finally:
        samples.release()
    bad = {str(row["reason"]): int(row["count"]) for row in reasons}
    good, aside = spark.read.parquet(str(home / folder)).count(), sum(bad.values())
    limit = config.scoring.max_quarantined_share
    if not good or aside > limit * (good + aside):
        shutil.rmtree(home / folder)
        raise DataError(
            f"{good:,} rows known at {run_date} can be scored and {aside:,} are bad {bad or ''}; "
            f"there must be some, and scoring.max_quarantined_share allows {limit:.1%} bad ones. "
            f"Nothing was published."
        )
    return Input(folder=folder, fingerprint=source, quarantined=bad)


def predict(
    samples: DataFrame,
    package: Path,
    schema: FeatureSchema,
    quantiles: Sequence[float],
    batch_rows: int,
    keep: Sequence[str] | None = None,
) -> DataFrame:
    """Predict raw samples in an iterator pandas UDF: the columns `keep`, then predictions.

    Each Python worker loads the package once and scores in batches of `batch_rows`. The columns are
    those of OptDist for every model; what a model does not predict is null.

    Raises:
        DataError: the samples lack a column that the model reads.
    """
    missing = [name for name in schema.raw_columns if name not in samples.columns]
    if missing:
        raise DataError(
            f"The model in {package} reads columns that the samples lack: {', '.join(missing)}. "
            f"Found: {', '.join(samples.columns)}. Take a model that was trained on these "
            f"features; for a date that was scored before, --refresh reads its input anew."
        )
    names = prediction_columns(OptDist, quantiles)
    integer, number = T.IntegerType(), T.FloatType()
    types = [integer if name == "selected_sdn" else number for name in names]
    fields = [T.StructField(name, kind) for name, kind in zip(names, types, strict=True)]
    folder, levels = str(package), tuple(quantiles)

    def scores(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from pipelines.scoring import worker_predictor

        predictor = worker_predictor(folder)
        for batch in batches:
            yield pd.DataFrame(predictor.predict(batch, levels)).reindex(columns=names)

    udf = F.pandas_udf(scores, T.StructType(fields))
    samples.sparkSession.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(batch_rows))
    raw = F.struct(
        *[_category(samples, feature.name) for feature in schema.categorical],
        *[F.col(feature.name).cast("double").alias(feature.name) for feature in schema.numeric],
    )
    keep = samples.columns if keep is None else keep
    return samples.select(*keep, udf(raw).alias("_scored")).select(*keep, "_scored.*")


def worker_predictor(folder: str) -> Any:
    """The package's predictor in this Python worker, loaded on first use, with one thread."""
    if folder not in _predictors:
        from optdist.package import load_predictor

        _predictors.clear()
        _predictors[folder] = load_predictor(folder, threads=1)
    return _predictors[folder]


def check_scores(
    spark: SparkSession, staged: Path, expected: int, names: Sequence[str]
) -> tuple[int, float]:
    """Count the staged rows and look at their values before anything is published.

    Returns:
        The number of rows and the sum of their predicted value.

    Raises:
        DataError: rows were lost or made, or a value is null, NaN, infinite or a negative value.
    """
    unsound = F.col("predicted_cltv") < 0
    for name in names:
        value = F.col(name).cast("double")
        unsound |= value.isNull() | F.isnan(value) | (F.abs(value) == float("inf"))
    row = (
        spark.read.parquet(str(staged))
        .agg(
            F.count("*").alias("rows"),
            F.count_if(unsound).alias("unsound"),
            F.sum(F.col("predicted_cltv").cast("double")).alias("total"),
        )
        .first()
    )
    assert row is not None
    if row["rows"] != expected or row["unsound"]:
        raise DataError(
            f"{expected:,} rows were to be scored; {row['rows']:,} came out, {row['unsound']:,} of "
            f"them with a null, negative or infinite value. Nothing was published; see {staged}."
        )
    return int(row["rows"]), float(row["total"] or 0.0)


def _category(samples: DataFrame, name: str) -> Column:
    """Integers and booleans as text: pandas would make floats of nullable ones."""
    kind = samples.schema[name].dataType
    if not isinstance(kind, _TEXT_OR_NUMBER):
        raise DataError(
            f"The categorical feature {name} is a {kind.simpleString()}, whose text differs "
            f"between training and scoring. Make a text of it in source.columns or sample_columns."
        )
    whole = isinstance(kind, (T.IntegralType, T.BooleanType))
    return (F.col(name).cast("string") if whole else F.col(name)).alias(name)
