"""The daily scoring job: everyone known at a date, scored by one pinned model, published whole."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from optdist.config import Config, secrets_hidden
from optdist.config.identity import DATASET, identity
from optdist.errors import ModelError
from optdist.files import locked, uri, write_json
from optdist.models.base import prediction_columns
from optdist.tracking import CHAMPION, Tracker
from pipelines.features.fitting import count_imputed
from pipelines.prediction import predict
from pipelines.registry.compatibility import changed_settings, unusable_features
from pipelines.scoring.checks import check_scores
from pipelines.scoring.folder_swap import publish, restore
from pipelines.scoring.inputs import keep_input, pinned_input, source_fingerprint
from pipelines.scoring.manifest import MANIFEST, Published, read_manifest


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
        BusyError: another job scores the same date.
        ModelError: the registry has no such model, or it was trained on another data set.
        DataError: rows were lost or are not finite, or too many input rows are bad.
    """
    with secrets_hidden(config.written), locked(config.layout.scores.date(run_date)):
        return _score(spark, config, tracker, run_date, model, refresh)


def _score(
    spark: SparkSession,
    config: Config,
    tracker: Tracker,
    run_date: dt.date,
    model: str | None,
    refresh: bool,
) -> Published:
    scores = config.layout.scores
    path = scores.date(run_date)
    restore(path)
    pinned = read_manifest(path)
    version = chosen_version(tracker, pinned, model)
    package = tracker.package(version)
    schema = package.schema
    source = source_fingerprint(config)
    print(
        f"scoring {config.dataset.name} at {run_date} with {tracker.model_name} version {version}"
    )
    taken = pinned_input(scores.path, pinned, source) if pinned and not refresh else None
    described = pinned.dataset_fingerprint if pinned and taken else identity(config)[DATASET]
    moved = [] if taken else unusable_features(schema, config.dataset.features)
    require_same_data(tracker, version, described, moved)
    taken = taken or keep_input(spark, config, run_date, scores, source)

    samples = spark.read.parquet(uri(scores.path / taken.folder))
    staged, levels = scores.staging(run_date), config.scoring.quantiles
    scored = predict(
        samples,
        package,
        levels,
        config.scoring.batch_rows,
        keep=[*config.dataset.id, *config.dataset.source.carried],
    )
    filled = count_imputed(samples, schema)
    if filled:
        print(f"  WARNING: filled with the training mean, for training had no null: {filled}")
    stamped = scored.withColumn("inference", F.lit(package.inference))
    stamped = stamped.withColumn("model_version", F.lit(version))
    stamped.write.mode("overwrite").parquet(uri(staged))
    rows, total = check_scores(
        spark, staged, taken.rows, prediction_columns(package.model_class, levels)
    )
    done = Published(
        dataset=config.dataset.name,
        run_date=str(run_date),
        path=str(path),
        model_name=tracker.model_name,
        model_version=version,
        inference=package.inference,
        quantiles=levels,
        input=taken.folder,
        input_fingerprint=taken.fingerprint,
        dataset_fingerprint=described,
        source_fingerprint=source,
        quarantined=taken.quarantined,
        last_event=taken.last_event,
        imputed=filled,
        rows=rows,
        total_predicted=total,
    )
    write_json(staged / MANIFEST, done.model_dump())
    publish(staged, path)
    write_json(scores.manifest_copy(run_date), done.model_dump())
    for other in scores.inputs(run_date).iterdir():
        if other.name != Path(taken.folder).name:
            shutil.rmtree(other)
    return done


def chosen_version(tracker: Tracker, pinned: Published | None, model: str | None) -> str:
    """The version to score with: the one asked for, the date's pinned one, or the champion."""
    if model is None and pinned is not None and pinned.model_name != tracker.model_name:
        raise ModelError(
            f"{pinned.run_date} was scored with {pinned.model_name} version "
            f"{pinned.model_version}, and the config names {tracker.model_name}. "
            f"Give --model champion to score the date anew with the latter."
        )
    return tracker.resolve(model or (pinned.model_version if pinned else CHAMPION))


def require_same_data(tracker: Tracker, version: str, described: str, moved: Sequence[str]) -> None:
    """Refuse a version that was trained on other features or another label than those described.

    Args:
        tracker: the registry.
        version: the version to score with.
        described: the samples' tag of `optdist.config.identity`, or "" where it is not known.
        moved: features of the version that the data set lacks or has as another kind.

    Raises:
        ModelError: naming what differs.
    """
    differ = changed_settings(tracker, version, {DATASET: described}) if described else []
    if differ or moved:
        raise ModelError(
            f"Since {tracker.model_name} version {version} was trained, the data set changed in "
            f"{', '.join([*differ, *moved])}. Train again, name a version that was trained on this "
            f"data set (--model), or score with the data set's file that version {version} was "
            f"trained with: config.yaml of its MLflow run has it."
        )
